package evidence

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/roi/space"
)

// segWith is a segmentation of frames of random blobs. It returns for each frame the box of its set pixels, found by looking at each.
func segWith(r *rand.Rand, bits, rows, columns, frames int, change func(*dcm.Builder)) (b *dcm.Builder, boxes []string) {
	n := rows * columns
	pix := make([]byte, (n*frames*bits+7)/8)
	for f := range frames {
		x0, y0, x1, y1 := columns, rows, -1, -1
		if f%3 != 2 { // others are empty
			for range 1 + r.IntN(40) {
				x, y := r.IntN(columns), r.IntN(rows)
				k := f*n + y*columns + x
				switch bits {
				case 1:
					pix[k>>3] |= 1 << (k & 7)
				case 8:
					pix[k] = 1
				default:
					binary.LittleEndian.PutUint16(pix[2*k:], 1)
				}
				x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x), max(y1, y)
			}
		}
		if x1 >= 0 {
			boxes = append(boxes, fmt.Sprintf("%d,%d-%d,%d", x0, y0, x1+1, y1+1))
		} else {
			boxes = append(boxes, "")
		}
	}
	if len(pix)%2 == 1 {
		pix = append(pix, 0)
	}
	var per []*dcm.Builder
	for f := range frames {
		per = append(per, dcm.NewBuilder().Items(0x0062000A, dcm.NewBuilder().Ints(0x0062000B, 1)).Items(0x00209113, dcm.NewBuilder().Floats(0x00200032, 10, 20, float64(3*f))))
	}
	b = object(storage+"66.4", "SEG").Text(0x00200052, "1.7").Ints(0x00280002, 1).Text(0x00280004, "MONOCHROME2").Ints(0x00280008, frames).Ints(0x00280010, rows).Ints(0x00280011, columns).
		Ints(0x00280100, bits).Ints(0x00280101, bits).Ints(0x00280102, bits-1).Ints(0x00280103, 0).Text(0x00620001, "BINARY").
		Items(0x00620002, segmentItem(1, Code{"49755003", "SCT"}, nodule)).
		Items(0x52009229, dcm.NewBuilder().Items(0x00209116, dcm.NewBuilder().Floats(0x00200037, 1, 0, 0, 0, 1, 0)).Items(0x00289110, dcm.NewBuilder().Floats(0x00280030, 2, 1).Floats(0x00180050, 3))).
		Items(0x52009230, per...)
	if change != nil {
		change(b)
	}
	vr := "OB"
	if bits > 8 {
		vr = "OW"
	}
	return b.Raw(0x7FE00010, vr, pix), boxes
}

func segmentItem(n int, category, kind Code) *dcm.Builder {
	return dcm.NewBuilder().Ints(0x00620004, n).Text(0x00620005, "a label").Text(0x00620008, "MANUAL").Items(0x00620003, code1(category)).Items(0x0062000F, code1(kind))
}

// boxesOf are the boxes of a finding's marks, by frame position.
func boxesOf(f *Finding) map[float64]string {
	out := map[float64]string{}
	for i := range f.Marks {
		lo, hi := f.Marks[i].Shape.Bounds()
		out[f.Marks[i].Plane.Origin[2]] = fmt.Sprintf("%g,%g-%g,%g", lo.X, lo.Y, hi.X, hi.Y)
	}
	return out
}

// Random frames of all kinds, of sizes whose frames do not begin at a byte, against a loop over pixels.
func TestSegmentationFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	for round := range 300 {
		rows, columns, frames := 1+r.IntN(40), 1+r.IntN(150), 1+r.IntN(7)
		bits := []int{1, 1, 8, 8, 16}[round%5]
		labels := bits == 16 || round%5 == 3
		b, boxes := segWith(r, bits, rows, columns, frames, func(b *dcm.Builder) {
			switch {
			case labels:
				b.Text(0x00620001, "LABELMAP").Text(0x00080016, storage+"66.7")
			case bits == 8:
				b.Text(0x00620001, "FRACTIONAL").Ints(0x0062000E, 255)
			}
		})
		d := readObject(t, b, Limits{})
		want := map[float64]string{}
		for f, box := range boxes {
			if box != "" {
				want[float64(3*f)] = box
			}
		}
		if len(want) == 0 {
			if len(d.Findings) != 0 || len(d.Excluded) != 1 {
				t.Fatalf("round %d: %s of an empty segment", round, summary(d))
			}
			continue
		}
		if len(d.Findings) != 1 || fmt.Sprint(boxesOf(&d.Findings[0])) != fmt.Sprint(want) {
			t.Fatalf("round %d, %d bits, %d x %d x %d: got %v (%v), want %v", round, bits, frames, rows, columns, d.Findings, d.Problems, want)
		}
		m := d.Findings[0].Marks[0]
		if m.Thick != 3 || m.ForUID != "1.7" || m.Plane.DX != 1 || m.Plane.DY != 2 {
			t.Fatalf("round %d: mark %+v", round, m)
		}
	}
}

// Every set pixel lies inside the polygon around them, and the polygon's corners are corners of set pixels.
func TestMaskHull(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 200 {
		rows, columns := 1+r.IntN(30), 1+r.IntN(70)
		p := make([]byte, (rows*columns+7)/8+8)
		var set []space.Point
		for range 1 + r.IntN(20) {
			k := r.IntN(rows * columns)
			p[k>>3] |= 1 << (k & 7)
			set = append(set, space.Point{X: float64(k % columns), Y: float64(k / columns)})
		}
		m := newMasks(rows)
		m.bits(p, 0, rows, columns)
		s := m.shape(1)
		for _, q := range set {
			for _, c := range [][2]float64{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
				x, y := q.X+c[0], q.Y+c[1]
				for i := range s.P {
					a, b := s.P[i], s.P[(i+1)%len(s.P)]
					if (b.X-a.X)*(y-a.Y)-(b.Y-a.Y)*(x-a.X) < -1e-9 {
						t.Fatalf("corner %g, %g of a set pixel lies outside %v", x, y, s.P)
					}
				}
			}
		}
	}
}

func TestSegments(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, c := range []struct {
		name           string
		category, kind Code
		want           string // F, F unsure, X
	}{
		{"lesion", Code{"49755003", "SCT"}, nodule, "F"},
		{"old codes", Code{"M-01000", "SRT"}, Code{"M-80003", "SRT"}, "F"},
		{"lesion by type", organ, nodule, "F"},
		{"organ", organ, liver, "X"},
		{"tissue, old codes", Code{"T-D0050", "SRT"}, Code{"T-62000", "SRT"}, "X"},
		{"device", Code{"260787004", "SCT"}, Code{"40388003", "SCT"}, "X"},
		{"private", Code{"1", "99ACME"}, Code{"2", "99ACME"}, "F unsure"},
		{"organ of a private type", organ, Code{"2", "99ACME"}, "F unsure"},
		{"unknown", Code{"1234", "SCT"}, Code{"5678", "SCT"}, "F unsure"},
		{"normal", Code{"49755003", "SCT"}, Code{"17621005", "SCT"}, "X"},
	} {
		b, _ := segWith(r, 1, 16, 16, 1, func(b *dcm.Builder) { b.Items(0x00620002, segmentItem(1, c.category, c.kind)) })
		d := readObject(t, b, Limits{})
		got := "X"
		if len(d.Findings) == 1 {
			got = strings.TrimSpace("F " + map[bool]string{true: "unsure"}[d.Findings[0].Unsure != ""])
		}
		if got != c.want || len(d.Findings)+len(d.Excluded) != 1 {
			t.Errorf("%s: got %s (%s), want %s", c.name, got, summary(d), c.want)
		}
	}
}

// What cannot be read of a segmentation that may hold a lesion is a problem, and no frame of it is guessed.
func TestSegmentationBroken(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for name, change := range map[string]func(*dcm.Builder){
		"more frames than pixels": func(b *dcm.Builder) { b.Ints(0x00280008, 4000) },
		"no segments":             func(b *dcm.Builder) { b.Delete(0x00620002) },
		"no place":                func(b *dcm.Builder) { b.Delete(0x52009229) },
		"no frame of reference":   func(b *dcm.Builder) { b.Delete(0x00200052) },
		"another segment": func(b *dcm.Builder) {
			b.Items(0x00620002, segmentItem(7, Code{"49755003", "SCT"}, nodule))
		},
		"position is no number": func(b *dcm.Builder) {
			b.Items(0x52009230, dcm.NewBuilder().Items(0x0062000A, dcm.NewBuilder().Ints(0x0062000B, 1)).Items(0x00209113, dcm.NewBuilder().Raw(0x00200032, "DS", []byte(`nan\nan\nan`))))
		},
		"bits": func(b *dcm.Builder) { b.Ints(0x00280100, 32).Ints(0x00280101, 32).Ints(0x00280102, 31) },
	} {
		b, _ := segWith(r, 1, 16, 16, 1, change)
		if d := readObject(t, b, Limits{}); len(d.Problems) == 0 || len(d.Findings) != 0 {
			t.Errorf("%s: %s, want a problem and no finding", name, summary(d))
		}
	}
}

func TestStructures(t *testing.T) {
	contour := func(v ...float64) *dcm.Builder {
		return dcm.NewBuilder().Text(0x30060042, "CLOSED_PLANAR").Ints(0x30060046, len(v)/3).Floats(0x30060050, v...)
	}
	set := func(kind, name string, contours ...*dcm.Builder) *dcm.Builder {
		return object(storage+"481.3", "RTSTRUCT").
			Items(0x30060020, dcm.NewBuilder().Ints(0x30060022, 3).Text(0x30060024, "1.7").Text(0x30060026, name)).
			Items(0x30060039, dcm.NewBuilder().Ints(0x30060084, 3).Items(0x30060040, contours...)).
			Items(0x30060080, dcm.NewBuilder().Ints(0x30060082, 1).Ints(0x30060084, 3).Text(0x300600A4, kind))
	}
	square := contour(0, 0, 5, 10, 0, 5, 10, 10, 5)
	long := strings.Repeat(`1.25\2.5\3.75\`, 6000)
	for _, c := range []struct {
		name string
		b    *dcm.Builder
		want string
	}{
		{"target volume", set("GTV", "x", square, contour(0, 0, 8, 10, 0, 8, 10, 10, 8)), "F ROI 3 space 1.7 3 space 1.7 3"},
		{"organ", set("ORGAN", "GTV", square), "X ROI 3"},
		{"no type, a name that tells", set("", "GTV primary", square), "F ROI 3 space 1.7 3"},
		{"no type", set("", "ring", square), "X ROI 3 blocks"},
		{"a type that is not known", set("GHOST", "x", square), "X ROI 3 blocks"},
		{"no contours", set("CTV", "x"), "X ROI 3 blocks"},
		{"number of points", set("GTV", "x", contour(0, 0, 5, 10, 0, 5).Ints(0x30060046, 3)), "X ROI 3 blocks; P ROI 3, contour 1"},
		{"two values", set("GTV", "x", square, dcm.NewBuilder().Text(0x30060042, "POINT").Floats(0x30060050, 1, 2)), "F ROI 3 space 1.7 3; P ROI 3, contour 2"},
		{"VR lost", set("GTV", "x", dcm.NewBuilder().Text(0x30060042, "CLOSED_PLANAR").Ints(0x30060046, 6000).Raw(0x30060050, "UN", []byte(long[:len(long)-1]+" "))), "F ROI 3 space 1.7 6000"},
	} {
		if got := summary(readObject(t, c.b, Limits{})); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// Overlay planes: types, an origin outside of the image, several frames, bits in pixel data.
func TestOverlays(t *testing.T) {
	const rows, columns = 20, 33
	plane := func(kind string, frames int, pixels ...[3]int) *dcm.Builder { // frame, x, y
		bits := make([]byte, (rows*columns*frames+7)/8+1)
		for _, p := range pixels {
			k := p[0]*rows*columns + p[2]*columns + p[1]
			bits[k>>3] |= 1 << (k & 7)
		}
		b := object(storage+"4", "MR").Ints(0x00280002, 1).Text(0x00280004, "MONOCHROME2").Ints(0x00280008, max(frames, 1)).Ints(0x00280010, rows).Ints(0x00280011, columns).Ints(0x00280100, 16).Ints(0x00280101, 12).
			Ints(0x00280102, 11).Ints(0x00280103, 0).Native(make([]byte, 2*rows*columns*max(frames, 1)))
		b.Raw(0x60000010, "US", []byte{rows, 0}).Raw(0x60000011, "US", []byte{columns, 0}).Raw(0x60000040, "CS", []byte(kind+" ")).Raw(0x60000050, "SS", []byte{1, 0, 1, 0}).
			Raw(0x60000100, "US", []byte{1, 0}).Raw(0x60000102, "US", []byte{0, 0}).Raw(0x60003000, "OW", bits[:len(bits)&^1])
		if frames > 1 {
			b.Raw(0x60000015, "IS", []byte(fmt.Sprintf("%d ", frames))).Raw(0x60000051, "US", []byte{1, 0})
		}
		return b
	}
	embedded := plane("R", 1)
	pix := make([]byte, 2*rows*columns)
	binary.LittleEndian.PutUint16(pix[2*(5*columns+7):], 1<<13|5)
	embedded.Delete(0x60003000).Raw(0x60000100, "US", []byte{16, 0}).Raw(0x60000102, "US", []byte{13, 0}).Native(pix)
	for _, c := range []struct {
		name string
		b    *dcm.Builder
		want string
	}{
		{"region", plane("R", 1, [3]int{0, 3, 4}, [3]int{0, 10, 9}), "F overlay 6000 1.2.9.1 3,4-11,10"},
		{"graphics", plane("G", 1, [3]int{0, 3, 4}), "X overlay 6000"},
		{"unknown type", plane("Z", 1, [3]int{0, 3, 4}), "X overlay 6000 blocks"},
		{"empty", plane("R", 1), "X overlay 6000"},
		{"origin outside", plane("R", 1, [3]int{0, 3, 4}).Raw(0x60000050, "SS", []byte{0xFE, 0xFF, 0xFB, 0xFF}), "F overlay 6000 1.2.9.1 -3,1--2,2"},
		{"frames", plane("R", 3, [3]int{0, 3, 4}, [3]int{2, 32, 19}), "F overlay 6000 1.2.9.1[1] 3,4-4,5 1.2.9.1[3] 32,19-33,20"},
		{"in pixel data", embedded, "F overlay 6000 1.2.9.1 7,5-8,6"},
		{"cut off", plane("R", 1).Raw(0x60003000, "OW", []byte{1, 0}), "P overlay 6000"},
	} {
		raw, err := c.b.File("1.2.840.10008.1.2.1")
		if err != nil {
			t.Fatal(err)
		}
		f, err := dcm.Scan(dcm.Bytes(raw), int64(len(raw)), dcm.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		ds, err := dcm.ReadDataset(dcm.Bytes(raw), f, dcm.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if !HasOverlays(f) {
			t.Errorf("%s: no overlay is seen", c.name)
		}
		if got := summary(ReadOverlays(dcm.Bytes(raw), f, ds, Limits{})); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzRead: no object panics, passes its limits, or gives shapes that nobody can place.
func FuzzRead(f *testing.F) {
	seg, _ := segWith(rand.New(rand.NewPCG(1, 1)), 1, 9, 11, 3, nil)
	for _, b := range []*dcm.Builder{seg, reportWith(groupOf(area2("CIRCLE", "1.1", 50, 60, 53, 64))),
		object(storage+"88.59", "KO").Items(0x0040A043, code1(Code{"113000", "DCM"})).Items(0x0040A730, imageOf("1.1")),
		object(storage+"481.3", "RTSTRUCT").Items(0x30060020, dcm.NewBuilder().Ints(0x30060022, 3).Text(0x30060026, "GTV").Text(0x30060024, "1.7")).
			Items(0x30060039, dcm.NewBuilder().Ints(0x30060084, 3).Items(0x30060040, dcm.NewBuilder().Floats(0x30060050, 1, 2, 3))),
		object(storage+"11.1", "PR").Items(0x00700001, dcm.NewBuilder().Items(0x00081140, dcm.NewBuilder().Text(0x00081155, "1.1")).
			Items(0x00700009, dcm.NewBuilder().Text(0x00700005, "PIXEL").Floats(0x00700022, 1, 2).Text(0x00700023, "POINT")))} {
		raw, err := b.File("1.2.840.10008.1.2.1")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	lim := Limits{Items: 2000, Points: 2000, Bytes: 4 << 20, Findings: 500}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<18 {
			return
		}
		file, err := dcm.Scan(dcm.Bytes(data), int64(len(data)), dcm.Limits{})
		if err != nil {
			return
		}
		docs := []*Document{Read(dcm.Bytes(data), file, lim)}
		if ds, err := dcm.ReadDataset(dcm.Bytes(data), file, dcm.Limits{}); err == nil && HasOverlays(file) {
			if d := ReadOverlays(dcm.Bytes(data), file, ds, lim); d != nil {
				docs = append(docs, d)
			}
		}
		for _, d := range docs {
			if len(d.Findings) > lim.Findings {
				t.Fatalf("%d findings", len(d.Findings))
			}
			for _, x := range d.Findings {
				for i := range x.Marks {
					m := &x.Marks[i]
					if m.Image == nil && m.Plane == nil && m.ForUID == "" && m.Series == "" && m.Segment == nil && m.ROI == nil {
						t.Fatalf("a mark without a place in %s", x.Item)
					}
					if m.Whole == "" && m.Shape.Type != None && m.Shape.Check() != "" {
						t.Fatalf("%s: %s", x.Item, m.Shape.Check())
					}
				}
			}
		}
	})
}
