package s3

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"

	"github.com/radtier/radtier/internal/objstore"
)

// checkedBody reads a put's body and gives out its end only after size and
// SHA-256 were found right: in place of io.EOF come a *SizeError or
// *ChecksumError. Who uploads while reading has then not finished yet, and
// aborts as for any body that fails.
type checkedBody struct {
	ctx  context.Context
	key  string
	r    io.Reader
	size int64 // promised; -1 if unknown
	want [sha256.Size]byte

	sum hash.Hash   // nil if no SHA-256 was promised
	crc hash.Hash64 // nil if the server keeps no CRC-64 of whole objects
	n   int64       // bytes given out
	err error       // how it ended; io.EOF if well
}

// crc64NVME is the polynomial (reflected) of CRC-64/NVME, S3's CRC of whole objects.
const crc64NVME = 0x9a6c_9329_ac4b_c9b5

func newCheckedBody(ctx context.Context, key string, r io.Reader, opts objstore.PutOptions, wholeCRC bool) *checkedBody {
	b := &checkedBody{ctx: ctx, key: key, r: r, size: opts.Size, want: opts.SHA256}
	if b.want != [sha256.Size]byte{} {
		b.sum = sha256.New()
	}
	if wholeCRC {
		b.crc = crc64.New(crc64.MakeTable(crc64NVME))
	}
	return b
}

func (b *checkedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if err := b.ctx.Err(); err != nil {
		return b.end(0, fmt.Errorf("put %s: %w", b.key, err))
	}
	if b.size >= 0 && int64(len(p)) > b.size-b.n+1 {
		p = p[:b.size-b.n+1] // one byte more tells a body that is too long
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	if b.size >= 0 && b.n > b.size {
		return b.end(0, &objstore.SizeError{Key: b.key, Want: b.size, Got: b.n})
	}
	if b.sum != nil {
		b.sum.Write(p[:n])
	}
	if b.crc != nil {
		b.crc.Write(p[:n])
	}
	switch {
	case err == nil:
		return n, nil
	case !errors.Is(err, io.EOF):
		return b.end(n, fmt.Errorf("put %s: read the body after %d bytes: %w", b.key, b.n, err))
	case b.n < b.size:
		return b.end(n, &objstore.SizeError{Key: b.key, Want: b.size, Got: b.n})
	}
	if b.sum != nil {
		if got := [sha256.Size]byte(b.sum.Sum(nil)); got != b.want {
			return b.end(n, &objstore.ChecksumError{Key: b.key, Want: b.want, Got: got})
		}
	}
	return b.end(n, io.EOF)
}

func (b *checkedBody) end(n int, err error) (int, error) {
	b.err = err
	return n, err
}

// fault returns why the body cannot be stored; nil if it is good or not read to its end.
func (b *checkedBody) fault() error {
	if errors.Is(b.err, io.EOF) {
		return nil
	}
	return b.err
}

// all reads a body of a known size into memory.
func (b *checkedBody) all() ([]byte, error) {
	data := make([]byte, b.size)
	if _, err := io.ReadFull(b, data); err != nil && b.fault() != nil {
		return nil, b.err
	}
	var more [1]byte
	for b.err == nil {
		_, _ = b.Read(more[:]) // the end, or one byte too many
	}
	return data, b.fault()
}
