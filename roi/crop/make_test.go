package crop

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
)

// TestPosition: Image Position (Patient) moves by whole pixels of the right spacing along the right direction, exactly.
func TestPosition(t *testing.T) {
	for _, row := range []struct {
		name                          string
		position, orientation, spacng string
		x, y                          int
		want                          string
	}{
		// 10 columns of 0.5 mm along (0.8, 0.6, 0) and 7 rows of 0.7 mm along (0, 0, -1).
		{"oblique, not square", `-100.5\50.25\-7`, `0.8\0.6\0\0\0\-1`, `0.7\0.5`, 10, 7, `-96.5\53.25\-11.9`},
		{"no binary noise", `0.1\0.2\0.3`, `1\0\0\0\1\0`, `0.1\0.2`, 1, 1, `0.3\0.3\0.3`},
		{"not moved: as written", `-100.500\50.25\-7`, `1\0\0\0\1\0`, `0.7\0.5`, 0, 0, `-100.500\50.25\-7`},
		{"exponents", `1e2\-5E-1\+3.`, `1\0\0\0\1\0`, `.5\5e-1`, 2, 4, `101\1.5\3`},
		{"longer than 16 characters", `0\0\0`, `0.99999999\0.0001\0\-0.0001\0.99999999\0`, `0.333333333\0.333333333`, 10, 7, `3.33309996333357\2.33366664099967\0`},
		{"to nothing", `-1\1\0`, `1\0\0\0\1\0`, `1\1`, 1, 7, `0\8\0`},
	} {
		s := build(t, slice().Text(tagPosition, row.position).Text(tagOrientation, row.orientation).Text(tagSpacing, row.spacng), explicitLE)
		d := crop(t, s, s.spec(Rect{row.x, row.y, 5, 5}))
		if got := d.String(tagPosition); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

func TestAttributes(t *testing.T) {
	old := strings.Repeat("x", 1020)
	for _, row := range []struct {
		name string
		edit func(*dcm.Builder)
		tag  uint32
		want []string // nil: absent
	}{
		{"type", nil, tagImageType, []string{"DERIVED", "PRIMARY", "AXIAL", "NONE"}},
		{"type of one value", func(b *dcm.Builder) { b.Text(tagImageType, "ORIGINAL") }, tagImageType, []string{"DERIVED", "PRIMARY"}},
		{"no type", func(b *dcm.Builder) { b.Delete(tagImageType) }, tagImageType, []string{"DERIVED", "PRIMARY"}},
		{"series number", nil, 0x00200011, []string{"9003"}},
		{"instance number", nil, 0x00200013, []string{"17"}},
		{"series description", nil, tagSeriesDescription, []string{"Thorax 1 mm [ROI]"}},
		{"long series description", func(b *dcm.Builder) { b.Text(tagSeriesDescription, strings.Repeat("y", 64)) }, tagSeriesDescription, []string{strings.Repeat("y", 58) + " [ROI]"}},
		{"creation date", nil, 0x00080012, []string{"20260301"}},
		{"creation time", nil, 0x00080013, []string{"123005"}},
		{"creation time in its zone", func(b *dcm.Builder) { b.Text(tagTimezone, "+0530") }, 0x00080013, []string{"180005"}},
		{"derivation", nil, tagDerivation, []string{"Region 9 x 6 from column 10, row 7 (from 0) of 24 x 20, samples unchanged; rules 1"}},
		{"derivation before", func(b *dcm.Builder) { b.Text(tagDerivation, "smoothed") }, tagDerivation, []string{"smoothed; Region 9 x 6 from column 10, row 7 (from 0) of 24 x 20, samples unchanged; rules 1"}},
		{"long derivation before", func(b *dcm.Builder) { b.Text(tagDerivation, old) }, tagDerivation, []string{old[:1024-2-82] + "; Region 9 x 6 from column 10, row 7 (from 0) of 24 x 20, samples unchanged; rules 1"}},
		{"icon", func(b *dcm.Builder) { b.Items(0x00880200, dcm.NewBuilder().Ints(0x00280010, 1)) }, 0x00880200, nil},
		{"largest value", func(b *dcm.Builder) { b.Ints(0x00280107, 9) }, 0x00280107, nil},
		{"lossy before", func(b *dcm.Builder) { b.Text(0x00282110, "01") }, 0x00282110, []string{"01"}},
		{"padding value", func(b *dcm.Builder) { b.Ints(0x00280120, -2000) }, 0x00280120, []string{"-2000"}},
		{"burned in", func(b *dcm.Builder) { b.Text(0x00280301, "YES") }, 0x00280301, []string{"YES"}},
		{"curves", func(b *dcm.Builder) { b.Raw(0x50000005, "US", []byte{2, 0}) }, 0x50000005, nil},
	} {
		b := slice()
		if row.edit != nil {
			row.edit(b)
		}
		for _, syntax := range []string{explicitLE, implicitLE, explicitBE} {
			s := build(t, b, syntax)
			d := crop(t, s, s.spec(part))
			got := d.Strings(row.tag)
			if row.tag == 0x00280120 {
				got = []string{"-2000"}
				if v := d.Ints(row.tag); len(v) != 1 || v[0] != -2000 {
					got = nil
				}
			}
			if !slices.Equal(got, row.want) || row.want == nil && d.Has(row.tag) {
				t.Errorf("%s, %s: got %q, want %q", row.name, syntax, got, row.want)
			}
		}
	}
}

// TestUnsupported: what cannot be cropped with certainty has a typed reason, and nothing panics.
func TestUnsupported(t *testing.T) {
	for _, row := range []struct {
		name string
		edit func(*dcm.Builder)
		want string
	}{
		{"no position", func(b *dcm.Builder) { b.Delete(tagPosition) }, "without a position"},
		{"empty position", func(b *dcm.Builder) { b.Text(tagPosition) }, "without a position"},
		{"position of two", func(b *dcm.Builder) { b.Text(tagPosition, "1", "2") }, "no position of 3"},
		{"position that is none", func(b *dcm.Builder) { b.Text(tagPosition, "1", "2", "NaN") }, "no position of 3"},
		{"infinite position", func(b *dcm.Builder) { b.Text(tagPosition, "1", "2", "Inf") }, "no position of 3"},
		{"fraction", func(b *dcm.Builder) { b.Text(tagPosition, "1", "2", "1/3") }, "no position of 3"},
		{"hexadecimal", func(b *dcm.Builder) { b.Text(tagPosition, "1", "2", "0x10") }, "no position of 3"},
		{"huge exponent", func(b *dcm.Builder) { b.Text(tagPosition, "1", "2", "1e999999999") }, "no position of 3"},
		{"tiny exponent", func(b *dcm.Builder) { b.Text(tagPosition, "1", "2", "1e-999999999") }, "no position of 3"},
		{"far position", func(b *dcm.Builder) { b.Text(tagPosition, "1", "2", "1e10") }, "no position of 3"},
		{"far position that 16 characters do not hold", func(b *dcm.Builder) {
			b.Text(tagPosition, "-999999999.12345", "2", "1").Text(tagSpacing, "0.123456789012", "0.123456789012")
		}, "16 characters"},
		{"no orientation", func(b *dcm.Builder) { b.Delete(tagOrientation) }, "orientation of 6"},
		{"orientation not of length 1", func(b *dcm.Builder) { b.Text(tagOrientation, "2", "0", "0", "0", "1", "0") }, "length"},
		{"orientation not at right angles", func(b *dcm.Builder) { b.Text(tagOrientation, "1", "0", "0", "1", "0", "0") }, "right angles"},
		{"no spacing", func(b *dcm.Builder) { b.Delete(tagSpacing) }, "spacing of 2"},
		{"spacing 0", func(b *dcm.Builder) { b.Text(tagSpacing, "0", "1") }, "not positive"},
		{"negative spacing", func(b *dcm.Builder) { b.Text(tagSpacing, "1", "-1") }, "not positive"},
		{"other class", func(b *dcm.Builder) { b.Text(0x00080016, storage+"66.4") }, "SOP Class"},
		{"private class", func(b *dcm.Builder) { b.Text(0x00080016, "1.2.840.113619.4.2") }, "SOP Class"},
		{"mosaic", func(b *dcm.Builder) { b.Text(tagImageType, "ORIGINAL", "PRIMARY", "MOSAIC") }, "mosaic"},
		{"no series", func(b *dcm.Builder) { b.Delete(tagSeries) }, "UID"},
		{"UID with other characters", func(b *dcm.Builder) { b.Text(tagSOP, "1.2|3") }, "UID"},
		{"rows that are not there", func(b *dcm.Builder) { b.Ints(0x00280010, 4*tall) }, "not clear"},
		{"no rows", func(b *dcm.Builder) { b.Ints(0x00280010, 0) }, "not clear"},
		{"no frames", func(b *dcm.Builder) { b.Ints(0x00280008, 0) }, "frames"},
		{"negative frames", func(b *dcm.Builder) { b.Ints(0x00280008, -5) }, "frames"},
		{"high bit", func(b *dcm.Builder) { b.Ints(0x00280102, 15) }, "bits stored"},
		{"bits stored", func(b *dcm.Builder) { b.Ints(0x00280101, 17).Ints(0x00280102, 16) }, "bits stored"},
		{"32 bits", func(b *dcm.Builder) { b.Ints(0x00280100, 32).Ints(0x00280010, tall/2) }, "32 bits"},
		{"unknown colours", func(b *dcm.Builder) { b.Text(0x00280004, "ARGB") }, "photometric"},
		{"enhanced without groups", func(b *dcm.Builder) { b.Text(0x00080016, enhancedCTClass) }, "without functional groups"},
		{"overlay that is too short", func(b *dcm.Builder) {
			b.Ints(0x60000010, 4000).Ints(0x60000011, 4000).Raw(0x60003000, "OW", make([]byte, 8))
		}, "overlay of"},
		{"overlay inside the samples", func(b *dcm.Builder) {
			b.Ints(0x60000010, tall).Ints(0x60000011, wide).Ints(0x60000100, 16).Ints(0x60000102, 5)
		}, "overlay inside"},
		{"unknown shutter", func(b *dcm.Builder) { b.Text(0x00181600, "HEART") }, "shape"},
		{"shutter without edges", func(b *dcm.Builder) { b.Text(0x00181600, "RECTANGULAR") }, "coordinates"},
		{"region without border", func(b *dcm.Builder) { b.Items(tagRegions, dcm.NewBuilder().Ints(regionX0, 1)) }, "border"},
		{"region with a sample volume", func(b *dcm.Builder) {
			b.Items(tagRegions, dcm.NewBuilder().Ints(regionX0, 1).Ints(regionY0, 1).Ints(regionX1, 9).Ints(regionY1, 9).Ints(0x00186039, 3))
		}, "Doppler"},
	} {
		b := slice()
		row.edit(b)
		s := build(t, b, explicitLE)
		_, _, err := s.derive(s.spec(part))
		var no *UnsupportedError
		if !errors.As(err, &no) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want an UnsupportedError with %q", row.name, err, row.want)
		}
	}
}

// TestFramesThatDiffer: a decoder that gives something else than the header says is not believed.
func TestFramesThatDiffer(t *testing.T) {
	s := build(t, slice(), explicitLE)
	good, err := s.frame(0)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(v *codecs.View){
		"columns":   func(v *codecs.View) { v.Width-- },
		"rows":      func(v *codecs.View) { v.Height-- },
		"bits":      func(v *codecs.View) { v.Bits++ },
		"sign":      func(v *codecs.View) { v.Signed = false },
		"too short": func(v *codecs.View) { v.Pix = v.Pix[:9] },
	} {
		v := good
		change(&v)
		_, err := Make(&bytes.Buffer{}, s.data, s.f, s.spec(part), func(int) (codecs.View, error) { return v, nil })
		var no *UnsupportedError
		var limit *codecs.LimitError
		if !errors.As(err, &no) && !errors.As(err, &limit) {
			t.Errorf("%s: got %v, want an UnsupportedError", name, err)
		}
	}
	broken := errors.New("broken")
	if _, err := Make(&bytes.Buffer{}, s.data, s.f, s.spec(part), func(int) (codecs.View, error) { return good, broken }); !errors.Is(err, broken) {
		t.Errorf("an error of the frame: got %v", err)
	}
}

func TestSpec(t *testing.T) {
	s := build(t, slice(), explicitLE)
	for name, change := range map[string]func(*Spec){
		"left of it":      func(p *Spec) { p.Rect.X = -1 },
		"no columns":      func(p *Spec) { p.Rect.W = 0 },
		"too wide":        func(p *Spec) { p.Rect.W = wide },
		"overflow":        func(p *Spec) { p.Rect.W = 1<<63 - 1 },
		"far overflow":    func(p *Spec) { p.Rect.X = 1<<63 - 1 },
		"below it":        func(p *Spec) { p.Rect.Y = tall },
		"no frame":        func(p *Spec) { p.Frames = []int{} },
		"frame 0":         func(p *Spec) { p.Frames = []int{0} },
		"frame 2":         func(p *Spec) { p.Frames = []int{2} },
		"a frame twice":   func(p *Spec) { p.Frames = []int{1, 1} },
		"no digest":       func(p *Spec) { p.File = "" },
		"short digest":    func(p *Spec) { p.File = "abcd" },
		"no rules":        func(p *Spec) { p.Rules = "" },
		"rules with bars": func(p *Spec) { p.Rules = "1|2" },
		"no time":         func(p *Spec) { p.Created = time.Time{} },
		"no build":        func(p *Spec) { p.Build = "" },
		"long build":      func(p *Spec) { p.Build = "RADTIER_1234567890" },
		"negative number": func(p *Spec) { p.Number = -1 },
	} {
		spec := s.spec(part)
		change(&spec)
		var mistake *SpecError
		if _, _, err := s.derive(spec); !errors.As(err, &mistake) {
			t.Errorf("%s: got %v, want a SpecError", name, err)
		}
	}
}

// TestPrivate: private elements go, but those without which samples lose their meaning, with their creators.
func TestPrivate(t *testing.T) {
	b := slice().Raw(0x70530010, "LO", []byte("Philips PET Private Group ")).Raw(0x70531000, "DS", []byte("0.000432")).Raw(0x70531001, "LO", []byte("secret")).
		Raw(0x00290010, "LO", []byte("SIEMENS CSA HEADER")).Raw(0x00291010, "OB", make([]byte, 5000)).
		Raw(0x00190011, "LO", []byte("SIEMENS MR HEADER ")).Raw(0x0019110C, "IS", []byte("1000")).Raw(0x00191110, "LO", []byte("other")).
		Items(0x00081140, dcm.NewBuilder().Text(0x00081150, ctClass).Text(0x00081155, "1.2.77").Raw(0x00290010, "LO", []byte("NESTED")).Raw(0x00291001, "LO", []byte("deep")))
	s := build(t, b, explicitLE)
	data, made, err := s.derive(s.spec(part))
	if err != nil {
		t.Fatal(err)
	}
	f, err := dcm.Scan(dcm.Bytes(data), int64(len(data)), dcm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range f.Elements {
		if e.Private() {
			got = append(got, dcm.TagString(e.Tag))
		}
	}
	want := []string{"(0019,0011)", "(0019,110C)", "(7053,0010)", "(7053,1000)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if made.Private != 4 || bytes.Contains(data, []byte("deep")) {
		t.Errorf("%d private elements left out, want 4; the nested one is there: %v", made.Private, bytes.Contains(data, []byte("deep")))
	}
}

// TestKnownSamples: a derived file's pixel data by hand: masked to 12 bits, sign-extended.
func TestKnownSamples(t *testing.T) {
	pix := make([]byte, 2*wide*tall)
	at := func(x, y int, lo, hi byte) { pix[2*(y*wide+x)], pix[2*(y*wide+x)+1] = lo, hi }
	at(3, 2, 0x34, 0xF2) // junk above +0x234
	at(4, 2, 0xFF, 0x0F) // -1
	at(3, 3, 0x00, 0x08) // -2048
	at(4, 3, 0xFF, 0x07) // 2047
	s := build(t, slice().Native(pix), explicitLE)
	data, made, err := s.derive(s.spec(Rect{3, 2, 2, 2}))
	if err != nil {
		t.Fatal(err)
	}
	want := []byte{0x34, 0x02, 0xFF, 0xFF, 0x00, 0xF8, 0xFF, 0x07}
	if !bytes.HasSuffix(data, want) {
		t.Errorf("got % x, want % x", data[len(data)-8:], want)
	}
	const digest = "a27a1b7e0edcf7ca8007ea43ea039ba3e401359b125d184148062b1e8523fb0e"
	if made.SampleSHA256 != digest {
		t.Errorf("digest %s, want %s", made.SampleSHA256, digest)
	}
}
