package dcm

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/radtier/radtier/internal/testkit"
)

func mustScan(t *testing.T, data []byte) *File {
	t.Helper()
	f, err := Scan(Bytes(data), int64(len(data)), Limits{})
	if err != nil {
		t.Fatalf("scan of %d bytes: %v", len(data), err)
	}
	return f
}

// Every native file of the corpus, malformed ones included where they scan,
// is rewritten to Explicit VR Little Endian, and once more from there.
func TestRewriteCorpusToExplicit(t *testing.T) {
	outcomes := map[string]int{}
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		path := row["path"]
		f, err := Scan(Bytes(data), int64(len(data)), Limits{})
		if err != nil {
			return
		}
		target := Target{Syntax: explicitLE}
		if f.Pixel != nil && f.Pixel.Encapsulated {
			target = Target{Syntax: f.Syntax, Encapsulated: true}
			if target.Syntax == "" {
				return
			}
		}
		var out bytes.Buffer
		err = Rewrite(&out, Bytes(data), f, target)
		outcomes[outcome(err)]++
		if err != nil {
			if outcome(err) == "other" || !isMalformed(path) && !f.IsDICOMDIR() {
				t.Logf("%s: %v", path, err)
			}
			return
		}
		g, err := Scan(Bytes(out.Bytes()), int64(out.Len()), Limits{})
		if err != nil {
			t.Errorf("%s: rewritten file does not scan: %v", path, err)
			return
		}
		if g.Trailing != 0 || g.Unterminated {
			t.Errorf("%s: rewritten with %d bytes of junk, unterminated %v", path, g.Trailing, g.Unterminated)
		}
		if g.Encoding != (Encoding{Explicit: true}) || g.Syntax != target.Syntax {
			t.Errorf("%s: rewritten as %+v, syntax %s", path, g.Encoding, g.Syntax)
		}
		if err := CompareDatasets(Bytes(data), f, Bytes(out.Bytes()), g); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if f.Pixel == nil {
			return
		}
		if f.Pixel.Encapsulated {
			src := data
			if f.inflated != nil {
				src = f.inflated
			}
			if !bytes.Equal(src[f.Pixel.ValueOffset:f.Pixel.End], out.Bytes()[g.Pixel.ValueOffset:g.Pixel.End]) && !f.Unterminated {
				t.Errorf("%s: fragments changed", path)
			}
		} else if want := row["pixel_sha256"]; want != "" {
			if got := sha(nativeSamples(t, g, out.Bytes())); got != want {
				t.Errorf("%s: samples after rewriting: got %s, want %s", path, got[:12], want[:12])
			}
		}
		var again bytes.Buffer
		if err := Rewrite(&again, Bytes(out.Bytes()), g, target); err != nil {
			t.Errorf("%s: second rewrite: %v", path, err)
		} else if !bytes.Equal(again.Bytes(), out.Bytes()) {
			t.Errorf("%s: rewriting the rewritten file changes it", path)
		}
	})
	t.Logf("outcomes: %v", outcomes)
	if outcomes["ok"] < 850 {
		t.Errorf("rewritten %d files, want more than 850: %v", outcomes["ok"], outcomes)
	}
}

func rewrite(t *testing.T, data []byte, target Target) ([]byte, *File) {
	t.Helper()
	var out bytes.Buffer
	f := mustScan(t, data)
	if err := Rewrite(&out, Bytes(data), f, target); err != nil {
		t.Fatal(err)
	}
	g := mustScan(t, out.Bytes())
	if err := CompareDatasets(Bytes(data), f, Bytes(out.Bytes()), g); err != nil {
		t.Error(err)
	}
	return out.Bytes(), g
}

func TestRewriteEncapsulates(t *testing.T) {
	frames := [][]byte{{1, 2, 3}, {4, 5, 6, 7}, {8}}
	give := func(i int, w io.Writer) error { _, err := w.Write(frames[i]); return err }
	for _, syntax := range []string{explicitLE, implicitLE, explicitBE, deflatedLE} {
		data := build(t, image(3), syntax)
		for _, known := range []bool{true, false} {
			target := Target{Syntax: "1.2.840.10008.1.2.4.80", Encapsulated: true, Frame: give, Photometric: "MONOCHROME1"}
			var table []uint32
			if known {
				target.FrameLengths = []int64{3, 4, 1}
				table = []uint32{0, 12, 24}
			}
			f := mustScan(t, data)
			var b bytes.Buffer
			if err := Rewrite(&b, Bytes(data), f, target); err != nil {
				t.Fatal(err)
			}
			out := b.Bytes()
			g := mustScan(t, out)
			var diff *DifferenceError
			if err := CompareDatasets(Bytes(data), f, Bytes(out), g); !errors.As(err, &diff) || diff.Path != "(0028,0004)" {
				t.Errorf("%s: compare: got %v, want a difference at (0028,0004) only", syntax, err)
			}
			if !slices.Equal(g.Pixel.BasicOffsets, table) || g.Mislabelled || g.Image.Photometric != "MONOCHROME1" || g.Pixel.VR != vrOB {
				t.Errorf("%s: table %v, want %v; %+v", syntax, g.Pixel.BasicOffsets, table, g.Pixel)
			}
			for i, r := range g.Pixel.Frames {
				fr := g.Pixel.Fragments[r[0]]
				got := out[fr.ValueOffset : fr.ValueOffset+fr.Length]
				want := append([]byte(nil), frames[i]...)
				if len(want)%2 == 1 {
					want = append(want, 0)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s: frame %d: got %v, want %v", syntax, i, got, want)
				}
			}
			// And back to native.
			native := samples(3)
			back, h := rewrite(t, out, Target{Syntax: explicitLE, Frame: func(i int, w io.Writer) error { _, err := w.Write(native[i*12 : i*12+12]); return err }})
			if got := back[h.Pixel.ValueOffset:h.Pixel.End]; !bytes.Equal(got, native) || h.Pixel.VR != vrOW {
				t.Errorf("%s: back to native: got %v as %s, want %v", syntax, got, h.Pixel.VR, native)
			}
		}
	}
}

func TestRewriteHoldsFramesToTheirLengths(t *testing.T) {
	data := build(t, image(1), explicitLE)
	f := mustScan(t, data)
	three := func(_ int, w io.Writer) error { _, err := w.Write([]byte{1, 2, 3}); return err }
	for _, target := range []Target{
		{Syntax: "1.2.840.10008.1.2.4.80", Encapsulated: true, FrameLengths: []int64{2}, Frame: three},
		{Syntax: "1.2.840.10008.1.2.4.80", Encapsulated: true, FrameLengths: []int64{4}, Frame: three},
		{Syntax: explicitLE, Length: 2, Frame: three},
		{Syntax: explicitLE, Length: 4, Frame: three},
		{Syntax: "1.2.840.10008.1.2.4.80", Encapsulated: true, FrameLengths: []int64{3, 3}, Frame: three},
		{Syntax: "1.2.840.10008.1.2.4.80", Encapsulated: true},
		{Syntax: implicitLE},
		{Syntax: explicitBE},
		{Syntax: ""},
	} {
		if err := Rewrite(io.Discard, Bytes(data), f, target); err == nil {
			t.Errorf("%+v: no error", target)
		}
	}
	billion := build(t, image(1).Ints(0x00280008, 1_000_000_000), explicitLE)
	if err := Rewrite(io.Discard, Bytes(billion), mustScan(t, billion), Target{Syntax: explicitLE, Frame: three}); outcome(err) != "unsupported" {
		t.Errorf("a billion frames: got %v, want an UnsupportedError", err)
	}
	// Odd native samples get a pad byte.
	out, g := rewrite(t, data, Target{Syntax: explicitLE, Length: 3, Frame: three})
	if got := out[g.Pixel.ValueOffset:g.Pixel.End]; !bytes.Equal(got, []byte{1, 2, 3, 0}) {
		t.Errorf("odd samples: got %v, want a pad byte", got)
	}
}

// head keeps the first bytes that are written to it.
type head struct{ kept []byte }

func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), 4096-min(4096, len(h.kept)))]...)
	return len(p), nil
}

// Offsets over 32 bits need the Extended Offset Table.
func TestRewriteLongFrames(t *testing.T) {
	const length = 2_200_000_001
	chunk := make([]byte, 50<<20)
	data := build(t, image(3), explicitLE)
	h := &head{}
	err := Rewrite(h, Bytes(data), mustScan(t, data), Target{
		Syntax: "1.2.840.10008.1.2.4.80", Encapsulated: true, FrameLengths: []int64{length, length, length},
		Frame: func(_ int, w io.Writer) error {
			for left := length; left > 0; left -= min(left, len(chunk)) {
				if _, err := w.Write(chunk[:min(left, len(chunk))]); err != nil {
					return err
				}
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(h.kept, []byte{0xE0, 0x7F, 1, 0, 'O', 'V'})
	if at < 0 {
		t.Fatal("no extended offset table")
	}
	order := Encoding{}.order()
	for i, want := range []uint64{0, length + 9, 2 * (length + 9)} {
		if got := order.Uint64(h.kept[at+12+8*i:]); got != want {
			t.Errorf("offset %d: got %d, want %d", i, got, want)
		}
		if got := order.Uint64(h.kept[at+36+12+8*i:]); got != length {
			t.Errorf("length %d: got %d, want %d", i, got, length)
		}
	}
	if i := bytes.Index(h.kept, []byte{0xE0, 0x7F, 0x10, 0, 'O', 'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0}); i != at+72 {
		t.Errorf("pixel data with an empty basic offset table: got at %d, want at %d", i, at+72)
	}
}

func TestRewriteMovesOverlays(t *testing.T) {
	words := []byte{0x01, 0x10, 0xFF, 0x0F, 0x00, 0x90, 0x00, 0x00, 0x34, 0x12, 0x00, 0x80} // bit 12 of samples 0, 2, 4; bit 15 of 2 and 5
	b := image(1).Native(words)
	for _, o := range []struct {
		group uint32
		bit   int
	}{{0x60000000, 12}, {0x60020000, 15}} {
		b.Ints(o.group|0x10, 2).Ints(o.group|0x11, 3).Text(o.group|0x40, "G").Raw(o.group|0x50, "SS", []byte{1, 0, 1, 0}).Ints(o.group|0x100, 16).Ints(o.group|0x102, o.bit)
	}
	give := func(_ int, w io.Writer) error { _, err := w.Write([]byte{0xFF, 0xD8}); return err }
	target := Target{Syntax: "1.2.840.10008.1.2.4.80", Encapsulated: true, Frame: give}
	for _, syntax := range []string{explicitLE, implicitLE, explicitBE} {
		out, g := rewrite(t, build(t, b, syntax), target)
		d, err := ReadDataset(Bytes(out), g, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for group, want := range map[uint32]byte{0x60000000: 1<<0 | 1<<2 | 1<<4, 0x60020000: 1<<2 | 1<<5} {
			if got := d.Bytes(group | 0x3000); !bytes.Equal(got, []byte{want, 0}) || d.Ints(group | 0x100)[0] != 1 || d.Ints(group | 0x102)[0] != 0 {
				t.Errorf("%s: overlay %04X: got %08b, want %08b", syntax, group>>16, got, want)
			}
		}
		if tags := d.Tags(); !slices.IsSorted(tags) {
			t.Errorf("%s: tags out of order: %08X", syntax, tags)
		}
	}
	for name, bad := range map[string]*Builder{
		"bit of the image": image(1).Ints(0x60000010, 2).Ints(0x60000011, 3).Ints(0x60000102, 3),
		"another size":     image(1).Ints(0x60000010, 2).Ints(0x60000011, 2).Ints(0x60000102, 12),
	} {
		data := build(t, bad, explicitLE)
		if err := Rewrite(io.Discard, Bytes(data), mustScan(t, data), target); outcome(err) != "unsupported" {
			t.Errorf("%s: got %v, want an UnsupportedError", name, err)
		}
	}
}

func TestRewriteDeflates(t *testing.T) {
	for _, syntax := range []string{explicitLE, implicitLE, explicitBE, deflatedLE} {
		out, g := rewrite(t, build(t, image(2), syntax), Target{Syntax: deflatedLE})
		if got := g.Inflated()[g.Pixel.ValueOffset:g.Pixel.End]; !bytes.Equal(got, samples(2)) || !g.Encoding.Deflated {
			t.Errorf("%s: got samples %v, %+v; want %v", syntax, got, g.Encoding, samples(2))
		}
		back, h := rewrite(t, out, Target{Syntax: explicitLE})
		if got := back[h.Pixel.ValueOffset:h.Pixel.End]; !bytes.Equal(got, samples(2)) {
			t.Errorf("%s: back: got samples %v, want %v", syntax, got, samples(2))
		}
	}
}

func TestRewriteColour(t *testing.T) {
	for _, planar := range []int{1, -1} {
		b := image(1).Ints(0x00280002, 3).Text(0x00280004, "RGB").Ints(0x00280100, 8).Ints(0x00280101, 8).Ints(0x00280102, 7).Native(make([]byte, 18))
		if planar >= 0 {
			b.Ints(0x00280006, planar)
		}
		give := func(_ int, w io.Writer) error { _, err := w.Write([]byte{0xFF, 0x4F}); return err }
		_, g := rewrite(t, build(t, b, explicitLE), Target{Syntax: "1.2.840.10008.1.2.4.202", Encapsulated: true, Photometric: "YBR_RCT", Planar0: true, Frame: give})
		if g.Image.Photometric != "YBR_RCT" || g.Image.Planar != 0 || g.Find(0x00280006) == nil {
			t.Errorf("planar %d: got %+v", planar, *g.Image)
		}
		if !slices.IsSortedFunc(g.Elements, func(a, b Element) int { return int(int64(a.Tag) - int64(b.Tag)) }) {
			t.Errorf("planar %d: elements out of order", planar)
		}
	}
}

// GE's private syntax has an implicit little endian data set with big endian words.
func TestGEPrivateSyntax(t *testing.T) {
	want := samples(1)
	words := bytes.Clone(want)
	swap(words, 2)
	data := build(t, image(1).Native(words), implicitLE)
	data = bytes.Replace(data, []byte{'U', 'I', 18, 0, '1', '.', '2', '.', '8', '4', '0', '.', '1', '0', '0', '0', '8', '.', '1', '.', '2', 0}, []byte("UI\x12\x001.2.840.113619.5.2"), 1)
	f := mustScan(t, data)
	if f.Syntax != gePrivate || f.Encoding != (Encoding{}) || f.Mislabelled || !f.PixelBigEndian() {
		t.Fatalf("got syntax %s, %+v, mislabelled %v", f.Syntax, f.Encoding, f.Mislabelled)
	}
	out, g := rewrite(t, data, Target{Syntax: explicitLE})
	if got := out[g.Pixel.ValueOffset:g.Pixel.End]; !bytes.Equal(got, want) {
		t.Errorf("samples: got %x, want %x", got, want)
	}
}

func TestRewriteValueRepresentations(t *testing.T) {
	long := bytes.Repeat([]byte{1, 2}, 40000)
	b := image(1).
		Raw(0x00281201, "OW", long).
		Raw(0x00291010, "LO", []byte("private")).
		Items(0x54000100, NewBuilder().Ints(0x54001004, 8).Raw(0x54001010, "OB", []byte{1, 2, 3, 4})).
		Raw(0x7FE10010, "OW", bytes.Repeat([]byte{3, 4}, 70000))
	out, g := rewrite(t, build(t, b, implicitLE), Target{Syntax: explicitLE})
	vr := func(tag uint32) string {
		if e := g.Find(tag); e != nil {
			return e.VR.String()
		}
		return "absent"
	}
	for tag, want := range map[uint32]string{
		0x00090010: "LO", 0x00091001: "UN", 0x00291010: "UN", 0x00280120: "SS", 0x00281201: "OW", 0x00280009: "AT", 0x00189073: "FD", 0x7FE10010: "UN", 0x7FE00010: "OW",
	} {
		if got := vr(tag); got != want {
			t.Errorf("%s: got %s, want %s", TagString(tag), got, want)
		}
	}
	d, err := ReadDataset(Bytes(out), g, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Items(0x54000100)[0].find(0x54001010).VR; got != vrOB {
		t.Errorf("8-bit waveform data: got %s, want OB", got)
	}
	if got := d.Items(0x00283010)[0].find(0x00283002).VR; got != vrSS {
		t.Errorf("descriptor of a VOI LUT over signed values: got %s, want SS", got)
	}
}

func TestCompareFindsDifferences(t *testing.T) {
	base := build(t, image(1), explicitLE)
	for _, c := range []struct {
		name string
		b    *Builder
		path string
	}{
		{"equal", image(1), ""},
		{"text", image(1).Text(0x00081030, "texT"), "(0008,1030)"},
		{"padding of text", image(1).Text(0x00081030, "text  "), ""},
		{"number", image(1).Ints(0x00280011, 4), "(0028,0011)"},
		{"missing", image(1).Delete(0x00080060), "(0008,0060)"},
		{"added", image(1).Text(0x00080070, "x"), "(0008,0070)"},
		{"private bytes", image(1).Raw(0x00091002, "UN", []byte{1, 2, 4}), "(0009,1002)"},
		{"private bytes, longer", image(1).Raw(0x00091002, "UN", []byte{1, 2, 3, 0, 0}), "(0009,1002)"},
		{"an item less", image(1).Items(0x00081032, NewBuilder().Text(0x00080100, "A")), "(0008,1032)"},
		{"deep value", image(1).UndefinedItems(0x00081140, NewBuilder().Text(0x00081155, "1.2.3").UndefinedItems(0x0040A170, NewBuilder().Text(0x00080100, "deeq").Text(0x00080104, "meaning of deep"))), "(0008,1140)[0].(0040,A170)[0].(0008,0100)"},
		{"length form", image(1).Items(0x00081140, NewBuilder().Text(0x00081155, "1.2.3").Items(0x0040A170, NewBuilder().Text(0x00080100, "deep").Text(0x00080104, "meaning of deep"))), ""},
		{"VR", image(1).Raw(0x00081030, "SH", []byte("text")), "(0008,1030)"},
		{"photometric", image(1).Text(0x00280004, "MONOCHROME1"), "(0028,0004)"},
	} {
		for _, syntax := range []string{explicitLE, implicitLE, explicitBE} {
			if c.name == "VR" && syntax == implicitLE {
				continue
			}
			data := build(t, c.b, syntax)
			err := CompareDatasets(Bytes(base), mustScan(t, base), Bytes(data), mustScan(t, data))
			var diff *DifferenceError
			switch {
			case c.path == "" && err != nil:
				t.Errorf("%s, %s: got %v, want no difference", c.name, syntax, err)
			case c.path != "" && (!errors.As(err, &diff) || diff.Path != c.path):
				t.Errorf("%s, %s: got %v, want a difference at %s", c.name, syntax, err, c.path)
			}
		}
	}
}
