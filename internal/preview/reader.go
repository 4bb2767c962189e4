package preview

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
)

// Pack reads one preview pack. It may be used from many goroutines. What it
// returns was compared with its SHA-256; stored bytes that differ are a *pack.DamagedError.
type Pack struct {
	Index    *Index
	r        pack.Ranger
	requests atomic.Int64
}

// Requests is how many requests were made for small codestreams so far.
func (p *Pack) Requests() int64 { return p.requests.Load() }

// Open reads the index of a pack, in one request. at is where the manifest says that it lies.
func Open(ctx context.Context, r pack.Ranger, at pack.Range) (*Pack, error) {
	if at[0] < 0 || at[1] < headerBytes || at[1] > mostBody {
		return nil, &pack.MalformedError{What: fmt.Sprintf("index of a preview pack at %d+%d", at[0], at[1]), Offset: -1}
	}
	raw, err := readRange(ctx, r, at)
	if err != nil {
		return nil, err
	}
	x, err := DecodeIndex(raw)
	if err != nil {
		return nil, &pack.DamagedError{Part: "preview index", Frame: -1, Offset: at[0], Err: err}
	}
	return &Pack{Index: x, r: r}, nil
}

// tailBytes is what Find reads of the end of a pack: its central directory and, as a rule, the index.
const tailBytes = 64 << 10

// Find opens a pack of which only the size is known, in one request or two: the index is the entry before the central directory.
func Find(ctx context.Context, r pack.Ranger, size int64) (*Pack, error) {
	for n := min(size, tailBytes); ; n = min(size, 16*n) {
		tail, err := readRange(ctx, r, pack.Range{size - n, n})
		if err != nil {
			return nil, err
		}
		for end := len(tail); ; {
			i := bytes.LastIndex(tail[:end], []byte(magic))
			if i < 0 {
				break
			}
			if end = i; len(tail)-i < headerBytes {
				continue
			}
			length := binary.LittleEndian.Uint64(tail[i+24:])
			if length > uint64(len(tail)-i-headerBytes) {
				continue
			}
			if x, err := DecodeIndex(tail[i : i+headerBytes+int(length)]); err == nil {
				return &Pack{Index: x, r: r}, nil
			}
		}
		if n == size {
			return nil, &pack.DamagedError{Part: "preview index", Frame: -1, Offset: -1, What: "there is none"}
		}
	}
}

func readRange(ctx context.Context, r pack.Ranger, at pack.Range) ([]byte, error) {
	p, err := r.ReadRange(ctx, at[0], at[1])
	var beyond *objstore.RangeError
	if errors.As(err, &beyond) || err == nil && int64(len(p)) != at[1] {
		return nil, &pack.DamagedError{Part: "object", Frame: -1, Offset: at[0], What: "ends early", Err: err}
	}
	return p, err
}

// Frame returns the small codestream of a frame, in one request.
func (p *Pack) Frame(ctx context.Context, in *Instance, n int) ([]byte, error) {
	if n < 0 || n >= len(in.Frames) {
		return nil, fmt.Errorf("preview: no frame %d in an instance of %d (%q)", n, len(in.Frames), in.SOPUID)
	}
	f := &in.Frames[n]
	if f.Size == 0 {
		return nil, fmt.Errorf("preview: frame %d of %q has none: %s", n, in.SOPUID, f.Reason)
	}
	p.requests.Add(1)
	data, err := readRange(ctx, p.r, pack.Range{f.Offset, f.Size})
	if err != nil {
		return nil, err
	}
	return data, checked(in, n, data)
}

func checked(in *Instance, n int, data []byte) error {
	if f := &in.Frames[n]; sha256.Sum256(data) != f.SHA256 {
		return &pack.DamagedError{Part: "preview of frame", SOPUID: in.SOPUID, Frame: n, Offset: f.Offset, What: "SHA-256 differs"}
	}
	return nil
}

// Range is the stretch of the pack that holds all small codestreams of a series, {0, 0} if it has none.
func (s *Series) Range() pack.Range {
	var from, to int64
	for i := range s.Instances {
		for k := range s.Instances[i].Frames {
			if f := &s.Instances[i].Frames[k]; f.Size > 0 {
				if to == 0 {
					from = f.Offset
				}
				to = f.Offset + f.Size
			}
		}
	}
	return pack.Range{from, to - from}
}

// seriesBytes is how much of a series one request reads: all of it, as a rule, but no more memory than this.
const seriesBytes = 32 << 20

// Each reads all small codestreams of a series, in its order, in requests of
// at most 32 MiB, and calls see with each. One that is damaged is given as err with data nil; the others follow. It
// returns the error of the store, or what see returns.
func (p *Pack) Each(ctx context.Context, s *Series, see func(in *Instance, n int, data []byte, err error) error) error {
	whole := s.Range()
	end := whole[0] + whole[1]
	var window []byte
	var from int64
	for i := range s.Instances {
		in := &s.Instances[i]
		for n := range in.Frames {
			f := &in.Frames[n]
			if f.Size == 0 {
				continue
			}
			if f.Offset < whole[0] || f.Offset+f.Size > end {
				return &pack.MalformedError{What: "preview index: frames of a series are out of order", Offset: -1}
			}
			if f.Offset < from || f.Offset+f.Size > from+int64(len(window)) {
				var err error
				from = f.Offset
				p.requests.Add(1)
				if window, err = readRange(ctx, p.r, pack.Range{from, max(f.Size, min(seriesBytes, end-from))}); err != nil {
					return err
				}
			}
			data := window[f.Offset-from:][:f.Size]
			err := checked(in, n, data)
			if err != nil {
				data = nil
			}
			if err := see(in, n, data, err); err != nil {
				return err
			}
		}
	}
	return nil
}
