package crop

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
)

// TestCheckFinds damages derived instances in one place each: Check must name it.
func TestCheckFinds(t *testing.T) {
	classic := withOverlay(slice(), 0x6000, 1, 1, tall, wide, 0, 0, func(x, y, _ int) bool { return x == 12 && y == 9 }).
		Text(0x00181030, "protocol").Items(0x00081140, dcm.NewBuilder().Text(0x00081155, "1.2.8"))
	for _, row := range []struct {
		name   string
		source *dcm.Builder
		spec   func(*Spec)
		edit   func(e *dcm.Edit) error // of the derived instance
		pixels func(p []byte)
		want   string
	}{
		{"nothing", classic, nil, nil, nil, ""},
		{"nothing, enhanced", enhanced(true), nil, nil, nil, ""},
		{"position of the source", classic, nil, set(dcm.NewBuilder().Text(tagPosition, "-100.5", "50.25", "-7")), nil, "moved by"},
		{"position a little off", classic, nil, set(dcm.NewBuilder().Text(tagPosition, "-96.499998", "53.25", "-11.9")), nil, "moved by"},
		{"no position", classic, nil, remove(tagPosition), nil, "planes"},
		{"other spacing", classic, nil, set(dcm.NewBuilder().Text(tagSpacing, "0.7", "0.51")), nil, "moved by"},
		{"one sample", classic, nil, nil, func(p []byte) { p[len(p)-2] ^= 1 }, "differs from the source"},
		{"junk above a sample", classic, nil, nil, func(p []byte) { p[1] ^= 0x40 }, "unused bits"},
		{"instance UID of the source", classic, nil, set(dcm.NewBuilder().Text(tagSOP, "1.2.3.4.5")), nil, "UID of its source"},
		{"another instance UID", classic, nil, set(dcm.NewBuilder().Text(tagSOP, "1.2.3.4.6")), nil, "SOP Instance UID"},
		{"another series UID", classic, nil, set(dcm.NewBuilder().Text(tagSeries, "1.2.3.4.6")), nil, "Series Instance UID"},
		{"another study", classic, nil, set(dcm.NewBuilder().Text(tagStudy, "1.2.4")), nil, "another study"},
		{"another patient", classic, nil, set(dcm.NewBuilder().Text(0x00100020, "P2")), nil, "patient"},
		{"another frame of reference", classic, nil, set(dcm.NewBuilder().Text(0x00200052, "1.2.10")), nil, "(0020,0052)"},
		{"still original", classic, nil, set(dcm.NewBuilder().Text(tagImageType, "ORIGINAL", "PRIMARY", "AXIAL", "NONE")), nil, "DERIVED"},
		{"no reference", classic, nil, remove(tagSourceImage), nil, "name its source"},
		{"reference to another instance", classic, nil, set(dcm.NewBuilder().Items(tagSourceImage, dcm.NewBuilder().Text(0x00081150, ctClass).Text(0x00081155, "1.2.3").Text(0x0028135A, "NO"))), nil, "name its source"},
		{"reference that says same place", classic, nil, set(dcm.NewBuilder().Items(tagSourceImage, dcm.NewBuilder().Text(0x00081150, ctClass).Text(0x00081155, "1.2.3.4.5").Text(0x0028135A, "YES"))), nil, "name its source"},
		{"an element less", classic, nil, remove(0x00181030), nil, "(0018,1030)"},
		{"an element more", classic, nil, set(dcm.NewBuilder().Text(0x00181040, "x")), nil, "(0018,1040)"},
		{"an element changed", classic, nil, set(dcm.NewBuilder().Text(0x00181030, "Protocol")), nil, "(0018,1030)"},
		{"an item changed", classic, nil, func(e *dcm.Edit) error {
			items, err := e.Items(0x00081140)
			if err != nil {
				return err
			}
			return items[0].Set(dcm.NewBuilder().Text(0x00081155, "1.2.9"))
		}, nil, "(0008,1140)[0].(0008,1155)"},
		{"stale statistics", classic, nil, set(dcm.NewBuilder().Ints(0x00280107, 5)), nil, "(0028,0107)"},
		{"a signature", classic, nil, set(dcm.NewBuilder().Items(0xFFFAFFFA, dcm.NewBuilder().Ints(0x04000005, 1))), nil, "signature"},
		{"a private element", classic, nil, set(dcm.NewBuilder().Raw(0x00291010, "OB", make([]byte, 4))), nil, "private"},
		{"an overlay bit", classic, nil, set(dcm.NewBuilder().Raw(0x60003000, "OW", []byte{1, 0, 0, 0, 0, 0, 0, 0})), nil, "overlay 6000"},
		{"an overlay not moved", classic, nil, set(dcm.NewBuilder().Raw(0x60000050, "SS", words(2, 1))), nil, "overlay 6000"},
		{"no overlay", classic, nil, remove(0x60003000), nil, "overlay 6000"},
		{"rows", classic, nil, set(dcm.NewBuilder().Ints(0x00280010, part.H-1)), nil, "whole native frames"},
		{"columns for rows", classic, nil, set(dcm.NewBuilder().Ints(0x00280010, part.W).Ints(0x00280011, part.H)), nil, "frames of"},
		{"sign", classic, nil, set(dcm.NewBuilder().Ints(0x00280103, 0)), nil, "another kind"},
		{"bits", classic, nil, set(dcm.NewBuilder().Ints(0x00280101, 13).Ints(0x00280102, 12)), nil, "another kind"},
		{"made for another file", classic, func(s *Spec) { s.File = strings.Repeat("00", 32) }, nil, nil, "SOP Instance UID"},
		{"made for another rectangle", classic, func(s *Spec) { s.Rect.X-- }, nil, nil, "SOP Instance UID"},
		{"one frame not moved", enhanced(false), nil, func(e *dcm.Edit) error {
			items, err := e.Items(tagPerFrame)
			if err != nil {
				return err
			}
			return items[2].Set(position(dcm.NewBuilder(), "-10", "-20", "5"))
		}, nil, "frame 3 is moved"},
		{"one frame without derivation", enhanced(false), nil, func(e *dcm.Edit) error {
			items, err := e.Items(tagPerFrame)
			if err != nil {
				return err
			}
			items[1].DeleteTags(tagDerivationImage)
			return nil
		}, nil, "frame 2 does not name"},
		{"index values", enhanced(false), nil, func(e *dcm.Edit) error {
			items, err := e.Items(tagPerFrame)
			if err != nil {
				return err
			}
			content, err := items[1].Items(0x00209111)
			if err != nil {
				return err
			}
			return content[0].Set(dcm.NewBuilder().Ints(0x00209157, 1, 7))
		}, nil, "(0020,9157)"},
		{"frames in another order", enhanced(false), nil, nil, func(p []byte) {
			n := len(p) / 4
			first := bytes.Clone(p[:n])
			copy(p, p[n:2*n])
			copy(p[n:], first)
		}, "differs from the source"},
	} {
		s := build(t, row.source, explicitLE)
		spec := s.spec(part)
		data, _, err := s.derive(spec)
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if data, err = damaged(data, row.edit, row.pixels); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if row.spec != nil {
			row.spec(&spec)
		}
		err = Check(s.data, s.f, dcm.Bytes(data), int64(len(data)), spec, s.frame)
		var found *CheckError
		if row.want == "" {
			if err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
		} else if !errors.As(err, &found) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want a CheckError with %q", row.name, err, row.want)
		}
	}
}

func set(b *dcm.Builder) func(*dcm.Edit) error { return func(e *dcm.Edit) error { return e.Set(b) } }

func remove(tag uint32) func(*dcm.Edit) error {
	return func(e *dcm.Edit) error {
		e.DeleteTags(tag)
		return nil
	}
}

// damaged writes a file again with changes.
func damaged(data []byte, edit func(*dcm.Edit) error, pixels func([]byte)) ([]byte, error) {
	f, err := dcm.Scan(dcm.Bytes(data), int64(len(data)), dcm.Limits{})
	if err != nil {
		return nil, err
	}
	e, err := dcm.NewEdit(dcm.Bytes(data), f)
	if err != nil {
		return nil, err
	}
	if edit != nil {
		if err := edit(e); err != nil {
			return nil, err
		}
	}
	p := bytes.Clone(data[f.Pixel.ValueOffset : f.Pixel.ValueOffset+f.Pixel.Length])
	if pixels != nil {
		pixels(p)
	}
	var out bytes.Buffer
	err = e.WriteFile(&out, "TEST", dcm.NativePixels{Length: int64(len(p)), Write: func(w io.Writer) error {
		_, err := w.Write(p)
		return err
	}})
	return out.Bytes(), err
}

// TestCheckOfRubbish: files that are no derived instance.
func TestCheckOfRubbish(t *testing.T) {
	s := build(t, slice(), explicitLE)
	data, _, err := s.derive(s.spec(part))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"empty": nil, "half": data[:len(data)/2], "the source": s.data, "short of a sample": data[:len(data)-2], "more behind": append(bytes.Clone(data), make([]byte, 7)...)} {
		var found *CheckError
		if err := Check(s.data, s.f, dcm.Bytes(b), int64(len(b)), s.spec(part), s.frame); !errors.As(err, &found) {
			t.Errorf("%s: got %v, want a CheckError", name, err)
		}
	}
}

// FuzzMake: whatever the source, Make gives a typed error or an instance that Check finds nothing wrong with.
func FuzzMake(f *testing.F) {
	for _, b := range []*dcm.Builder{
		slice(), enhanced(false), enhanced(true),
		withOverlay(slice(), 0x6000, -1, 3, 9, 9, 0, 0, func(x, y, _ int) bool { return x == y }),
		image(storage+"3.1", 3).Ints(0x00280103, 0).Ints(tagIncrement, tagTimeVector).Text(tagTimeVector, "0", "10", "20"),
		slice().Text(0x00181600, "CIRCULAR").Ints(0x00181610, 10, 15).Ints(0x00181612, 4),
		image(storage+"6.1", 1).Ints(0x00280103, 0).Items(tagRegions, dcm.NewBuilder().Ints(regionX0, 2).Ints(regionY0, 2).Ints(regionX1, 20).Ints(regionY1, 20).Ints(referenceX, 1)),
	} {
		for _, syntax := range []string{explicitLE, implicitLE, explicitBE} {
			data, err := b.File(syntax)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, uint8(10), uint8(7), uint8(9), uint8(6), uint8(0))
			f.Add(data, uint8(0), uint8(0), uint8(24), uint8(20), uint8(5))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, x, y, w, h, frames uint8) {
		s, err := scan(data)
		if err != nil || s.f.Image == nil || s.f.Pixel.Encapsulated {
			return
		}
		var some []int
		for n := 1; n <= 8; n++ {
			if frames>>(n-1)&1 == 1 {
				some = append(some, n)
			}
		}
		r := Rect{int(x), int(y), int(w), int(h)}
		if img := s.f.Image; img.Columns > 0 && img.Rows > 0 { // most are inside
			r.X, r.Y = r.X%img.Columns, r.Y%img.Rows
			r.W, r.H = min(r.W, img.Columns-r.X), min(r.H, img.Rows-r.Y)
		}
		_, _, err = s.derive(s.spec(r, some...))
		if err != nil && !typed(err) {
			t.Errorf("%T: %v", err, err)
		}
	})
}

// typed reports whether an error is one that a caller can tell from others.
func typed(err error) bool {
	var a *UnsupportedError
	var b *SpecError
	var c *dcm.UnsupportedError
	var d *dcm.MalformedError
	var e *dcm.LimitError
	return errors.As(err, &a) || errors.As(err, &b) || errors.As(err, &c) || errors.As(err, &d) || errors.As(err, &e)
}
