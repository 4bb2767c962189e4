package pack

import (
	"context"
	"fmt"
)

// FramePrefix returns the first n bytes of frame f of instance i as it is
// stored, in one request: the lowest resolution levels of a progressive codestream (Entry.LevelEnds). A prefix has no digest of
// its own, so damage that leaves it decodable is not noticed: it is for pictures, not for samples that somebody relies on. All of a frame is checked, as by FrameBytes.
func (v *Volume) FramePrefix(ctx context.Context, i, f int, n int64) ([]byte, Entry, error) {
	_, fr, err := v.frame(i, f)
	if err != nil {
		return nil, Entry{}, err
	}
	e := v.Index.Entries[fr.Entry]
	switch {
	case n < 0 || n > e.Size:
		return nil, e, fmt.Errorf("pack: prefix of %d bytes of a frame of %d", n, e.Size)
	case n == e.Size:
		return v.FrameBytes(ctx, i, f)
	}
	p, err := readRange(ctx, v.r, e.Offset, n)
	if err != nil {
		return nil, e, v.named(fr.Entry, err)
	}
	return p, e, nil
}

// Read returns bytes of the volume as they are, in one request: for ranges that another index gives and whose digest it has.
func (v *Volume) Read(ctx context.Context, at Range) ([]byte, error) {
	return readRange(ctx, v.r, at[0], at[1])
}

// FrameEntry is the record of frame f of instance i.
func (v *Volume) FrameEntry(i, f int) (Entry, error) {
	_, fr, err := v.frame(i, f)
	if err != nil {
		return Entry{}, err
	}
	return v.Index.Entries[fr.Entry], nil
}

// CheckFrame compares the bytes of a frame as it is stored, put together elsewhere, with its digest.
func (v *Volume) CheckFrame(i, f int, data []byte) error {
	_, fr, err := v.frame(i, f)
	if err != nil {
		return err
	}
	return v.checkEntry(fr.Entry, data)
}
