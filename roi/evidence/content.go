package evidence

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/roi/space"
)

// node is one content item of a structured report (PS3.3 C.17.3).
type node struct {
	path     string // ordinals from the root, "1.5.2": what Referenced Content Item Identifier says
	rel, typ string // Relationship Type, Value Type
	name     Code   // Concept Name
	ds       *dcm.Dataset
	parent   *node
	children []*node
}

// tree is the content of a document.
type tree struct {
	root     *node
	at       map[string]*node
	items    int
	problems []Problem
}

// readTree walks the Content Sequence (0040,A730) whatever class, template or relationships an object claims; what it finds
// broken is a problem, and the rest is read all the same.
func readTree(ds *dcm.Dataset, lim Limits) *tree {
	t := &tree{at: map[string]*node{}}
	t.root = &node{path: "1", typ: ds.String(0x0040A040), name: code(ds, 0x0040A043), ds: ds}
	t.at["1"] = t.root
	t.fill(t.root, 1, lim)
	return t
}

func (t *tree) problem(item string, tag uint32, format string, args ...any) {
	if len(t.problems) < 100 {
		t.problems = append(t.problems, Problem{item, tag, fmt.Sprintf(format, args...)})
	}
}

func (t *tree) fill(n *node, depth int, lim Limits) {
	if !n.ds.Has(0x0040A730) {
		return
	}
	if depth > lim.Depth {
		t.problem(n.path, 0x0040A730, "content is nested more than %d deep", lim.Depth)
		return
	}
	items, err := n.ds.Sequence(0x0040A730)
	if err != nil {
		t.problem(n.path, 0x0040A730, "content cannot be read to its end")
	}
	for i, ds := range items {
		if t.items++; t.items > lim.Items {
			t.problem(n.path, 0x0040A730, "more than %d content items", lim.Items)
			return
		}
		c := &node{path: n.path + "." + strconv.Itoa(i+1), rel: ds.String(0x0040A010), typ: ds.String(0x0040A040), name: code(ds, 0x0040A043), ds: ds, parent: n}
		n.children = append(n.children, c)
		t.at[c.path] = c
		t.fill(c, depth+1, lim)
	}
}

// target follows a by-reference relationship (0040,DB73) to the item that it names; items with content of their own are themselves.
func (t *tree) target(n *node) *node {
	if n == nil || !n.ds.Has(0x0040DB73) || n.typ != "" {
		return n
	}
	var path []string
	for _, k := range n.ds.Ints(0x0040DB73) {
		path = append(path, strconv.Itoa(k))
	}
	return t.at[strings.Join(path, ".")] // one step: a target is never followed further, so nothing goes round
}

// walk visits an item and all below it, as long as visit says so.
func (n *node) walk(visit func(*node) bool) {
	if !visit(n) {
		return
	}
	for _, c := range n.children {
		c.walk(visit)
	}
}

// value is the code of a CODE item.
func (n *node) value() Code { return code(n.ds, 0x0040A168) }

// reference is what an IMAGE or COMPOSITE item refers to.
type reference struct {
	Image
	segments []int
}

func (n *node) reference() (r reference, ok bool) {
	ref := first(n.ds, 0x00081199)
	if ref == nil {
		return r, false
	}
	r.ClassUID, r.SOPUID = ref.String(0x00081150), ref.String(0x00081155)
	r.Frames, r.segments = ref.Ints(0x00081160), ref.Ints(0x0062000B)
	return r, r.SOPUID != ""
}

// planar reads SCOORD (PS3.3 C.18.6): edge coordinates, column and row of the upper left corner of the image being 0\0. whole says
// why it can only mean the whole image.
func (n *node) planar(lim Limits) (s Shape, whole string) {
	v := n.ds.Floats(0x00700022)
	if len(v) == 0 || len(v)%2 != 0 {
		return Shape{Type: Points}, fmt.Sprintf("graphic data of %d values", len(v))
	}
	if len(v)/2 > lim.Points {
		return Shape{Type: Points}, fmt.Sprintf("more than %d points", lim.Points)
	}
	for i := 0; i < len(v); i += 2 {
		s.P = append(s.P, space.Point{X: v[i], Y: v[i+1]})
	}
	switch kind := n.ds.String(0x00700023); kind {
	case "POINT", "MULTIPOINT":
		s.Type = Points
	case "POLYLINE":
		s.Type = Polyline
		if len(s.P) > 2 && s.P[0] == s.P[len(s.P)-1] {
			s.Type = Polygon
		}
		if len(s.P) == 1 {
			s.Type = Points
		}
	case "CIRCLE":
		s.Type = Circle
	case "ELLIPSE":
		s.Type = Ellipse
	default:
		s.Type = Points
		whole = "a graphic type that is not known"
	}
	if whole == "" {
		whole = s.Check()
	}
	return s, whole
}

// spatial reads SCOORD3D (PS3.3 C.18.9): mm in the frame of reference.
func (n *node) spatial(lim Limits) (s Shape, why string) {
	v := n.ds.Floats(0x00700022)
	if len(v) == 0 || len(v)%3 != 0 {
		return s, fmt.Sprintf("graphic data of %d values for points in space", len(v))
	}
	if len(v)/3 > lim.Points {
		return s, fmt.Sprintf("more than %d points", lim.Points)
	}
	for i := 0; i < len(v); i += 3 {
		s.V = append(s.V, space.Vec{v[i], v[i+1], v[i+2]})
	}
	switch n.ds.String(0x00700023) {
	case "POINT", "MULTIPOINT", "POLYLINE", "POLYGON":
		s.Type = Points3
	case "ELLIPSE":
		s.Type = Ellipse3
	case "ELLIPSOID":
		s.Type = Ellipsoid
	default:
		return s, "a graphic type that is not known"
	}
	return s, s.Check()
}

func (l Limits) withDefaults() Limits {
	if l.Depth == 0 {
		l.Depth = 64
	}
	if l.Items == 0 {
		l.Items = 200_000
	}
	if l.Points == 0 {
		l.Points = 1_000_000
	}
	if l.Bytes == 0 {
		l.Bytes = 256 << 20
	}
	if l.Findings == 0 {
		l.Findings = 10_000
	}
	return l
}

// references lists what the evidence sequences of a document name (PS3.3 C.17.2.3): the images with study and series.
func references(ds *dcm.Dataset, lim Limits) (list []Image) {
	for _, tag := range []uint32{0x0040A375, 0x0040A385, 0x0040A390, 0x00081115} { // current, pertinent other, identical documents; series of presentation states
		for _, st := range ds.Items(tag) {
			series := st.Items(0x00081115)
			if tag == 0x00081115 {
				series = []*dcm.Dataset{st}
			}
			for _, se := range series {
				for _, refs := range [2]uint32{0x00081199, 0x00081140} {
					for _, ref := range se.Items(refs) {
						if len(list) >= lim.Items {
							return list
						}
						if uid := ref.String(0x00081155); uid != "" {
							list = append(list, Image{StudyUID: st.String(0x0020000D), SeriesUID: se.String(0x0020000E), SOPUID: uid, ClassUID: ref.String(0x00081150), Frames: ref.Ints(0x00081160)})
						}
					}
				}
			}
		}
	}
	return list
}
