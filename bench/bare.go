package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/worker"
)

// BareResult is what the codecs and SHA-256 alone cost for the images of a folder, on one core and in memory.
type BareResult struct {
	Frames   int
	RawBytes int64 // of the received files
	CPU      time.Duration
	Encode   time.Duration // by the default codec
	Compare  time.Duration // decode and compare with the source
	Hash     time.Duration // SHA-256 of each received file and of its samples
}

// Bare encodes, decodes, compares and hashes the native frames in dir, and does nothing else: the
// work that a lossless, proved store cannot avoid. Reading the files is not counted.
func Bare(ctx context.Context, dir string) (BareResult, error) {
	found, err := worker.Discover(ctx, []string{dir}, nil)
	if err != nil {
		return BareResult{}, err
	}
	x, _ := all.Set().Lookup(worker.Codecs()[0].Syntax())
	enc, dec := x.NewEncoder(), x.NewDecoder()
	var r BareResult
	var stream []byte
	for _, s := range found.Studies {
		for _, file := range s.Files {
			if ctx.Err() != nil {
				return r, ctx.Err()
			}
			raw, err := os.ReadFile(file.Path)
			if err != nil {
				return r, err
			}
			f, err := dcm.Scan(dcm.Bytes(raw), int64(len(raw)), dcm.Limits{})
			if err != nil {
				return r, err
			}
			r.RawBytes += int64(len(raw))
			start := processCPU()
			sha256.Sum256(raw)
			r.Hash += processCPU() - start
			if f.Pixel == nil || f.Pixel.Encapsulated || f.FrameSize() == 0 {
				continue
			}
			for i := range f.Image.Frames {
				from := f.Pixel.ValueOffset + int64(i)*f.FrameSize()
				pix := raw[from : from+f.FrameSize()]
				view, err := f.View(pix)
				var layout *dcm.UnsupportedError
				if errors.As(err, &layout) {
					break
				} else if err != nil {
					return r, err
				}
				start := processCPU()
				if stream, _, err = enc.Encode(stream[:0], view, codecs.EncodeOptions{RGB: f.Image.Photometric == "RGB"}); err != nil {
					return r, fmt.Errorf("encode: %w", err)
				}
				r.Encode += processCPU() - start
				start = processCPU()
				if err := codecs.Verify(dec, view, stream, codecs.DecodeOptions{}); err != nil {
					return r, err
				}
				r.Compare += processCPU() - start
				start = processCPU()
				sha256.Sum256(pix)
				r.Hash += processCPU() - start
				r.Frames++
			}
		}
	}
	r.CPU = r.Encode + r.Compare + r.Hash
	return r, nil
}
