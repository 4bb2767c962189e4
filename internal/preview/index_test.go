package preview

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/radtier/radtier/internal/pack"
)

// sampleIndex has something in every field; frames are stored with w.
func sampleIndex(t testing.TB, w *Writer) *Index {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	x := &Index{StudyUID: "1.2.3", Writer: "test",
		Volumes: []Volume{{"t/a/p/1.zip", pack.Digest{1}}, {"t/a/p/2.zip", pack.Digest{2}}},
		Images:  []Image{{512, 512, 1, 12, false, "MONOCHROME2"}, {480, 640, 3, 8, true, "RGB"}},
		Displays: []Display{{Slope: 1}, {Rescaled: true, Slope: 0.5, Intercept: -1024, RescaleType: "HU", Windows: []Window{{40, 400, ""}, {-600, 1500, "SIGMOID"}},
			Inverse: true, Padded: true, Padding: [2]int{-2000, -1999}, Tables: []int{0, 1}}},
		Planes: []Plane{{FrameOfReference: "1.2.9", Oriented: true, Orientation: [6]float64{1, 0, 0, 0, 1, 0}, Spacing: [2]float64{0.7, 0.8}, SpacingOf: 0x00280030, Thickness: 1.25}, {}},
		Tables: []Table{{PaletteRed, true, false, [3]int{256, -5, 16}, []uint16{1, 2, 65535}}, {VOILUT, false, true, [3]int{0, 0, 8}, []uint16{9}}},
	}
	for s, uid := range []string{"1.2.3.1", "1.2.3.2", "not a UID \x00"} {
		one := Series{UID: uid, Modality: "CT", Number: s - 1, Side: 128, FullBytes: int64(1000 * s)}
		for i := range 3 {
			in := Instance{SOPUID: uid + string(rune('0'+i)), ClassUID: "1.2", Number: 5 - i, Volume: i % 2, Index: i * 7, Image: i % 2, PHIRisk: i == 1}
			for n := range 4 {
				if i == 2 && n == 0 {
					in.Frames = append(in.Frames, Frame{Plane: -1, Reason: "no codec here decodes it"})
					continue
				}
				f := Frame{Method: Reduced, Factor: 1, Width: 64 + n, Height: 64, Display: n % 2, Plane: n%3 - 1, Placed: n == 2, Position: [3]float64{0, 0, 0},
					Full: pack.Range{int64(1000*i + 100*n), 90}, LevelEnds: []int64{20, 50, 88}}
				if f.Placed {
					f.Position = [3]float64{1.5, -2, 1e-3 * float64(i)}
				}
				switch n {
				case 1:
					f.Header, f.Parts = []byte{0xFF, 0x4F, byte(i), byte(s)}, 3
				case 2:
					f.Header, f.Parts = []byte{0xFF, 0x4F, byte(i), 7, 9}, 3
				case 3:
					f.Method, f.Factor, f.LevelEnds, f.Full, f.Scaled, f.Scale, f.Base = Picked, 5, nil, pack.Range{}, true, 0.25, -3
				}
				small := make([]byte, 1+r.IntN(3000))
				for k := range small {
					small[k] = byte(r.Uint32())
				}
				if err := w.Add(&f, small); err != nil {
					t.Fatal(err)
				}
				in.Frames = append(in.Frames, f)
			}
			one.Instances = append(one.Instances, in)
		}
		x.Series = append(x.Series, one)
		if err := w.EndSeries(); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

func TestIndexRoundTrip(t *testing.T) {
	x := sampleIndex(t, NewWriter(new(bytes.Buffer)))
	raw, err := EncodeIndex(x)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeIndex(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, x) {
		t.Fatalf("got  %+v\nwant %+v", got, x)
	}
	if again, err := EncodeIndex(got); err != nil || !bytes.Equal(again, raw) {
		t.Fatalf("encoded again: %d bytes, %v; want the same %d", len(again), err, len(raw))
	}
	empty := &Index{StudyUID: "1"}
	if raw, err = EncodeIndex(empty); err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeIndex(raw); err != nil || !reflect.DeepEqual(got, empty) {
		t.Fatalf("empty index: got %+v, %v", got, err)
	}
}

// TestIndexDamage: each flipped bit and each cut is noticed; a body with a right digest and wrong contents never panics.
func TestIndexDamage(t *testing.T) {
	raw, err := EncodeIndex(sampleIndex(t, NewWriter(new(bytes.Buffer))))
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1 << (i % 8)
		if _, err := DecodeIndex(bad); err == nil {
			t.Fatalf("bit %d of byte %d flipped: got no error", i%8, i)
		}
		if _, err := DecodeIndex(raw[:i]); err == nil {
			t.Fatalf("cut to %d bytes: got no error", i)
		}
	}
}

func FuzzIndexBody(f *testing.F) {
	c := &columns{}
	sampleIndex(f, NewWriter(new(bytes.Buffer))).walk(c)
	f.Add(c.b)
	f.Fuzz(func(t *testing.T, body []byte) {
		x, c := &Index{}, &columns{b: body, reading: true, all: len(body)}
		x.walk(c)
		if c.err != nil || x.check() != nil {
			return
		}
		w := &columns{}
		if x.walk(w); w.err != nil {
			t.Fatalf("what was read cannot be written: %v", w.err)
		}
		y, again := &Index{}, &columns{b: w.b, reading: true, all: len(w.b)}
		if y.walk(again); again.err != nil || !reflect.DeepEqual(x, y) {
			t.Fatalf("written and read again: %v\n%+v\n%+v", again.err, x, y)
		}
	})
}

// TestBrokenBodies changes bytes of the body at random.
func TestBrokenBodies(t *testing.T) {
	c := &columns{}
	sampleIndex(t, NewWriter(new(bytes.Buffer))).walk(c)
	r := rand.New(rand.NewPCG(9, 9))
	for range 20000 {
		body := bytes.Clone(c.b)
		for range 1 + r.IntN(3) {
			body[r.IntN(len(body))] = byte(r.Uint32())
		}
		body = body[:len(body)-r.IntN(2)*r.IntN(len(body))]
		x, in := &Index{}, &columns{b: body, reading: true, all: len(body)}
		x.walk(in)
		if in.err == nil {
			_ = x.check()
		}
	}
}

func TestPack(t *testing.T) {
	var buf bytes.Buffer
	w := NewWriter(&buf)
	x := sampleIndex(t, w)
	sum, at, err := w.Close(x)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Size != int64(buf.Len()) {
		t.Fatalf("summary says %d bytes, %d were written", sum.Size, buf.Len())
	}
	ctx := context.Background()
	count := &counting{Ranger: pack.Bytes(buf.Bytes())}
	for name, open := range map[string]func() (*Pack, error){
		"by the manifest": func() (*Pack, error) { return Open(ctx, count, at) },
		"by its size":     func() (*Pack, error) { return Find(ctx, count, sum.Size) },
	} {
		count.n = 0
		p, err := open()
		if err != nil || !reflect.DeepEqual(p.Index, x) {
			t.Fatalf("%s: got %+v, %v", name, p, err)
		}
		if count.n != 1 {
			t.Errorf("%s: %d requests, want 1", name, count.n)
		}
		for i := range x.Series {
			count.n = 0
			seen := 0
			if err := p.Each(ctx, &p.Index.Series[i], func(in *Instance, n int, data []byte, err error) error {
				if err != nil || int64(len(data)) != in.Frames[n].Size {
					t.Errorf("%s, frame %d: %d bytes, %v", in.SOPUID, n, len(data), err)
				}
				seen++
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if seen != 11 || count.n != 1 {
				t.Errorf("series %d: %d frames by %d requests, want 11 by 1", i, seen, count.n)
			}
		}
		if _, err := p.Frame(ctx, &p.Index.Series[0].Instances[2], 0); err == nil {
			t.Error("a frame without preview: got no error")
		}
	}
	// One flipped bit costs one frame.
	p, err := Open(ctx, pack.Bytes(buf.Bytes()), at)
	if err != nil {
		t.Fatal(err)
	}
	hit := &p.Index.Series[1].Instances[1].Frames[2]
	buf.Bytes()[hit.Offset+hit.Size/2] ^= 4
	lost := 0
	for i := range x.Series {
		if err := p.Each(ctx, &p.Index.Series[i], func(in *Instance, n int, data []byte, err error) error {
			if err == nil {
				return nil
			}
			var damage *pack.DamagedError
			if lost++; !errors.As(err, &damage) || &in.Frames[n] != hit || data != nil {
				t.Errorf("%s, frame %d: got %v", in.SOPUID, n, err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if lost != 1 {
		t.Errorf("%d frames lost by one bit, want 1", lost)
	}
}

type counting struct {
	pack.Ranger
	n int
}

func (c *counting) ReadRange(ctx context.Context, off, n int64) ([]byte, error) {
	c.n++
	return c.Ranger.ReadRange(ctx, off, n)
}
