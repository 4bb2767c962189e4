package dcm

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/internal/testkit"
)

// image returns a small CT-like data set with nested, private and every kind of binary values.
func image(frames int) *Builder {
	item := func(v string) *Builder { return NewBuilder().Text(0x00080100, v).Text(0x00080104, "meaning of "+v) }
	b := NewBuilder().
		Text(0x00080005, "ISO_IR 100").
		Text(0x00080008, "ORIGINAL", "PRIMARY", "AXIAL").
		Text(0x00080016, "1.2.840.10008.5.1.4.1.1.2").
		Text(0x00080018, "1.2.3.4.5").
		Text(0x00080060, "CT").
		Text(0x00081030, `text`).
		Items(0x00081032, item("A"), item("B")).
		UndefinedItems(0x00081140, NewBuilder().Text(0x00081155, "1.2.3").UndefinedItems(0x0040A170, item("deep"))).
		Text(0x00100020, " 4711 ").
		Text(0x00100021, "HOSPITAL").
		Raw(0x00090010, "LO", []byte("RADTIER TEST")).
		Raw(0x00091001, "US", []byte{1, 0, 2, 0}).
		Raw(0x00091002, "UN", []byte{1, 2, 3}).
		Text(0x0020000D, "1.2.3").
		Text(0x0020000E, "1.2.3.4").
		Ints(0x00200013, 7).
		Floats(0x00200032, -10.5, 20, 30.25).
		Floats(0x00200037, 1, 0, 0, 0, 1, 0).
		Ints(0x00280002, 1).
		Text(0x00280004, "MONOCHROME2").
		Ints(0x00280010, 2).
		Ints(0x00280011, 3).
		Ints(0x00280100, 16).
		Ints(0x00280101, 12).
		Ints(0x00280102, 11).
		Ints(0x00280103, 1).
		Ints(0x00280120, -2000).
		Floats(0x00281052, -1024).
		Floats(0x00281053, 1).
		Items(0x00283010, NewBuilder().Raw(0x00283002, "SS", []byte{2, 0, 0xFB, 0xFF, 16, 0}).Ints(0x00283006, 0, 65535)).
		Ints(0x00280009, 0x00181063).
		Raw(0x00189073, "FD", []byte{0, 0, 0, 0, 0, 0, 0xF8, 0x3F}) // 1.5
	if frames > 1 {
		b.Ints(0x00280008, frames)
	}
	return b.Native(samples(frames))
}

func samples(frames int) []byte {
	p := make([]byte, frames*12)
	for i := range p {
		p[i] = byte(i*37 + 1)
	}
	return p
}

func build(t testing.TB, b *Builder, syntax string) []byte {
	t.Helper()
	p, err := b.File(syntax)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBuilderInEveryEncoding(t *testing.T) {
	first := build(t, image(1), explicitLE)
	f0 := mustScan(t, first)
	for _, syntax := range []string{explicitLE, implicitLE, explicitBE, deflatedLE} {
		data := build(t, image(1), syntax)
		f := mustScan(t, data)
		want := labelled(syntax)
		if f.Encoding != want || f.Mislabelled || f.Syntax != syntax {
			t.Errorf("%s: encoding %+v (mislabelled %v), want %+v", syntax, f.Encoding, f.Mislabelled, want)
		}
		if (f.Inflated() != nil) != want.Deflated {
			t.Errorf("%s: inflated %d bytes", syntax, len(f.Inflated()))
		}
		if f.StudyUID != "1.2.3" || f.SeriesUID != "1.2.3.4" || f.SOPUID != "1.2.3.4.5" || f.Modality != "CT" || f.InstanceNumber != 7 {
			t.Errorf("%s: identity %s %s %s %s %d", syntax, f.StudyUID, f.SeriesUID, f.SOPUID, f.Modality, f.InstanceNumber)
		}
		if p, ok := f.Position(); !ok || p != 30.25 {
			t.Errorf("%s: position %v %v, want 30.25", syntax, p, ok)
		}
		if err := CompareDatasets(Bytes(first), f0, Bytes(data), f); err != nil {
			t.Errorf("%s against explicit: %v", syntax, err)
		}
		d, err := ReadDataset(bytes.NewReader(data), f, Limits{})
		if err != nil {
			t.Fatalf("%s: %v", syntax, err)
		}
		check := func(what string, got, want any) {
			t.Helper()
			if !equalAny(got, want) {
				t.Errorf("%s: %s: got %v, want %v", syntax, what, got, want)
			}
		}
		check("ImageType", d.Strings(0x00080008), []string{"ORIGINAL", "PRIMARY", "AXIAL"})
		check("padding value", d.Ints(0x00280120), []int{-2000})
		check("position", d.Floats(0x00200032), []float64{-10.5, 20, 30.25})
		check("FD", d.Floats(0x00189073), []float64{1.5})
		check("frame pointer", len(d.Bytes(0x00280009)), 4)
		check("code", d.Items(0x00081032)[1].String(0x00080100), "B")
		check("deep", d.Items(0x00081140)[0].Items(0x0040A170)[0].String(0x00080100), "deep")
		lut := d.Items(0x00283010)[0]
		check("descriptor", lut.Ints(0x00283002), []int{2, -5, 16})
		check("LUT", lut.Ints(0x00283006), []int{0, 65535})
		check("absent", d.Ints(0x00280030), []int(nil))
		check("rows", d.Ints(0x00280010), []int{2})
		if f.PatientKey == "" || bytes.Contains([]byte(f.PatientKey), []byte("4711")) {
			t.Errorf("%s: patient key %q", syntax, f.PatientKey)
		}
		if f.PatientKey != f0.PatientKey {
			t.Errorf("%s: patient keys of equal patients differ", syntax)
		}
	}
}

func equalAny(a, b any) bool {
	switch x := a.(type) {
	case []string:
		y := b.([]string)
		return len(x) == len(y) && func() bool {
			for i := range x {
				if x[i] != y[i] {
					return false
				}
			}
			return true
		}()
	case []int:
		y := b.([]int)
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if x[i] != y[i] {
				return false
			}
		}
		return true
	case []float64:
		y := b.([]float64)
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if x[i] != y[i] {
				return false
			}
		}
		return true
	}
	return a == b
}

func TestBuilderAcceptedByDcmdump(t *testing.T) {
	tool := testkit.Tool(t, "dcmdump")
	for _, syntax := range []string{explicitLE, implicitLE, explicitBE, deflatedLE, "1.2.840.10008.1.2.4.80"} {
		b := image(2)
		if yes, _ := encapsulates(syntax); yes {
			b.Encapsulated([]uint32{0, 10}, []byte{0xFF, 0xD8}, []byte{0xFF, 0xD8, 1})
		}
		name := filepath.Join(t.TempDir(), "x.dcm")
		if err := os.WriteFile(name, build(t, b, syntax), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(tool, name).CombinedOutput(); err != nil || bytes.Contains(out, []byte("E: ")) || bytes.Contains(out, []byte("W: ")) {
			t.Errorf("%s: dcmdump: %v\n%s", syntax, err, out)
		}
	}
}

func TestBuilderMistakes(t *testing.T) {
	for _, c := range []struct {
		name string
		b    *Builder
	}{
		{"text in a US element", image(1).Text(0x00280010, "2")},
		{"text in a private element", image(1).Text(0x00091003, "x")},
		{"number too large for US", image(1).Ints(0x00280010, 1<<16)},
		{"unknown VR", image(1).Raw(0x00091003, "XX", nil)},
		{"mistake in an item", image(1).Items(0x00081032, NewBuilder().Ints(0x00080100, 1))},
		{"no SOP Instance UID", image(1).Delete(0x00080018)},
	} {
		if _, err := c.b.File(explicitLE); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
}

func TestDecimalStringFitsSixteenCharacters(t *testing.T) {
	for _, v := range []float64{0, 1, -1.0 / 3, math.Pi * 1e-7, -123456789.123456789, 1e300, -2.2250738585072014e-308} {
		if s := decimalString(v); len(s) > 16 {
			t.Errorf("decimalString(%v) = %q, %d characters", v, s, len(s))
		}
	}
}
