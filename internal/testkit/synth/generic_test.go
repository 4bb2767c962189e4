package synth_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/testkit"
	"github.com/radtier/radtier/internal/testkit/synth"
)

// layouts are pixel layouts that Generic is asked for, and whether they are legal as Secondary Capture.
var layouts = []struct {
	name   string
	g      synth.GenericOptions
	strict bool
}{
	{"16 bits", synth.GenericOptions{}, true},
	{"12 bits signed", synth.GenericOptions{Layout: synth.Layout{Stored: 12, Signed: true}}, false},
	{"8 bits, odd size", synth.GenericOptions{Layout: synth.Layout{Rows: 3, Columns: 5, Allocated: 8}}, true},
	{"RGB planar", synth.GenericOptions{Layout: synth.Layout{Samples: 3, Allocated: 8, Planar: 1}}, true},
	{"YBR_FULL", synth.GenericOptions{Layout: synth.Layout{Samples: 3, Allocated: 8, Photometric: "YBR_FULL"}}, true},
	{"palette", synth.GenericOptions{Layout: synth.Layout{Allocated: 8, Photometric: "PALETTE COLOR"}}, true},
	{"MONOCHROME1", synth.GenericOptions{Layout: synth.Layout{Photometric: "MONOCHROME1", Stored: 10}}, true},
	{"8-bit frames", synth.GenericOptions{Frames: 4, Layout: synth.Layout{Allocated: 8}}, true},
	{"16-bit frames", synth.GenericOptions{Frames: 4, Layout: synth.Layout{Stored: 12}}, true},
	{"RGB frames", synth.GenericOptions{Frames: 4, Layout: synth.Layout{Samples: 3, Allocated: 8}}, true},
	{"1-bit frames", synth.GenericOptions{Frames: 5, Layout: synth.Layout{Rows: 5, Columns: 5, Allocated: 1}}, false},
	{"32 bits", synth.GenericOptions{Layout: synth.Layout{Allocated: 32}}, false},
	{"junk bits", synth.GenericOptions{JunkBits: true, Layout: synth.Layout{Stored: 12}}, false},
	{"surplus tail", synth.GenericOptions{Surplus: 11}, false},
	{"no pad byte", synth.GenericOptions{Unpadded: true, Layout: synth.Layout{Rows: 3, Columns: 3, Allocated: 8}}, false},
	{"trailer", synth.GenericOptions{Trailer: []byte("not DICOM")}, false},
	{"noise", synth.GenericOptions{Content: synth.Noise}, true},
	{"constant", synth.GenericOptions{Content: synth.Constant, Frames: 3}, true},
}

// TestGenericReadsBack scans every layout in every native syntax and compares its samples with what Frame gives.
func TestGenericReadsBack(t *testing.T) {
	for _, x := range layouts {
		for _, syntax := range []string{synth.ImplicitLE, synth.ExplicitLE, synth.ExplicitBE, synth.Deflated} {
			if syntax == synth.Deflated && (x.g.Surplus > 0 || x.g.Unpadded || x.g.Trailer != nil || x.g.Layout.Allocated == 32) {
				continue // made from whole samples only
			}
			g := x.g
			g.Syntax, g.Name, g.Instances = syntax, x.name, 2
			s := synth.Generic(g)
			in := &s.Instances[1]
			data, err := in.Bytes()
			if err != nil {
				t.Errorf("%s in %s: %v", x.name, syntax, err)
				continue
			}
			f, err := dcm.Scan(dcm.Bytes(data), int64(len(data)), dcm.Limits{})
			if err != nil {
				t.Errorf("%s in %s: %v", x.name, syntax, err)
				continue
			}
			if f.SOPUID != in.SOPUID || f.Syntax != syntax || f.Image.Frames != in.Frames || f.Mislabelled || (f.Trailing != 0) != (x.g.Trailer != nil) {
				t.Errorf("%s in %s: read back as %s in %s, %d frames, mislabelled %v, %d bytes trailing", x.name, syntax, f.SOPUID, f.Syntax, f.Image.Frames, f.Mislabelled, f.Trailing)
			}
			if in.Layout.Allocated == 1 {
				continue
			}
			src := data
			if f.Inflated() != nil {
				src = f.Inflated()
			}
			px := src[f.Pixel.ValueOffset:][:f.Pixel.Length]
			for i := range in.Frames {
				want := in.Frame(i)
				got := bytes.Clone(px[i*len(want) : (i+1)*len(want)])
				if syntax == synth.ExplicitBE {
					unit := in.Layout.Allocated / 8
					for k := 0; k+unit <= len(got); k += unit {
						for a, b := k, k+unit-1; a < b; a, b = a+1, b-1 {
							got[a], got[b] = got[b], got[a]
						}
					}
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s in %s: frame %d differs", x.name, syntax, i)
				}
			}
			if want := x.g.Unpadded; (len(px)%2 == 1) != want {
				t.Errorf("%s in %s: pixel data of %d bytes, odd wanted: %v", x.name, syntax, len(px), want)
			}
		}
	}
}

// TestJunkBits checks that junk is above the stored bits and nowhere else.
func TestJunkBits(t *testing.T) {
	above := func(junk bool) (n int) {
		s := synth.Generic(synth.GenericOptions{Name: "j", JunkBits: junk, Layout: synth.Layout{Stored: 12}})
		p := s.Instances[0].Frame(0)
		for k := 0; k < len(p); k += 2 {
			if binary.LittleEndian.Uint16(p[k:])>>12 != 0 {
				n++
			}
		}
		return n
	}
	if n := above(true); n < 64*64/2 {
		t.Errorf("with junk: %d of 4096 words have bits above 11", n)
	}
	if n := above(false); n != 0 {
		t.Errorf("without junk: %d words have bits above 11", n)
	}
}

func TestGenericValid(t *testing.T) {
	tool := testkit.Tool(t, "dciodvfy")
	dir := t.TempDir()
	for i, x := range layouts {
		if !x.strict {
			continue
		}
		g := x.g
		g.Name, g.Marker = x.name, "MARKER42"
		s := synth.Generic(g)
		sub := filepath.Join(dir, fmt.Sprint(i))
		if _, _, err := s.WriteTo(sub); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(tool, filepath.Join(sub, s.Instances[0].FileName())).CombinedOutput()
		if err != nil || strings.Contains(string(out), "Error") {
			t.Errorf("%s: %v\n%s", x.name, err, out)
		}
	}
}

func TestEncapsulated(t *testing.T) {
	for _, table := range []bool{false, true} {
		s := synth.Generic(synth.GenericOptions{Frames: 3, Syntax: "1.2.840.10008.1.2.5", OffsetTable: table,
			Encode: func(v codecs.View) ([]byte, error) { return append([]byte{1}, v.Pix[:100]...), nil }})
		data, err := s.Instances[0].Bytes()
		if err != nil {
			t.Fatal(err)
		}
		f, err := dcm.Scan(dcm.Bytes(data), int64(len(data)), dcm.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Pixel.Frames) != 3 || (len(f.Pixel.BasicOffsets) == 3) != table || f.Pixel.FrameProblem != "" || f.Unterminated {
			t.Errorf("offset table %v: got %d frames, table %v, problem %q", table, len(f.Pixel.Frames), f.Pixel.BasicOffsets, f.Pixel.FrameProblem)
		}
		fr := f.Pixel.Fragments[2]
		if got := data[fr.ValueOffset:][:fr.Length]; !bytes.Equal(got[1:101], s.Instances[0].Frame(2)[:100]) {
			t.Errorf("offset table %v: fragment of frame 3 is not its codestream", table)
		}
	}
}

// TestSameSeedSameBytes writes twice and compares; another seed must differ in UIDs and samples.
func TestSameSeedSameBytes(t *testing.T) {
	studies := func(seed uint64) []synth.Study {
		return append(synth.Demo(synth.Options{Seed: seed, Scale: 0.05}), synth.ManyInstances(synth.Options{Seed: seed}, 3))
	}
	a, b, c := studies(1), studies(1), studies(2)
	uids := map[string]bool{}
	for i := range a {
		for k := range a[i].Instances {
			// Written in another order the second time: nothing may depend on it.
			k2 := len(a[i].Instances) - 1 - k
			_ = b[i].Instances[k2].Frame(0)
			x, errX := a[i].Instances[k].Bytes()
			y, errY := b[i].Instances[k].Bytes()
			if errX != nil || errY != nil || !bytes.Equal(x, y) {
				t.Fatalf("%s, instance %d: not the same bytes twice (%v, %v)", a[i].Name, k, errX, errY)
			}
			for _, s := range []synth.Study{a[i], c[i]} {
				uid := s.Instances[k].SOPUID
				if uids[uid] || !strings.HasPrefix(uid, "2.25.") || len(uid) > 44 || strings.HasPrefix(uid, "2.25.0") {
					t.Errorf("%s, instance %d: UID %s is not new, or no UUID", s.Name, k, uid)
				}
				uids[uid] = true
			}
			if bytes.Equal(a[i].Instances[k].Frame(0), c[i].Instances[k].Frame(0)) {
				t.Errorf("%s, instance %d: the same samples for another seed", a[i].Name, k)
			}
		}
	}
}

// TestHugeStreams writes 1 GiB of pixel data in bounded memory.
func TestHugeStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 1 GiB to nowhere")
	}
	s := synth.HugeMultiframe(synth.Options{}, 1<<30)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := s.Instances[0].WriteTo(io.Discard)
	runtime.ReadMemStats(&after)
	if err != nil || n < 1<<30 || n > 1<<30+8192 {
		t.Errorf("got %d bytes, %v, want a little more than %d", n, err, 1<<30)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
		t.Errorf("allocated %d bytes for %d written, want at most 8 MiB", got, n)
	}
}

// BenchmarkManyInstances writes a study of 10,000 instances to a directory.
func BenchmarkManyInstances(b *testing.B) {
	for b.Loop() {
		s := synth.ManyInstances(synth.Options{}, 10_000)
		n, size, err := s.WriteTo(b.TempDir())
		if n != 10_000 || err != nil {
			b.Fatalf("wrote %d files: %v", n, err)
		}
		b.SetBytes(size)
	}
}
