package crop

import (
	"slices"

	"github.com/radtier/radtier/internal/dcm"
)

// outline is a set of attributes that say what of a frame is open: display
// shutter (PS3.3 C.7.6.11) and collimator (C.8.7.3). Columns and rows count from 1.
type outline struct {
	shape                    uint32
	left, right, upper, down uint32 // the outermost that are open
	centre, radius           uint32
	vertices                 uint32   // row\column pairs
	with                     []uint32 // what goes with the last shape
}

var (
	shutter    = outline{0x00181600, 0x00181602, 0x00181604, 0x00181606, 0x00181608, 0x00181610, 0x00181612, 0x00181620, []uint32{0x00181622, 0x00181624}}
	collimator = outline{0x00181700, 0x00181702, 0x00181704, 0x00181706, 0x00181708, 0x00181710, 0x00181712, 0x00181720, nil}
)

// shutters moves the shutter and the collimator of the root.
func (m *maker) shutters() error {
	for _, o := range []outline{shutter, collimator} {
		if err := m.edges(m.e, o); err != nil {
			return err
		}
	}
	return nil
}

// edges moves the shapes of an outline into the rectangle, and removes those that hide nothing of it.
func (m *maker) edges(e *dcm.Edit, o outline) error {
	if !e.Has(o.shape) {
		return nil
	}
	v, err := e.Values()
	if err != nil {
		return err
	}
	list := v.Strings(o.shape)
	if len(list) > 3 {
		return unsupported(o.shape, "%d shapes", len(list))
	}
	var shapes []string
	var moved []*dcm.Builder
	for _, shape := range list {
		var remains bool
		b := dcm.NewBuilder()
		switch shape {
		case "RECTANGULAR":
			remains, err = m.straight(b, v, o)
		case "CIRCULAR":
			remains, err = m.round(b, v, o)
		case "POLYGONAL":
			remains, err = m.polygon(b, v, o)
		default:
			err = unsupported(o.shape, "an unknown shape")
		}
		if err != nil {
			return err
		}
		if remains && !slices.Contains(shapes, shape) {
			shapes, moved = append(shapes, shape), append(moved, b)
		}
	}
	e.DeleteTags(o.shape, o.left, o.right, o.upper, o.down, o.centre, o.radius, o.vertices)
	if len(shapes) == 0 {
		e.DeleteTags(o.with...)
		return nil
	}
	for _, b := range append(moved, dcm.NewBuilder().Text(o.shape, shapes...)) {
		if err := e.Set(b); err != nil {
			return err
		}
	}
	return nil
}

// reach bounds coordinates outside of the frame, which are legal.
const reach = 1 << 24

// coordinates reads n integers, or any even number for n 0.
func coordinates(v *dcm.Dataset, tag uint32, n int) ([]int, error) {
	list := v.Ints(tag)
	if n > 0 && len(list) != n || n == 0 && (len(list) < 2 || len(list)%2 != 0) {
		return nil, unsupported(tag, "%d coordinates", len(list))
	}
	for _, c := range list {
		if c < -reach || c > reach {
			return nil, unsupported(tag, "a coordinate far away")
		}
	}
	return list, nil
}

// straight moves vertical and horizontal edges. Those beyond the rectangle are
// put just outside of it, where they hide as much of it as before: nothing or all.
func (m *maker) straight(b *dcm.Builder, v *dcm.Dataset, o outline) (remains bool, err error) {
	r := m.spec.Rect
	for _, edge := range []struct {
		tag          uint32
		shift, n     int
		lower, upper bool
	}{{o.left, r.X, r.W, true, false}, {o.right, r.X, r.W, false, true}, {o.upper, r.Y, r.H, true, false}, {o.down, r.Y, r.H, false, true}} {
		list, err := coordinates(v, edge.tag, 1)
		if err != nil {
			return false, err
		}
		at := list[0] - edge.shift
		if edge.lower {
			at = min(max(at, 1), edge.n+1)
			remains = remains || at > 1
		} else {
			at = min(max(at, 0), edge.n)
			remains = remains || at < edge.n
		}
		b.Ints(edge.tag, at)
	}
	return remains, nil
}

func (m *maker) round(b *dcm.Builder, v *dcm.Dataset, o outline) (remains bool, err error) {
	centre, err := coordinates(v, o.centre, 2) // row\column
	if err != nil {
		return false, err
	}
	radius, err := coordinates(v, o.radius, 1)
	if err != nil {
		return false, err
	}
	r := m.spec.Rect
	y, x := centre[0]-r.Y, centre[1]-r.X
	for _, cy := range []int{1, r.H} {
		for _, cx := range []int{1, r.W} {
			dx, dy, rad := int64(cx-x), int64(cy-y), int64(radius[0])
			remains = remains || dx*dx+dy*dy > rad*rad
		}
	}
	b.Ints(o.centre, y, x).Ints(o.radius, radius[0])
	return remains, nil
}

// polygon moves vertices. Whether the rectangle lies inside is not looked at: a polygon that hides nothing harms nobody.
func (m *maker) polygon(b *dcm.Builder, v *dcm.Dataset, o outline) (remains bool, err error) {
	list, err := coordinates(v, o.vertices, 0)
	if err != nil {
		return false, err
	}
	list = slices.Clone(list)
	for i := range list {
		if i%2 == 0 {
			list[i] -= m.spec.Rect.Y
		} else {
			list[i] -= m.spec.Rect.X
		}
	}
	b.Ints(o.vertices, list...)
	return true, nil
}
