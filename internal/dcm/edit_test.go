package dcm

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/testkit"
)

// writeEdit writes an edit with the source's own native samples, little endian.
func writeEdit(t *testing.T, e *Edit, f *File, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	px := nativeSamples(t, f, data)
	err := e.WriteFile(&out, "TEST", NativePixels{int64(len(px)), func(w io.Writer) error {
		_, err := w.Write(px)
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func editOf(t *testing.T, data []byte) (*Edit, *File) {
	t.Helper()
	f := mustScan(t, data)
	e, err := NewEdit(Bytes(data), f)
	if err != nil {
		t.Fatal(err)
	}
	return e, f
}

// TestEditUnchanged: real files that nothing was changed in keep every
// element, whether their sequences were opened or not; sequences that were opened are written to the same bytes.
func TestEditUnchanged(t *testing.T) {
	n := 0
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		if isMalformed(row["path"]) || strings.HasPrefix(row["path"], "large/") {
			return
		}
		f, err := Scan(Bytes(data), int64(len(data)), Limits{})
		if err != nil || f.Pixel == nil || f.Pixel.Encapsulated || f.Pixel.FrameProblem != "" || f.Image.Planar != 0 || f.Image.BitsAllocated > 16 || f.unclearWords() {
			return
		}
		n++
		closed, err := NewEdit(Bytes(data), f)
		if err != nil {
			t.Errorf("%s: %v", row["path"], err)
			return
		}
		a := writeEdit(t, closed, f, data)
		g := mustScan(t, a)
		if err := CompareDatasets(Bytes(data), f, Bytes(a), g); err != nil {
			t.Errorf("%s: %v", row["path"], err)
		}
		open, err := NewEdit(Bytes(data), f)
		if err != nil {
			t.Fatal(err)
		}
		if err := open.Walk(func(*Edit) error { return nil }); err != nil {
			t.Errorf("%s: %v", row["path"], err)
			return
		}
		if b := writeEdit(t, open, f, data); !bytes.Equal(a, b) {
			t.Errorf("%s: %d bytes with sequences opened, %d with them closed, or others", row["path"], len(b), len(a))
		}
	})
	if n < 300 {
		t.Errorf("%d files, want 300 at least", n)
	}
}

// edited is an image with sequences of both length forms, one inside the other.
func edited(undefined bool) *Builder {
	inner := NewBuilder().Text(0x00080100, "1").Text(0x00080102, "DCM")
	items := []*Builder{
		NewBuilder().Text(0x00081155, "1.1").Items(0x0040A170, inner),
		NewBuilder().Text(0x00081155, "1.2").UndefinedItems(0x0040A170, inner, inner),
		NewBuilder().Text(0x00081155, "1.3"),
	}
	b := NewBuilder().Text(0x00080016, "1.2.840.10008.5.1.4.1.1.2").Text(0x00080018, "1.2.3").Text(0x00080060, "CT").Ints(0x00280002, 1).Text(0x00280004, "MONOCHROME2").
		Ints(0x00280010, 2).Ints(0x00280011, 2).Ints(0x00280100, 16).Ints(0x00280101, 16).Ints(0x00280102, 15).Ints(0x00280103, 1).Ints(0x00280120, -7).
		Native([]byte{1, 2, 3, 4, 5, 6, 7, 8})
	if undefined {
		return b.UndefinedItems(0x00082112, items...)
	}
	return b.Items(0x00082112, items...)
}

// TestEdit changes root, items and items of items, and finds the changes and everything else in what is written.
func TestEdit(t *testing.T) {
	for _, undefined := range []bool{false, true} {
		for _, syntax := range []string{explicitLE, implicitLE, explicitBE, deflatedLE} {
			data, err := edited(undefined).File(syntax)
			if err != nil {
				t.Fatal(err)
			}
			e, f := editOf(t, data)
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(e.Set(NewBuilder().Text(0x00080018, "1.2.99").Text(0x0008103E, "new").Ints(0x00280107, 5)))
			e.DeleteTags(0x00280107)
			items, err := e.Items(0x00082112)
			must(err)
			codes, err := items[1].Items(0x0040A170)
			must(err)
			must(codes[1].Set(NewBuilder().Text(0x00080104, "meaning")))
			items[2].DeleteTags(0x00081155)
			must(e.Keep(0x00082112, func(i int) bool { return i != 0 }))
			must(e.Append(0x00082112, NewBuilder().Text(0x00081155, "1.4")))
			must(e.Append(0x00081140, NewBuilder().Text(0x00081155, "1.5")))
			must(e.Append(0x00081140, NewBuilder().Text(0x00081155, "1.6")))
			if v, err := e.Values(); err != nil || v.String(0x00080018) != "1.2.3" {
				t.Errorf("the source's value: %q, %v", v.String(0x00080018), err)
			}
			out := writeEdit(t, e, f, data)
			g := mustScan(t, out)
			d, err := ReadDataset(Bytes(out), g, Limits{})
			must(err)
			var got []string
			for _, it := range d.Items(0x00082112) {
				s := it.String(0x00081155)
				for _, c := range it.Items(0x0040A170) {
					s += "/" + c.String(0x00080100) + c.String(0x00080104)
				}
				got = append(got, s)
			}
			for _, it := range d.Items(0x00081140) {
				got = append(got, it.String(0x00081155))
			}
			want := []string{"1.2/1/1meaning", "", "1.4", "1.5", "1.6"}
			if !slices.Equal(got, want) || g.SOPUID != "1.2.99" || d.String(0x0008103E) != "new" || d.Has(0x00280107) || d.Ints(0x00280120)[0] != -7 {
				t.Errorf("%s: got %q of %s, want %q", syntax, got, g.SOPUID, want)
			}
			if g.Syntax != explicitLE || !bytes.HasSuffix(out, []byte{1, 2, 3, 4, 5, 6, 7, 8}) || !slices.IsSorted(e.Tags()) {
				t.Errorf("%s: written as %s, samples % x, tags %x", syntax, g.Syntax, out[len(out)-8:], e.Tags())
			}
			var tags []uint32
			for _, x := range g.Elements {
				tags = append(tags, x.Tag)
			}
			if !slices.IsSorted(tags) {
				t.Errorf("%s: elements written as %x", syntax, tags)
			}
		}
	}
}

// TestEditRefuses: what cannot be edited is an error, not a guess.
func TestEditRefuses(t *testing.T) {
	data, err := edited(false).Raw(0x00081140, "UN", make([]byte, 8)).File(explicitLE)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := editOf(t, data)
	var no *UnsupportedError
	for _, tag := range []uint32{0x00081140, 0x00080060} {
		if _, err := e.Items(tag); !errors.As(err, &no) {
			t.Errorf("%s: got %v, want an UnsupportedError", TagString(tag), err)
		}
		if e.IsSequence(tag) {
			t.Errorf("%s is said to be a sequence", TagString(tag))
		}
	}
	if list, err := e.Items(0x00081111); list != nil || err != nil {
		t.Errorf("an absent sequence: got %v, %v", list, err)
	}
	if _, err := e.Bytes(0x00082112); !errors.As(err, &no) {
		t.Errorf("bytes of a sequence: got %v", err)
	}
	if err := e.Set(NewBuilder().Text(0x00280010, "x")); err == nil {
		t.Error("a mistake of the builder: got no error")
	}
	short := NativePixels{8, func(w io.Writer) error { _, err := w.Write(make([]byte, 7)); return err }}
	if err := e.WriteFile(io.Discard, "", short); err == nil {
		t.Error("samples one byte short: got no error")
	}
	long := NativePixels{8, func(w io.Writer) error { _, err := w.Write(make([]byte, 9)); return err }}
	if err := e.WriteFile(io.Discard, "", long); err == nil {
		t.Error("samples one byte long: got no error")
	}
	deep := NewBuilder()
	for range 40 {
		deep = NewBuilder().Items(0x00082112, deep)
	}
	if err := e.Append(0x00082112, deep); err != nil {
		t.Fatal(err)
	}
	var limit *LimitError
	if err := e.WriteFile(io.Discard, "", NativePixels{0, func(io.Writer) error { return nil }}); !errors.As(err, &limit) {
		t.Errorf("40 sequences inside each other: got %v", err)
	}
}

// TestCompareKept: what is left out is left out at its level only, and items are paired as told.
func TestCompareKept(t *testing.T) {
	file := func(change func(*Builder)) ([]byte, *File) {
		b := edited(true)
		if change != nil {
			change(b)
		}
		data, err := b.File(explicitLE)
		if err != nil {
			t.Fatal(err)
		}
		return data, mustScan(t, data)
	}
	a, fa := file(nil)
	nothing := func(uint32, bool) bool { return false }
	for _, row := range []struct {
		name    string
		change  func(*Builder)
		changes Changes
		want    string // path of the difference
	}{
		{"equal", nil, Changes{Changed: nothing}, ""},
		{"one changed", func(b *Builder) { b.Text(0x00080060, "MR") }, Changes{Changed: nothing}, "(0008,0060)"},
		{"one left out", func(b *Builder) { b.Text(0x00080060, "MR") }, Changes{Changed: func(t uint32, root bool) bool { return root && t == 0x00080060 }}, ""},
		{"one more", func(b *Builder) { b.Text(0x00080050, "1") }, Changes{Changed: nothing}, "(0008,0050)"},
		{"left out at the root only", func(b *Builder) { b.Items(0x00082112) }, Changes{Changed: func(t uint32, root bool) bool { return root && t == 0x00081155 }}, "(0008,2112)"},
		{"items kept", func(b *Builder) { b.Items(0x00082112, NewBuilder().Text(0x00081155, "1.3")) }, Changes{nothing, func(uint32) []int { return []int{2} }}, ""},
		{"other items kept", func(b *Builder) { b.Items(0x00082112, NewBuilder().Text(0x00081155, "1.3")) }, Changes{nothing, func(uint32) []int { return []int{0} }}, "(0008,2112)[0].(0008,1155)"},
		{"items that are not there", func(b *Builder) { b.Items(0x00082112, NewBuilder().Text(0x00081155, "1.3")) }, Changes{nothing, func(uint32) []int { return []int{3} }}, "(0008,2112)"},
	} {
		b, fb := file(row.change)
		err := CompareKept(Bytes(a), fa, Bytes(b), fb, row.changes)
		got := ""
		var d *DifferenceError
		if errors.As(err, &d) {
			got = d.Path
		} else if err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if got != row.want {
			t.Errorf("%s: a difference at %q, want %q", row.name, got, row.want)
		}
	}
}
