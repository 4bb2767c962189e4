package preview

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/render"
)

// Described is what the header of an instance says about showing it.
type Described struct {
	Number       int // Instance Number
	SeriesNumber int
	Modality     string
	PHIRisk      bool
	frames       []described
}

// described is one frame's part of it.
type described struct {
	display  Display
	tables   []Table
	plane    *Plane
	position []float64
}

// Describe reads an instance's header. Of an enhanced image the frame's
// functional groups win over the shared ones, and these over the data set, macro by macro.
func Describe(ds *dcm.Dataset, frames int) *Described {
	d := &Described{Modality: ds.String(0x00080060), PHIRisk: render.PHIRisk(ds), frames: make([]described, frames)}
	if v := ds.Ints(0x00200013); len(v) > 0 {
		d.Number = clampInt(v[0])
	}
	if v := ds.Ints(0x00200011); len(v) > 0 {
		d.SeriesNumber = clampInt(v[0])
	}
	per, shared := ds.Items(0x52009230), first(ds, 0x52009229)
	tables := tablesOf(ds)
	var plain *described // what frames without groups of their own share
	for i := range d.frames {
		if len(per) == 0 && plain != nil {
			d.frames[i] = *plain
			continue
		}
		g := groups{ds: ds, shared: shared}
		if i < len(per) {
			g.frame = per[i]
		}
		f := &d.frames[i]
		f.tables = tables
		f.display = g.display(f)
		f.plane, f.position = g.plane()
		plain = f
	}
	return d
}

func clampInt(v int) int { return max(-1<<31, min(v, 1<<31)) }

// groups finds macros of one frame.
type groups struct{ frame, shared, ds *dcm.Dataset }

func first(d *dcm.Dataset, tag uint32) *dcm.Dataset {
	if d == nil {
		return nil
	}
	if items := d.Items(tag); len(items) > 0 {
		return items[0]
	}
	return nil
}

// macro returns the item of a functional group, or the data set itself where there is none.
func (g groups) macro(tag uint32) *dcm.Dataset {
	for _, d := range []*dcm.Dataset{g.frame, g.shared} {
		if m := first(d, tag); m != nil {
			return m
		}
	}
	return g.ds
}

func numbers(d *dcm.Dataset, tag uint32, n int) ([]float64, bool) {
	v := d.Floats(tag)
	if len(v) < n {
		return nil, false
	}
	for _, x := range v[:n] {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, false
		}
	}
	return v[:n], true
}

// display reads Modality LUT, VOI LUT and padding (PS3.3 C.11.1, C.11.2, C.7.5.1.1.2; C.7.6.16.2.9 and .10 in enhanced images).
func (g groups) display(f *described) Display {
	var d Display
	value := g.macro(0x00289145)
	slope, hasSlope := numbers(value, 0x00281053, 1)
	intercept, hasIntercept := numbers(value, 0x00281052, 1)
	d.Slope = 1
	if hasSlope && hasIntercept {
		d.Rescaled, d.Slope, d.Intercept = true, slope[0], intercept[0]
	}
	d.RescaleType = code(value.String(0x00281054))
	voi := g.macro(0x00289132)
	center, width := voi.Floats(0x00281050), voi.Floats(0x00281051)
	for i := range min(len(center), len(width), 64) {
		if finite(center[i]) && finite(width[i]) {
			d.Windows = append(d.Windows, Window{center[i], width[i], code(voi.String(0x00281056))})
		}
	}
	if voi != g.ds {
		f.tables = appendLUT(slices.Clone(f.tables), VOILUT, first(voi, 0x00283010))
	}
	d.Inverse = g.ds.String(0x20500020) == "INVERSE"
	if v := g.ds.Ints(0x00280120); len(v) > 0 {
		d.Padded, d.Padding = true, [2]int{clampInt(v[0]), clampInt(v[0])}
		if w := g.ds.Ints(0x00280121); len(w) > 0 {
			d.Padding[1] = clampInt(w[0])
		}
	}
	return d
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// code passes what has the form of a DICOM code string (CS, PS3.5 6.2): nothing else may enter the index from a header.
func code(s string) string {
	if len(s) > 16 {
		return ""
	}
	for _, r := range s {
		if !(r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == ' ') {
			return ""
		}
	}
	return s
}

// tablesOf reads the lookup tables of the data set.
func tablesOf(ds *dcm.Dataset) []Table {
	list := appendLUT(nil, ModalityLUT, first(ds, 0x00283000))
	list = appendLUT(list, VOILUT, first(ds, 0x00283010))
	if ds.String(0x00280004) != "PALETTE COLOR" {
		return list
	}
	for n := range uint32(3) {
		t := Table{Kind: PaletteRed + TableKind(n)}
		tag := 0x00281201 + n
		if t.Segmented = !ds.Has(tag); t.Segmented {
			tag = 0x00281221 + n
		}
		vr := ds.VR(tag)
		t.Bytes = string(vr[:]) == "OB"
		list = appendTable(list, t, ds.Ints(0x00281101+n), ds.Ints(tag))
	}
	return list
}

func appendLUT(list []Table, kind TableKind, d *dcm.Dataset) []Table {
	if d == nil {
		return list
	}
	return appendTable(list, Table{Kind: kind}, d.Ints(0x00283002), d.Ints(0x00283006))
}

func appendTable(list []Table, t Table, descriptor, data []int) []Table {
	if len(descriptor) < 3 || len(data) == 0 || len(data) > 1<<17 {
		return list
	}
	for i := range t.Descriptor {
		t.Descriptor[i] = clampInt(descriptor[i])
	}
	t.Data = make([]uint16, len(data))
	for i, v := range data {
		t.Data[i] = uint16(v)
	}
	return append(list, t)
}

// plane reads position, orientation and pixel measures (PS3.3 C.7.6.2; C.7.6.16.2.1, .3 and .4 in enhanced images).
func (g groups) plane() (*Plane, []float64) {
	p := &Plane{FrameOfReference: uid(g.ds.String(0x00200052))}
	if v, ok := numbers(g.macro(0x00209116), 0x00200037, 6); ok {
		p.Oriented, p.Orientation = true, [6]float64(v)
	}
	measures := g.macro(0x00289110)
	for _, tag := range []uint32{0x00280030, 0x00181164, 0x00182010, 0x00280034} {
		from := g.ds
		if tag == 0x00280030 {
			from = measures
		}
		if v, ok := numbers(from, tag, 2); ok && v[0] > 0 && v[1] > 0 {
			p.Spacing, p.SpacingOf = [2]float64(v), tag
			break
		}
	}
	if v, ok := numbers(measures, 0x00180050, 1); ok {
		p.Thickness = v[0]
	}
	position, _ := numbers(g.macro(0x00209113), 0x00200032, 3)
	if *p == (Plane{}) {
		p = nil
	}
	return p, position
}

// uid passes a UID and nothing else.
func uid(s string) string {
	if len(s) > 64 {
		return ""
	}
	for _, r := range s {
		if r != '.' && (r < '0' || r > '9') {
			return ""
		}
	}
	return s
}

// Order sorts the instances of a series as a viewer shows them: along the
// normal where every instance has a position and one orientation, else by Instance Number; then by SOP Instance UID. key gives these of one.
func Order[T any](list []T, key func(T) (*Described, string)) {
	at := make(map[*Described]float64, len(list))
	along := len(list) > 0
	var normal [6]float64
	for i, x := range list {
		d, _ := key(x)
		if len(d.frames) == 0 || d.frames[0].plane == nil || !d.frames[0].plane.Oriented || d.frames[0].position == nil {
			along = false
			break
		}
		o := d.frames[0].plane.Orientation
		if i == 0 {
			normal = o
		}
		for k := range o {
			along = along && math.Abs(o[k]-normal[k]) < 1e-3
		}
		p := d.frames[0].position
		at[d] = p[0]*(normal[1]*normal[5]-normal[2]*normal[4]) + p[1]*(normal[2]*normal[3]-normal[0]*normal[5]) + p[2]*(normal[0]*normal[4]-normal[1]*normal[3])
	}
	slices.SortStableFunc(list, func(x, y T) int {
		a, nameA := key(x)
		b, nameB := key(y)
		position := 0
		if along {
			position = cmp.Compare(at[a], at[b])
		}
		return cmp.Or(position, cmp.Compare(a.Number, b.Number), cmp.Compare(nameA, nameB))
	})
}

// Descriptions collects what many frames share, each description once. The zero value is ready for use.
type Descriptions struct {
	displays, planes, tables, images map[string]int
	last                             *Table // the tables of the frame before, which are as a rule those of the next
	numbers                          []int
}

func number[T any](seen *map[string]int, list *[]T, v T) int {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("preview: descriptions have finite numbers only: " + err.Error())
	}
	n, ok := (*seen)[string(raw)]
	if !ok {
		if *seen == nil {
			*seen = map[string]int{}
		}
		n = len(*list)
		(*seen)[string(raw)] = n
		*list = append(*list, v)
	}
	return n
}

// Image returns the number of an image description in the index.
func (s *Descriptions) Image(x *Index, m Image) int { return number(&s.images, &x.Images, m) }

// Frame notes what the header says about frame n.
func (s *Descriptions) Frame(x *Index, f *Frame, d *Described, n int) {
	q := &d.frames[n]
	display := q.display
	if len(q.tables) > 0 && &q.tables[0] != s.last {
		s.last, s.numbers = &q.tables[0], nil
		for _, t := range q.tables {
			s.numbers = append(s.numbers, number(&s.tables, &x.Tables, t))
		}
	}
	if len(q.tables) > 0 {
		display.Tables = s.numbers
	}
	f.Display, f.Plane = number(&s.displays, &x.Displays, display), -1
	if q.plane != nil {
		f.Plane = number(&s.planes, &x.Planes, *q.plane)
	}
	if q.position != nil {
		f.Placed, f.Position = true, [3]float64(q.position)
	}
}
