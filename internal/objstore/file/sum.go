package file

import (
	"crypto/sha256"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The SHA-256 of an object is remembered with the size and time of change of the file it
// was computed for, so that a file changed by other hands has no checksum
// instead of a wrong one. It is an extended attribute, set before the file
// has a name; where there are none, a sidecar, written after the name and removed before it.

const (
	sumAttribute = "user.radtier.sha256"
	sumVersion   = 1
	sumBytes     = 1 + sha256.Size + 8 + 8
)

func encodeSum(sum [sha256.Size]byte, st *unix.Stat_t) []byte {
	rec := make([]byte, 0, sumBytes)
	rec = append(rec, sumVersion)
	rec = append(rec, sum[:]...)
	rec = binary.BigEndian.AppendUint64(rec, uint64(st.Size))
	return binary.BigEndian.AppendUint64(rec, uint64(st.Mtim.Nano()))
}

// decodeSum returns zero for a record that is damaged or of another state of the file.
func decodeSum(rec []byte, st *unix.Stat_t) (sum [sha256.Size]byte) {
	if len(rec) != sumBytes || rec[0] != sumVersion ||
		binary.BigEndian.Uint64(rec[1+sha256.Size:]) != uint64(st.Size) ||
		binary.BigEndian.Uint64(rec[1+sha256.Size+8:]) != uint64(st.Mtim.Nano()) {
		return sum
	}
	copy(sum[:], rec[1:])
	return sum
}

// setSumAttribute reports whether the file system took it.
func (s *Store) setSumAttribute(fd int, rec []byte) bool {
	return !s.opts.noAttributes && unix.Fsetxattr(fd, sumAttribute, rec, 0) == nil
}

// sumOf returns the remembered checksum, zero if there is none that holds.
func (s *Store) sumOf(fd int, key string, st *unix.Stat_t) [sha256.Size]byte {
	var rec [sumBytes + 1]byte
	if !s.opts.noAttributes {
		if n, err := unix.Fgetxattr(fd, sumAttribute, rec[:]); err == nil {
			return decodeSum(rec[:n], st)
		}
	}
	// A sidecar that cannot be read is a missing checksum.
	side, _ := s.readSidecar(sumSidecar, key)
	return decodeSum(side, st)
}
