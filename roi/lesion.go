package roi

import (
	"cmp"
	"math"
	"slices"

	"github.com/radtier/radtier/roi/evidence"
	"github.com/radtier/radtier/roi/space"
)

// lesion is all findings of one lesion.
type lesion struct {
	tracking string
	founds   []*found
	bodies   []body
	spots    []spot
	assumed  float64 // mm on each side of the only slice that was drawn on; 0: measured
	boxes    map[string]Box
}

// lesionsOf puts findings together that mean one lesion: by tracking UID,
// because one takes its geometry from the other, and, between documents, where they
// overlap by half of the smaller one. Two tracking UIDs are two lesions, whatever overlaps.
func lesionsOf(founds []*found) []*lesion {
	parent := make([]int, len(founds))
	for i := range parent {
		parent[i] = i
	}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	tracking := make([]string, len(founds)) // of the set, at its root
	join := func(i, j int) bool {
		a, b := find(i), find(j)
		if a == b {
			return true
		}
		if tracking[a] != "" && tracking[b] != "" && tracking[a] != tracking[b] {
			return false
		}
		a, b = min(a, b), max(a, b)
		parent[b] = a
		tracking[a] = cmp.Or(tracking[a], tracking[b])
		return true
	}
	byTracking, bySource := map[string]int{}, map[string]int{}
	for i, f := range founds {
		bySource[f.source] = i
		tracking[i] = f.finding.Tracking
	}
	for i, f := range founds {
		if t := f.finding.Tracking; t != "" {
			if j, ok := byTracking[t]; ok {
				join(i, j)
			} else {
				byTracking[t] = i
			}
		}
	}
	for i, f := range founds {
		for _, l := range f.links {
			if j, ok := bySource[l]; ok {
				join(i, j)
			}
		}
	}
	overlaps(founds, join)
	groups := map[int]*lesion{}
	var out []*lesion
	for i, f := range founds {
		r := find(i)
		l := groups[r]
		if l == nil {
			l = &lesion{tracking: tracking[r]}
			groups[r] = l
			out = append(out, l)
		}
		l.founds = append(l.founds, f)
		l.bodies = append(l.bodies, f.bodies...)
		l.spots = append(l.spots, f.spots...)
	}
	return out
}

// overlaps joins findings of different documents by their boxes, in the order of their lower ends.
func overlaps(founds []*found, join func(i, j int) bool) {
	type boxed struct {
		n      int
		forUID string
		Box
	}
	var list []boxed
	for i, f := range founds {
		for uid, b := range boxesOf(f.bodies) {
			list = append(list, boxed{i, uid, b})
		}
	}
	slices.SortFunc(list, func(a, b boxed) int {
		return cmp.Or(cmp.Compare(a.forUID, b.forUID), cmp.Compare(a.Min[0], b.Min[0]), cmp.Compare(a.n, b.n))
	})
	for i := range list {
		for j := i + 1; j < len(list) && list[j].forUID == list[i].forUID && list[j].Min[0] <= list[i].Max[0]; j++ {
			a, b := list[i], list[j]
			if founds[a.n].doc != founds[b.n].doc && halfShared(a.Box, b.Box) {
				join(a.n, b.n)
			}
		}
	}
}

func halfShared(a, b Box) bool {
	share, va, vb := 1.0, 1.0, 1.0
	for k := range a.Min {
		const thin = 0.1 // mm: flat boxes have a volume, too
		da, db := max(a.Max[k]-a.Min[k], thin), max(b.Max[k]-b.Min[k], thin)
		d := min(a.Max[k], b.Max[k]) - max(a.Min[k], b.Min[k])
		if d < 0 {
			return false
		}
		share *= min(max(d, thin), da, db)
		va *= da
		vb *= db
	}
	return share >= 0.5*min(va, vb)
}

// boxesOf is the box of bodies per frame of reference, their reach included.
func boxesOf(bodies []body) map[string]Box {
	out := map[string]Box{}
	for i := range bodies {
		b := &bodies[i]
		lo, hi := box(b.v)
		for k := range lo {
			d := b.reach
			if b.normal != (space.Vec{}) {
				d *= math.Abs(b.normal[k])
			}
			lo[k] -= d
			hi[k] += d
		}
		if have, ok := out[b.forUID]; ok {
			for k := range lo {
				lo[k], hi[k] = min(lo[k], have.Min[k]), max(hi[k], have.Max[k])
			}
		}
		out[b.forUID] = Box{lo, hi}
	}
	return out
}

// settle gives a lesion that was drawn on a single position along its normal
// an extent: nobody draws all slices of a measurement. It is assumed to be as deep as it is wide.
func (l *lesion) settle(p *Policy) {
	l.boxes = boxesOf(l.bodies) // as stated
	if len(l.bodies) == 0 {
		return
	}
	l.bodies = slices.Clone(l.bodies)
	done := make([]bool, len(l.bodies))
	for i := range l.bodies {
		if done[i] || !l.bodies[i].slice {
			continue
		}
		first := &l.bodies[i]
		at := first.v[0].Dot(first.normal)
		longest, single := 0.0, true
		var group []int // drawn in this direction, in this frame of reference
		for k := i; k < len(l.bodies); k++ {
			b := &l.bodies[k]
			if b.forUID != first.forUID || b.normal.Sub(first.normal).Len() > sameDirection {
				continue
			}
			group = append(group, k)
			done[k] = true
			single = single && b.slice && math.Abs(b.v[0].Dot(first.normal)-at) <= samePosition+b.reach/2
			lo, hi := box(b.v)
			longest = max(longest, hi.Sub(lo).Len())
		}
		if !single {
			continue
		}
		depth := max(longest/2, p.Sphere)
		l.assumed = max(l.assumed, depth)
		for _, k := range group {
			l.bodies[k].reach = max(l.bodies[k].reach, depth)
		}
	}
}

// unseen are the findings of a lesion of which a body lies in no slice that is kept: outside of all images, or in a hole of a series.
func (l *lesion) unseen(parts []*part) []*found {
	var out []*found
	for _, f := range l.founds {
		if slices.ContainsFunc(f.bodies, func(b body) bool { return !b.keptBy(l, parts) }) {
			out = append(out, f)
		}
	}
	return out
}

func (b *body) keptBy(l *lesion, parts []*part) bool {
	for _, x := range parts {
		if x.stack.forUID != b.forUID || !slices.Contains(x.lesions, l) {
			continue
		}
		e := nothing()
		for _, v := range b.v {
			if b.normal == (space.Vec{}) {
				e.add(x.stack, v, b.reach)
				continue
			}
			e.add(x.stack, v.Add(b.normal.Scale(b.reach)), 0)
			e.add(x.stack, v.Sub(b.normal.Scale(b.reach)), 0)
		}
		for i := range x.keep {
			q := &x.stack.slices[i]
			if !q.meets(e.min[2], e.max[2]) {
				continue
			}
			lo, hi := e.edges(q.plane())
			if hi.X >= 0 && hi.Y >= 0 && lo.X <= float64(x.stack.columns) && lo.Y <= float64(x.stack.rows) {
				return true
			}
		}
	}
	return false
}

// extentIn is the lesion's box along a stack's axes.
func (l *lesion) extentIn(s *stack, forUID string) extent {
	e := nothing()
	for i := range l.bodies {
		b := &l.bodies[i]
		if b.forUID != forUID {
			continue
		}
		for _, v := range b.v {
			if b.normal == (space.Vec{}) {
				e.add(s, v, b.reach)
				continue
			}
			for _, sign := range [2]float64{-1, 1} {
				e.add(s, v.Add(b.normal.Scale(sign*b.reach)), 0)
			}
		}
	}
	return e
}

// longest side of the lesion's box in the plane of a stack, without assumed depth, mm.
func (l *lesion) longest(s *stack) float64 {
	e := nothing()
	for i := range l.bodies {
		if b := &l.bodies[i]; b.forUID == s.forUID {
			for _, v := range b.v {
				e.add(s, v, b.radius)
			}
		}
	}
	if e.empty() {
		return 0
	}
	return max(e.max[0]-e.min[0], e.max[1]-e.min[1])
}

// ownSeries are the series on whose images the lesion was marked.
func (l *lesion) ownSeries() map[string]bool {
	own := map[string]bool{}
	for i := range l.bodies {
		if u := l.bodies[i].series; u != "" {
			own[u] = true
		}
	}
	for i := range l.spots {
		own[l.spots[i].image.SeriesUID] = true
	}
	return own
}

// unsure collects why the lesion may be none.
func (l *lesion) unsure() []string {
	var out []string
	for _, f := range l.founds {
		out = append(out, f.unsure...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (l *lesion) codes() []string {
	var out []string
	for _, f := range l.founds {
		for _, c := range f.finding.Codes {
			if s := c.String(); s != "" {
				out = append(out, s)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (l *lesion) sources() []string {
	var out []string
	for _, f := range l.founds {
		out = append(out, f.source)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// findings resolves all findings of the study's documents. lost has, for each document, what its marks refer to and is not there.
func (x *place) findings(used []*evidence.Document) (founds []*found, lost map[*evidence.Document][]missing) {
	lost = map[*evidence.Document][]missing{}
	for _, d := range used {
		for i := range d.Findings {
			f := &found{doc: d, finding: &d.Findings[i], source: sourceOf(d, &d.Findings[i])}
			if u := f.finding.Unsure; u != "" {
				f.unsure = append(f.unsure, u)
			}
			lost[d] = append(lost[d], x.resolve(f, f.finding.Marks, 0)...)
			if len(f.bodies)+len(f.spots) > 0 {
				founds = append(founds, f)
			}
		}
	}
	return founds, lost
}
