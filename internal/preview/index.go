package preview

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/radtier/radtier/internal/pack"
)

// Version of the format that this package writes. Readers accept it and all before it.
const Version = 1

// An encoded index has the header of 64 bytes that those of packs have, with
// another magic, and a zstd frame of the body:
//
//	0   8  magic "RTPREVW\n"
//	8   4  version
//	12  4  flags, 0
//	16  8  bytes of the body, decompressed
//	24  8  bytes of the zstd frame
//	32 32  SHA-256 of bytes 0..31 and the zstd frame
const (
	magic       = "RTPREVW\n"
	headerBytes = 64
)

// EncodeIndex returns the bytes of an index. Equal indexes give equal bytes within a build.
func EncodeIndex(x *Index) ([]byte, error) {
	if err := x.check(); err != nil {
		return nil, err
	}
	c := &columns{}
	x.walk(c)
	if c.err != nil {
		return nil, c.err
	}
	if len(c.b) > mostBody {
		return nil, &pack.LimitError{What: "bytes of a preview index", Need: int64(len(c.b)), Most: mostBody}
	}
	out := pack.CompressZstd(make([]byte, headerBytes, headerBytes+len(c.b)/2), c.b)
	copy(out, magic)
	binary.LittleEndian.PutUint32(out[8:], Version)
	binary.LittleEndian.PutUint64(out[16:], uint64(len(c.b)))
	binary.LittleEndian.PutUint64(out[24:], uint64(len(out)-headerBytes))
	sum := indexSum(out)
	copy(out[32:], sum[:])
	return out, nil
}

func indexSum(p []byte) (d pack.Digest) {
	h := sha256.New()
	h.Write(p[:32])
	h.Write(p[headerBytes:])
	h.Sum(d[:0])
	return d
}

// DecodeIndex reads what EncodeIndex wrote. Damage and bytes that are no
// index are a *pack.MalformedError, an intact index of a later version a *pack.VersionError. Memory
// is bounded by a multiple of the decompressed body, which is at most 256 MiB.
func DecodeIndex(p []byte) (*Index, error) {
	bad := func(at int64, format string, args ...any) error {
		return &pack.MalformedError{What: fmt.Sprintf(format, args...), Offset: at}
	}
	if len(p) < headerBytes || string(p[:8]) != magic {
		return nil, bad(0, "not a preview index")
	}
	if n := binary.LittleEndian.Uint64(p[24:]); n != uint64(len(p)-headerBytes) {
		return nil, bad(24, "preview index of %d bytes, header says %d", len(p)-headerBytes, n)
	}
	if sum := indexSum(p); string(sum[:]) != string(p[32:headerBytes]) {
		return nil, bad(32, "preview index does not match its SHA-256")
	}
	if v := binary.LittleEndian.Uint32(p[8:]); v == 0 || v > Version {
		return nil, &pack.VersionError{Version: int(v)}
	}
	if f := binary.LittleEndian.Uint32(p[12:]); f != 0 {
		return nil, &pack.VersionError{Version: Version, Flags: f}
	}
	size := binary.LittleEndian.Uint64(p[16:])
	if size > mostBody {
		return nil, &pack.LimitError{What: "bytes of a preview index", Need: int64(min(size, 1<<62)), Most: mostBody}
	}
	body, err := pack.DecompressZstd(nil, p[headerBytes:], int64(size))
	if err != nil {
		return nil, fmt.Errorf("preview index body: %w", err)
	}
	if uint64(len(body)) != size {
		return nil, bad(16, "preview index body of %d bytes, header says %d", len(body), size)
	}
	x, c := &Index{}, &columns{b: body, reading: true, all: len(body)}
	x.walk(c)
	if c.err == nil && len(c.b) > 0 {
		c.what = "end"
		c.fail("%d bytes are left over", len(c.b))
	}
	if c.err != nil {
		return nil, c.err
	}
	return x, x.check()
}
