package htj2k

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/codectest"
	"github.com/radtier/radtier/internal/testkit"
)

// other is a decoder that nobody of this project wrote.
type other struct {
	name string
	// decode returns the samples of all components, one plane after the other.
	decode func(t *testing.T, dir string, stream []byte, v *codecs.View, reduce int) ([]int32, error)
}

// openJPH runs ojph_expand, which gives unsigned samples: one component as little endian words, three as PPM.
func openJPH(t *testing.T) other {
	tool := testkit.Tool(t, "ojph_expand")
	return other{"OpenJPH", func(t *testing.T, dir string, stream []byte, v *codecs.View, reduce int) ([]int32, error) {
		in, out := filepath.Join(dir, "x.j2c"), filepath.Join(dir, "x.yuv")
		if v.Components == 3 {
			out = filepath.Join(dir, "x.ppm")
		}
		if err := os.WriteFile(in, stream, 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"-i", in, "-o", out}
		if reduce > 0 {
			args = append(args, "-skip_res", fmt.Sprintf("%d,%d", reduce, reduce))
		}
		return planes(v, out, exec.Command(tool, args...))
	}}
}

// openJPEG runs opj_decompress.
func openJPEG(t *testing.T) other {
	tool := testkit.Tool(t, "opj_decompress")
	return other{"OpenJPEG", func(t *testing.T, dir string, stream []byte, v *codecs.View, reduce int) ([]int32, error) {
		in, out := filepath.Join(dir, "y.j2k"), filepath.Join(dir, "y.rawl")
		if err := os.WriteFile(in, stream, 0o600); err != nil {
			t.Fatal(err)
		}
		return planes(v, out, exec.Command(tool, "-i", in, "-o", out, "-r", fmt.Sprint(reduce)))
	}}
}

// planes runs a tool and reads what it wrote: bytes, or little endian words, as wide as v's samples need.
func planes(v *codecs.View, name string, cmd *exec.Cmd) ([]int32, error) {
	_ = os.Remove(name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	n := v.Width * v.Height * v.Components
	size := 1
	if v.Bits > 8 {
		size = 2
	}
	if head := fmt.Sprintf("P6\n%d %d\n%d\n", v.Width, v.Height, 1<<v.Bits-1); bytes.HasPrefix(raw, []byte(head)) {
		return fromPPM(raw[len(head):], v.Width*v.Height, size)
	}
	if len(raw) != n*size {
		return nil, fmt.Errorf("%d bytes of samples, want %d", len(raw), n*size)
	}
	list := make([]int32, n)
	for i := range list {
		w := uint32(raw[i*size])
		if size == 2 {
			w = uint32(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		list[i] = int32(w)
		if v.Signed { // some extend the sign, some do not
			list[i] = int32(w<<(32-v.Bits)) >> (32 - v.Bits)
		}
	}
	return list, nil
}

// fromPPM takes interleaved bytes or big endian words apart.
func fromPPM(raw []byte, pixels, size int) ([]int32, error) {
	if len(raw) != 3*pixels*size {
		return nil, fmt.Errorf("%d bytes of pixels, want %d", len(raw), 3*pixels*size)
	}
	list := make([]int32, 3*pixels)
	for i := range list {
		at := (i%pixels*3 + i/pixels) * size
		list[i] = int32(raw[at])
		if size == 2 {
			list[i] = int32(binary.BigEndian.Uint16(raw[at:]))
		}
	}
	return list, nil
}

// samplesOf lists the samples of a view in planes.
func samplesOf(v *codecs.View) []int32 {
	var list []int32
	for c := range v.Components {
		for y := range v.Height {
			for x := range v.Width {
				at := c*v.PlaneStride + y*v.RowStride + x*v.PixelStride
				w := uint32(v.Pix[at])
				if v.Container == 16 {
					w = uint32(binary.LittleEndian.Uint16(v.Pix[at:]))
				}
				up := uint(32 - v.Bits)
				if v.Signed {
					list = append(list, int32(w<<up)>>up)
				} else {
					list = append(list, int32(w<<up>>up))
				}
			}
		}
	}
	return list
}

// agree compares what another decoder makes of a codestream with a view.
func (o other) agree(t *testing.T, dir string, stream []byte, v *codecs.View, reduce int) {
	t.Helper()
	got, err := o.decode(t, dir, stream, v, reduce)
	if err != nil {
		t.Errorf("%s, %s: %v", o.name, describe(v), err)
		return
	}
	for i, want := range samplesOf(v) {
		if got[i] != want {
			n := v.Width * v.Height
			t.Errorf("%s, %s, %d levels dropped: got %d at component %d, column %d, row %d, want %d", o.name, describe(v), reduce, got[i], i/n, i%v.Width, i%n/v.Width, want)
			return
		}
	}
}

func describe(v *codecs.View) string {
	return codectest.Shape{Width: v.Width, Height: v.Height, Components: v.Components, Container: v.Container, Bits: v.Bits, Signed: v.Signed}.String()
}

// TestOthers: OpenJPH and OpenJPEG decode our codestreams, and small ones cut
// out of them, to the exact samples: of images of all kinds and sizes (with -short, or outside a long run, some of them).
func TestOthers(t *testing.T) {
	for _, o := range []func(*testing.T) other{openJPH, openJPEG} {
		o := o(t)
		t.Run(o.name, func(t *testing.T) {
			dir := t.TempDir()
			e, d := NewEncoder(Options{}), NewDecoder()
			r := rand.New(rand.NewPCG(11, 12))
			images := codectest.Images()
			every := 23
			if testing.Short() {
				every = 97
			}
			if os.Getenv("RADTIER_LONG") != "" {
				every = 1
			}
			n := 0
			for w := 1; w <= 70; w++ {
				for h := 1; h <= 70; h++ {
					if n++; n%every != 0 {
						continue
					}
					s := codectest.Shape{Width: w, Height: h, Components: 1 + 2*r.IntN(2), Container: 16, Bits: 1 + r.IntN(16), Signed: r.IntN(2) == 0}
					if s.Bits <= 8 {
						s.Container = 8
					}
					if o.name == "OpenJPH" && (s.Signed || s.Components == 3 && s.Bits < 8) {
						s.Signed, s.Bits = false, max(s.Bits, 8) // its files hold no others
					}
					v := codectest.Layouts()[0].Frame(s, images[r.IntN(len(images))].Samples(s, uint64(n))).View
					stream, _, err := e.Encode(nil, v, codecs.EncodeOptions{RGB: s.Components == 3})
					if err != nil {
						t.Fatalf("%v: %v", s, err)
					}
					if err := codecs.Verify(d, v, stream, codecs.DecodeOptions{}); err != nil {
						t.Fatal(err)
					}
					o.agree(t, dir, stream, &v, 0)
				}
			}
		})
	}
}

// TestOthersCorpus: the same for real frames.
func TestOthersCorpus(t *testing.T) {
	for _, o := range []func(*testing.T) other{openJPH, openJPEG} {
		o := o(t)
		t.Run(o.name, func(t *testing.T) {
			dir := t.TempDir()
			e := NewEncoder(Options{})
			done := 0
			for kind, views := range nativeFrames(t, 4, 0) {
				for _, v := range views {
					if o.name == "OpenJPH" && v.Signed {
						continue
					}
					stream, _, err := e.Encode(nil, v, codecs.EncodeOptions{RGB: v.Components == 3})
					if err != nil {
						t.Fatalf("%s: %v", kind, err)
					}
					o.agree(t, dir, stream, &v, 0)
					done++
				}
			}
			if done < 10 {
				t.Errorf("%d frames were tried, want 10 or more", done)
			}
		})
	}
}
