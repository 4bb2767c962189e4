package pack

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"
)

// ZIP records as this format writes them (PKWARE APPNOTE 4.3): method stored,
// no data descriptors, no comments, every date 1980-01-01 00:00, zip64 extra
// fields only where a value needs them. So every record follows from name,
// size, CRC-32 and offset, which lets a reader check each bit of it.
const (
	signatureLocal     = 0x04034b50
	signatureCentral   = 0x02014b50
	signatureEnd       = 0x06054b50
	signatureEnd64     = 0x06064b50
	signatureLocator64 = 0x07064b50

	dosDate      = 0<<9 | 1<<5 | 1 // 1980-01-01
	version20    = 20
	version45    = 45 // zip64
	most32       = 0xFFFFFFFF
	most16       = 0xFFFF
	zip64Tag     = 1
	localBytes   = 30
	centralBytes = 46
	endBytes     = 22
	end64Bytes   = 56
	locatorBytes = 20
)

// appendLocal appends the local header of a stored entry.
func appendLocal(dst []byte, name string, size int64, crc uint32) []byte {
	version, short, extra := uint16(version20), uint32(size), 0
	if size >= most32 {
		version, short, extra = version45, most32, 20
	}
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, signatureLocal)
	dst = le.AppendUint16(dst, version)
	dst = append(dst, 0, 0, 0, 0, 0, 0) // flags, method, time
	dst = le.AppendUint16(dst, dosDate)
	dst = le.AppendUint32(dst, crc)
	dst = le.AppendUint32(dst, short)
	dst = le.AppendUint32(dst, short)
	dst = le.AppendUint16(dst, uint16(len(name)))
	dst = le.AppendUint16(dst, uint16(extra))
	dst = append(dst, name...)
	if extra > 0 {
		dst = le.AppendUint16(dst, zip64Tag)
		dst = le.AppendUint16(dst, 16)
		dst = le.AppendUint64(dst, uint64(size))
		dst = le.AppendUint64(dst, uint64(size))
	}
	return dst
}

// appendCentral appends the central directory record of a stored entry whose local header is at offset.
func appendCentral(dst []byte, name string, size int64, crc uint32, offset int64) []byte {
	le := binary.LittleEndian
	version, shortSize, shortOffset := uint16(version20), uint32(size), uint32(offset)
	var extra []byte
	if size >= most32 {
		shortSize = most32
		extra = le.AppendUint64(extra, uint64(size))
		extra = le.AppendUint64(extra, uint64(size))
	}
	if offset >= most32 {
		shortOffset = most32
		extra = le.AppendUint64(extra, uint64(offset))
	}
	if extra != nil {
		version = version45
		head := le.AppendUint16(nil, zip64Tag)
		extra = append(le.AppendUint16(head, uint16(len(extra))), extra...)
	}
	dst = le.AppendUint32(dst, signatureCentral)
	dst = le.AppendUint16(dst, version) // made by
	dst = le.AppendUint16(dst, version) // needed
	dst = append(dst, 0, 0, 0, 0, 0, 0) // flags, method, time
	dst = le.AppendUint16(dst, dosDate)
	dst = le.AppendUint32(dst, crc)
	dst = le.AppendUint32(dst, shortSize)
	dst = le.AppendUint32(dst, shortSize)
	dst = le.AppendUint16(dst, uint16(len(name)))
	dst = le.AppendUint16(dst, uint16(len(extra)))
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) // comment, disk, attributes
	dst = le.AppendUint32(dst, shortOffset)
	dst = append(dst, name...)
	return append(dst, extra...)
}

// appendEnd appends the end of central directory, with its zip64 form before it where a value needs that.
func appendEnd(dst []byte, entries int, offset, size int64) []byte {
	le := binary.LittleEndian
	if entries >= most16 || offset >= most32 || size >= most32 {
		dst = le.AppendUint32(dst, signatureEnd64)
		dst = le.AppendUint64(dst, end64Bytes-12)
		dst = le.AppendUint16(dst, version45)
		dst = le.AppendUint16(dst, version45)
		dst = le.AppendUint64(dst, 0) // disks
		dst = le.AppendUint64(dst, uint64(entries))
		dst = le.AppendUint64(dst, uint64(entries))
		dst = le.AppendUint64(dst, uint64(size))
		dst = le.AppendUint64(dst, uint64(offset))
		dst = le.AppendUint32(dst, signatureLocator64)
		dst = le.AppendUint32(dst, 0)
		dst = le.AppendUint64(dst, uint64(offset+size))
		dst = le.AppendUint32(dst, 1)
	}
	dst = le.AppendUint32(dst, signatureEnd)
	dst = le.AppendUint32(dst, 0) // disks
	dst = le.AppendUint16(dst, uint16(min(entries, most16)))
	dst = le.AppendUint16(dst, uint16(min(entries, most16)))
	dst = le.AppendUint32(dst, uint32(min(size, most32)))
	dst = le.AppendUint32(dst, uint32(min(offset, most32)))
	return le.AppendUint16(dst, 0)
}

// archive writes a ZIP of stored entries front to back. After an error it writes no more and returns that error again.
type archive struct {
	w       io.Writer
	size    int64 // bytes written
	sum     hash.Hash
	entries int
	central []byte
	scratch []byte
	stretch *stretches // nil: none wanted
	err     error
}

func newArchive(w io.Writer) archive { return archive{w: w, sum: sha256.New()} }

// add writes one entry and returns the offset of its payload.
func (a *archive) add(name string, payload []byte) (int64, error) {
	a.begin(name, int64(len(payload)), crc32.ChecksumIEEE(payload))
	offset := a.size
	a.write(payload)
	return offset, a.err
}

// begin writes the local header of an entry whose payload the caller writes next.
func (a *archive) begin(name string, size int64, crc uint32) {
	a.central = appendCentral(a.central, name, size, crc, a.size)
	a.entries++
	a.scratch = appendLocal(a.scratch[:0], name, size, crc)
	a.write(a.scratch)
}

func (a *archive) write(p []byte) {
	if a.err != nil {
		return
	}
	n, err := a.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if a.err = err; err != nil {
		return
	}
	a.size += int64(n)
	a.sum.Write(p)
	if a.stretch != nil {
		a.stretch.write(p)
	}
}

// close writes the central directory and returns the size and SHA-256 of the archive.
func (a *archive) close() (Summary, error) {
	offset, size := a.size, int64(len(a.central))
	a.write(a.central)
	a.write(appendEnd(nil, a.entries, offset, size))
	if a.err != nil {
		return Summary{}, a.err
	}
	s := Summary{Size: a.size}
	a.sum.Sum(s.SHA256[:0])
	return s, nil
}

// Summary is what an object store is told of a finished object.
type Summary struct {
	Size   int64 // bytes
	SHA256 Digest
}

// stretches computes the SHA-256 of each DigestBytes.
type stretches struct {
	sum  hash.Hash
	left int // bytes that the open stretch can still take
	list []Digest
}

func newStretches() *stretches { return &stretches{sum: sha256.New(), left: DigestBytes} }

func (s *stretches) write(p []byte) {
	for len(p) > 0 {
		n := min(len(p), s.left)
		s.sum.Write(p[:n])
		p = p[n:]
		if s.left -= n; s.left == 0 {
			s.end()
		}
	}
}

func (s *stretches) end() {
	var d Digest
	s.sum.Sum(d[:0])
	s.list = append(s.list, d)
	s.sum.Reset()
	s.left = DigestBytes
}

// digests ends the open stretch, if it has bytes, and returns all.
func (s *stretches) digests() []Digest {
	if s.left < DigestBytes {
		s.end()
	}
	return s.list
}
