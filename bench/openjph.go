package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/radtier/radtier/codecs"
)

// openJPH is the C++ library's command-line programs, one process per frame.
type openJPH struct{ compress, expand, dir string }

func newOpenJPH() (*openJPH, error) {
	compress, err := exec.LookPath("ojph_compress")
	if err != nil {
		return nil, fmt.Errorf("ojph_compress is not installed (Debian package openjph-tools)")
	}
	expand, err := exec.LookPath("ojph_expand")
	if err != nil {
		return nil, fmt.Errorf("ojph_expand is not installed (Debian package openjph-tools)")
	}
	dir, err := os.MkdirTemp("", "radtier-openjph-")
	return &openJPH{compress, expand, dir}, err
}

func (*openJPH) name() string { return "OpenJPH, whole process" }

func (o *openJPH) close() { os.RemoveAll(o.dir) }

// run compresses and expands a frame with as many levels as ours has. Starting the process, reading and writing files is part of the times.
func (o *openJPH) run(ctx context.Context, v codecs.View, rgb bool, levels, rounds int) (stored int64, encode, decode time.Duration, err error) {
	ext := ".pgm"
	if v.Components == 3 {
		ext = ".ppm"
	}
	in, stream, out := filepath.Join(o.dir, "in"+ext), filepath.Join(o.dir, "x.j2c"), filepath.Join(o.dir, "out"+ext)
	picture := portable(v)
	if err := os.WriteFile(in, picture, 0o600); err != nil {
		return 0, 0, 0, err
	}
	for round := range rounds {
		took, err := o.process(ctx, o.compress, "-i", in, "-o", stream, "-reversible", "true", "-num_decomps", strconv.Itoa(levels), "-prog_order", "RPCL",
			"-block_size", "{64,64}", "-colour_trans", strconv.FormatBool(rgb))
		if err != nil {
			return 0, 0, 0, err
		}
		encode = best(round, encode, took)
		if took, err = o.process(ctx, o.expand, "-i", stream, "-o", out); err != nil {
			return 0, 0, 0, err
		}
		decode = best(round, decode, took)
	}
	back, err := os.ReadFile(out)
	if err != nil {
		return 0, 0, 0, err
	}
	if n := min(len(picture), pixelBytes(v)); len(back) < n || !bytes.Equal(back[len(back)-n:], picture[len(picture)-n:]) {
		return 0, 0, 0, fmt.Errorf("what ojph_expand gives differs from what ojph_compress was given")
	}
	info, err := os.Stat(stream)
	if err != nil {
		return 0, 0, 0, err
	}
	return info.Size(), encode, decode, nil
}

func (o *openJPH) process(ctx context.Context, path string, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	if said, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", filepath.Base(path), err, said)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// pixelBytes is how many bytes portable has after its header.
func pixelBytes(v codecs.View) int {
	n := v.Width * v.Height * v.Components
	if v.Bits > 8 {
		n *= 2
	}
	return n
}

// portable is a frame as PGM or PPM. It has no signed samples: these are shifted up, which costs a lossless codec nothing.
func portable(v codecs.View) []byte {
	kind := 5
	if v.Components == 3 {
		kind = 6
	}
	out := fmt.Appendf(nil, "P%d %d %d %d\n", kind, v.Width, v.Height, 1<<v.Bits-1)
	flip := 0
	if v.Signed {
		flip = 1 << (v.Bits - 1)
	}
	for y := range v.Height {
		for x := range v.Width {
			for c := range v.Components {
				p := v.Pix[c*v.PlaneStride+y*v.RowStride+x*v.PixelStride:]
				s := int(p[0])
				switch {
				case v.Container == 16 && v.BigEndian:
					s = s<<8 | int(p[1])
				case v.Container == 16:
					s |= int(p[1]) << 8
				}
				s = s&(1<<v.Bits-1) ^ flip
				if v.Bits > 8 {
					out = append(out, byte(s>>8))
				}
				out = append(out, byte(s))
			}
		}
	}
	return out
}
