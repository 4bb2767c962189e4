package roi

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/radtier/radtier/roi/space"
)

// part is what one lesion needs of one stack; parts of a stack that are near one another become one region.
type part struct {
	stack      *stack
	lesions    []*lesion
	keep       map[int]bool // slices, by number in the stack
	lo, hi     space.Point  // edge coordinates, margins included; of crops
	box        extent       // without margins, along the stack's axes
	whole      string       // why whole slices; "" for a crop
	why        string       // which rule chose the part
	uncertain  bool
	margin     Margin
	references []int // slices that are kept whole for orientation: one for each lesion that was marked on the stack, or on none
}

// loose is what is kept of an image without a place in the patient.
type loose struct {
	image   *Image
	lesions []*lesion
	frames  map[int]bool
	why     string
}

// partsOf plans one lesion.
func partsOf(l *lesion, stacks []*stack, p *Policy) []*part {
	var out []*part
	own := l.ownSeries()
	refers := map[string]bool{}
	for i := range l.bodies {
		refers[l.bodies[i].forUID] = true
	}
	var oriented bool
	for _, s := range stacks {
		if !refers[s.forUID] {
			continue
		}
		mine := own[s.series] || len(own) == 0 && l.parallelTo(s)
		if !mine && (p.AnnotatedSeriesOnly && len(own) > 0 || localizer(s)) {
			continue
		}
		if x := l.partIn(s, mine, p); x != nil {
			if !mine && len(own) == 0 {
				x.why = "stated in this frame of reference"
			}
			oriented = oriented || len(x.references) > 0
			out = append(out, x)
		}
	}
	if x := finest(out); x != nil && !oriented { // stated in the patient, not on a series
		x.references = []int{l.reference(x)}
	}
	return append(append(out, l.elsewhere(stacks, p)...), l.keys(stacks, p)...)
}

// finest is the part in the series with the thinnest slices.
func finest(parts []*part) (best *part) {
	for _, x := range parts {
		if s := x.stack.step; best == nil || s > 0 && (s < best.stack.step || best.stack.step == 0) {
			best = x
		}
	}
	return best
}

func localizer(s *stack) bool { return s.slices[0].image.Localizer }

func (l *lesion) parallelTo(s *stack) bool {
	return slices.ContainsFunc(l.bodies, func(b body) bool {
		return b.forUID == s.forUID && b.normal != (space.Vec{}) && math.Abs(b.normal.Dot(s.norm)) > 0.999
	})
}

// partIn is what the lesion needs of a stack in its frame of reference, nil if it lies outside.
func (l *lesion) partIn(s *stack, mine bool, p *Policy) *part {
	e := l.extentIn(s, s.forUID)
	if e.empty() {
		return nil
	}
	x := &part{stack: s, lesions: []*lesion{l}, box: e, keep: map[int]bool{}, why: "marked on this series"}
	inPlane, along := p.InPlane, max(p.Along, s.step)
	if !mine {
		inPlane, along = p.Other, max(p.Other, s.step)
		x.why = "same frame of reference as a marked series"
	}
	inPlane += p.Share * l.longest(s)
	x.margin = Margin{InPlane: round(inPlane), Along: round(along)}
	if !x.touches() {
		return nil
	}
	for _, q := range l.spots {
		if q.whole != "" && q.image.SeriesUID == s.series {
			x.whole = q.whole
		}
	}
	mx := max(up(inPlane/s.dx), minMargin)
	my := max(up(inPlane/s.dy), minMargin)
	first := true
	for i := range s.slices {
		q := &s.slices[i]
		if !q.meets(e.min[2]-along, e.max[2]+along) {
			continue
		}
		x.keep[i] = true
		lo, hi := e.edges(q.plane())
		lo = space.Point{X: down(lo.X) - mx, Y: down(lo.Y) - my}
		hi = space.Point{X: up(hi.X) + mx, Y: up(hi.Y) + my}
		if first {
			x.lo, x.hi, first = lo, hi, false
			continue
		}
		x.lo = space.Point{X: min(x.lo.X, lo.X), Y: min(x.lo.Y, lo.Y)}
		x.hi = space.Point{X: max(x.hi.X, hi.X), Y: max(x.hi.Y, hi.Y)}
	}
	if len(x.keep) == 0 {
		return nil
	}
	if mine {
		x.references = []int{l.reference(x)}
	}
	return x
}

// touches reports whether the lesion, without margins, meets a slice of the stack.
func (x *part) touches() bool {
	for i := range x.stack.slices {
		q := &x.stack.slices[i]
		if !q.meets(x.box.min[2], x.box.max[2]) {
			continue
		}
		lo, hi := x.box.edges(q.plane())
		if hi.X >= 0 && hi.Y >= 0 && lo.X <= float64(x.stack.columns) && lo.Y <= float64(x.stack.rows) {
			return true
		}
	}
	return false
}

// reference is the slice of a part that shows most of its lesion.
func (l *lesion) reference(x *part) int {
	best, area := -1, -1.0
	middle := (x.box.min[2] + x.box.max[2]) / 2
	distance := func(i int) float64 { return math.Abs(x.stack.slices[i].t - middle) }
	var kept []int
	for i := range x.keep {
		kept = append(kept, i)
	}
	slices.Sort(kept)
	for _, i := range kept {
		q := &x.stack.slices[i]
		most := 0.0
		for k := range l.bodies {
			b := &l.bodies[k]
			if b.forUID != x.stack.forUID || b.normal == (space.Vec{}) && len(b.v) > 1 && !b.crosses(x.stack.norm, q) {
				continue
			}
			if b.normal != (space.Vec{}) && math.Abs(b.v[0].Dot(x.stack.norm)-q.t) > q.half+samePosition && math.Abs(b.normal.Dot(x.stack.norm)) > 0.999 {
				continue
			}
			most = max(most, b.area)
		}
		if best < 0 || most > area || most == area && distance(i) < distance(best) {
			best, area = i, most
		}
	}
	return best
}

func (b *body) crosses(norm space.Vec, q *slice) bool {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range b.v {
		d := v.Dot(norm)
		lo, hi = min(lo, d-b.radius), max(hi, d+b.radius)
	}
	return lo <= q.t+q.half && hi >= q.t-q.half
}

// elsewhere keeps whole slices of stacks in other frames of reference that are cut alike and overlap: the same body, moved by an unknown amount.
func (l *lesion) elsewhere(stacks []*stack, p *Policy) []*part {
	if p.AnnotatedSeriesOnly {
		return nil
	}
	var out []*part
	for _, s := range stacks {
		if localizer(s) {
			continue
		}
		for _, o := range stacks { // a stack in the lesion's frame of reference that is cut like s
			if o.forUID == s.forUID || math.Abs(o.norm.Dot(s.norm)) < 0.99 || math.Abs(o.row.Dot(s.row)) < 0.99 {
				continue
			}
			e := l.extentIn(s, o.forUID)
			if e.empty() {
				continue
			}
			if f := l.extentIn(s, s.forUID); !f.empty() {
				break // it is marked there, too
			}
			x := &part{stack: s, lesions: []*lesion{l}, box: e, keep: map[int]bool{}, uncertain: true,
				why: "another frame of reference at the same place", whole: "the frame of reference differs from the marked series'"}
			along := max(p.Other, s.step)
			x.margin = Margin{Along: along}
			if !x.touches() {
				continue
			}
			x.slab(e.min[2]-along, e.max[2]+along)
			out = append(out, x)
			break
		}
	}
	return out
}

// slab keeps all slices that meet a range along the normal.
func (x *part) slab(from, to float64) {
	for i := range x.stack.slices {
		if x.stack.slices[i].meets(from, to) {
			x.keep[i] = true
		}
	}
}

// keys keeps key slices and their neighbours, and the same slab of the thinnest parallel series.
func (l *lesion) keys(stacks []*stack, p *Policy) []*part {
	var out []*part
	for _, s := range stacks {
		x := &part{stack: s, lesions: []*lesion{l}, keep: map[int]bool{}, whole: "named without geometry", why: "key slices", box: nothing()}
		along := max(p.KeySlab, s.step)
		x.margin = Margin{Along: along}
		type position struct{ lo, hi float64 }
		var at []position
		for _, q := range l.spots {
			if !q.key || q.image.SeriesUID != s.series {
				continue
			}
			pl := q.image.Frames[q.frame].Plane
			if pl == nil || q.image.ForUID != s.forUID || !s.takes(pl) {
				continue
			}
			t := pl.Origin.Dot(s.norm)
			at = append(at, position{t, t})
			x.box.add(s, pl.At(0, 0), 0)
			x.box.add(s, pl.At(float64(pl.Columns), float64(pl.Rows)), 0)
		}
		if len(at) == 0 {
			continue
		}
		for _, a := range at {
			x.slab(a.lo-along, a.hi+along)
		}
		out = append(out, x)
		var thin *stack
		for _, o := range stacks {
			if o != s && o.series != s.series && o.forUID == s.forUID && o.parallel(s) && !localizer(o) && o.step > 0 && (thin == nil || o.step < thin.step) {
				thin = o
			}
		}
		if thin == nil || s.step > 0 && thin.step >= s.step {
			continue
		}
		y := &part{stack: thin, lesions: x.lesions, keep: map[int]bool{}, whole: x.whole, why: "key slices, in the thinnest parallel series", box: x.box, margin: x.margin}
		sign := 1.0
		if thin.norm.Dot(s.norm) < 0 {
			sign = -1
		}
		for _, a := range at {
			y.slab(min(sign*a.lo, sign*a.hi)-along, max(sign*a.lo, sign*a.hi)+along)
		}
		if len(y.keep) > 0 {
			out = append(out, y)
		}
	}
	return out
}

// loosely keeps images without a place whole.
func loosely(l *lesion, placed map[frameID]bool) []*loose {
	var out []*loose
	at := map[*Image]*loose{}
	for _, q := range l.spots {
		if placed[frameID{q.image, q.frame}] {
			continue
		}
		x := at[q.image]
		if x == nil {
			x = &loose{image: q.image, lesions: []*lesion{l}, frames: map[int]bool{}, why: "no geometry in the patient: the whole instance"}
			at[q.image] = x
			out = append(out, x)
		}
		x.frames[q.frame] = true
	}
	return out
}

// decide says why a part is kept in whole slices, "" if a crop pays.
func (x *part) decide(p *Policy) string {
	s := x.stack
	im := s.slices[0].image
	switch {
	case x.whole != "":
		return x.whole
	case p.WholeSlices:
		return "the policy keeps whole slices"
	case s.whole != "":
		return s.whole
	case !crossSection(im.Modality):
		return "not a cross-section (" + im.Modality + ")"
	case s.columns <= p.SmallFrame && s.rows <= p.SmallFrame:
		return fmt.Sprintf("frames of at most %d x %d", p.SmallFrame, p.SmallFrame)
	}
	r := x.rect(p)
	share := float64(r.W) * float64(r.H) / (float64(s.columns) * float64(s.rows))
	if share > p.MaxCropShare {
		return fmt.Sprintf("a crop would be more than %.0f %% of the frame", 100*p.MaxCropShare)
	}
	return ""
}

// crossSection reports whether instances of a modality are slices of the patient.
func crossSection(modality string) bool {
	switch modality {
	case "CT", "MR", "PT", "NM":
		return true
	}
	return false
}

// rect is the part's rectangle: inside the frame, and no side shorter than the least one.
func (x *part) rect(p *Policy) Rect {
	x0, w := span(x.lo.X, x.hi.X, x.stack.columns, p.MinSide)
	y0, h := span(x.lo.Y, x.hi.Y, x.stack.rows, p.MinSide)
	return Rect{x0, y0, w, h}
}

func span(lo, hi float64, size, least int) (from, n int) {
	a := int(min(max(math.Floor(lo), 0), float64(size-1)))
	b := int(min(max(math.Ceil(hi), float64(a+1)), float64(size)))
	least = min(least, size)
	if b-a < least {
		a -= (least - (b - a) + 1) / 2
		a = min(max(a, 0), size-least)
		b = a + least
	}
	return a, b - a
}

// merge joins crops of one stack that overlap or lie near one another, until nothing changes. parts are sorted.
func merge(parts []*part, p *Policy) []*part {
	for {
		joined := false
		for i := 0; i < len(parts) && !joined; i++ {
			for j := i + 1; j < len(parts); j++ {
				if parts[i].absorbs(parts[j], p) {
					parts = slices.Delete(parts, j, j+1)
					joined = true
					break
				}
			}
		}
		if !joined {
			return parts
		}
	}
}

// absorbs joins o into x if that costs little.
func (x *part) absorbs(o *part, p *Policy) bool {
	if x.stack != o.stack || (x.whole == "") != (o.whole == "") || x.uncertain != o.uncertain {
		return false
	}
	if x.whole == "" {
		from, to := x.ends()
		ofrom, oto := o.ends()
		s := x.stack
		gapX := max(x.lo.X, o.lo.X) - min(x.hi.X, o.hi.X)
		gapY := max(x.lo.Y, o.lo.Y) - min(x.hi.Y, o.hi.Y)
		gapT := max(s.slices[from].t, s.slices[ofrom].t) - min(s.slices[to].t, s.slices[oto].t)
		if gapX*s.dx >= p.MergeGap || gapY*s.dy >= p.MergeGap || gapT >= p.MergeGap {
			return false
		}
		lo := space.Point{X: min(x.lo.X, o.lo.X), Y: min(x.lo.Y, o.lo.Y)}
		hi := space.Point{X: max(x.hi.X, o.hi.X), Y: max(x.hi.Y, o.hi.Y)}
		n := 0
		for i := range s.slices {
			if i >= min(from, ofrom) && i <= max(to, oto) {
				n++
			}
		}
		volume := func(lo, hi space.Point, n int) float64 { return (hi.X - lo.X) * (hi.Y - lo.Y) * float64(n) }
		if volume(lo, hi, n) > p.MergeGrowth*(volume(x.lo, x.hi, len(x.keep))+volume(o.lo, o.hi, len(o.keep))) {
			return false
		}
		x.lo, x.hi = lo, hi
		for i := min(from, ofrom); i <= max(to, oto); i++ {
			x.keep[i] = true
		}
	}
	for i := range o.keep {
		x.keep[i] = true
	}
	for _, i := range o.references {
		if !slices.Contains(x.references, i) {
			x.references = append(x.references, i)
		}
	}
	slices.Sort(x.references)
	for _, l := range o.lesions {
		if !slices.Contains(x.lesions, l) {
			x.lesions = append(x.lesions, l)
		}
	}
	for k := range x.box.min {
		x.box.min[k], x.box.max[k] = min(x.box.min[k], o.box.min[k]), max(x.box.max[k], o.box.max[k])
	}
	x.margin = Margin{max(x.margin.InPlane, o.margin.InPlane), max(x.margin.Along, o.margin.Along)}
	if o.why != x.why && o.why == "marked on this series" {
		x.why = o.why
	}
	return true
}

// ends are the first and the last slice that is kept.
func (x *part) ends() (from, to int) {
	from = len(x.stack.slices)
	for i := range x.keep {
		from, to = min(from, i), max(to, i)
	}
	return from, to
}

func sortParts(parts []*part, number map[*stack]int) {
	slices.SortStableFunc(parts, func(a, b *part) int {
		af, _ := a.ends()
		bf, _ := b.ends()
		return cmp.Or(cmp.Compare(number[a.stack], number[b.stack]), cmp.Compare(af, bf), cmp.Compare(a.lo.X, b.lo.X), cmp.Compare(a.lo.Y, b.lo.Y))
	})
}
