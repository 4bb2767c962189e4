package render

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/radtier/radtier/internal/dcm"
)

// PickFrame returns the frame, counted from 0, that stands for an instance:
// Representative Frame Number (0028,6010), counted from 1, if it is in range, else the
// middle one. positions, if it has one per frame, puts the frames of an
// enhanced stack in order: the middle is then that of the positions.
func PickFrame(frames, representative int, positions []float64) int {
	if representative >= 1 && representative <= frames {
		return representative - 1
	}
	if frames < 1 {
		return 0
	}
	if len(positions) != frames {
		return frames / 2
	}
	order := make([]int, frames)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(positions[a], positions[b]) })
	return order[frames/2]
}

// InstanceFacts is what PickInstance looks at.
type InstanceFacts struct {
	SOPUID      string
	Number      int         // Instance Number
	Position    [3]float64  // Image Position (Patient), mm
	Orientation *[6]float64 // Image Orientation (Patient); nil: unknown, and Position is not used
	Localizer   bool
	Secondary   bool // a Secondary Capture
}

// FactsFrom reads the facts of one instance, of an enhanced one those of its first frame.
func FactsFrom(ds *dcm.Dataset) InstanceFacts {
	f := InstanceFacts{SOPUID: ds.String(0x00080018), Localizer: isLocalizer(ds), Secondary: isSecondaryCapture(ds.String(0x00080016))}
	if v := ds.Ints(0x00200013); len(v) > 0 {
		f.Number = v[0]
	}
	g := functionalGroups{shared: first(ds, 0x52009229), perFrame: first(ds, 0x52009230)}
	position, orientation := ds.Floats(0x00200032), ds.Floats(0x00200037)
	if m := g.macro(0x00209113); m != nil {
		position = m.Floats(0x00200032)
	}
	if m := g.macro(0x00209116); m != nil {
		orientation = m.Floats(0x00200037)
	}
	if len(position) == 3 && len(orientation) == 6 && finite(position) && finite(orientation) {
		f.Position, f.Orientation = [3]float64(position), (*[6]float64)(orientation)
	}
	return f
}

// FramePositions returns where the frames of an enhanced image lie along their
// normal, in mm, for PickFrame; nil unless all of them have a position and one orientation.
func FramePositions(ds *dcm.Dataset, frames int) []float64 {
	items := ds.Items(0x52009230)
	if len(items) != frames || frames < 2 {
		return nil
	}
	shared := first(ds, 0x52009229)
	list := make([]float64, frames)
	var orientation []float64
	for i, d := range items {
		g := functionalGroups{shared: shared, perFrame: d}
		at, along := g.macro(0x00209113), g.macro(0x00209116)
		if at == nil || along == nil {
			return nil
		}
		p, o := at.Floats(0x00200032), along.Floats(0x00200037)
		if len(p) != 3 || len(o) != 6 || !finite(p) || !finite(o) {
			return nil
		}
		if orientation == nil {
			orientation = o
		}
		if !parallel((*[6]float64)(orientation), (*[6]float64)(o)) {
			return nil
		}
		list[i] = along3([3]float64(p), (*[6]float64)(o))
	}
	return list
}

func finite(v []float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

// along3 projects a position on the normal of an orientation.
func along3(p [3]float64, o *[6]float64) float64 {
	return p[0]*(o[1]*o[5]-o[2]*o[4]) + p[1]*(o[2]*o[3]-o[0]*o[5]) + p[2]*(o[0]*o[4]-o[1]*o[3])
}

// parallel reports whether two orientations are the same within what writers round.
func parallel(a, b *[6]float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-3 {
			return false
		}
	}
	return true
}

// PickInstance returns the index of the instance that stands for a series, -1
// for an empty series: the middle one by position among those of the most frequent orientation. Localizers,
// then secondary captures, count only if there is nothing else. Where positions are missing or equal, instance number and UID decide.
func PickInstance(list []InstanceFacts) int {
	class := func(f InstanceFacts) int {
		switch {
		case f.Localizer:
			return 2
		case f.Secondary:
			return 1
		}
		return 0
	}
	best := 3
	for _, f := range list {
		best = min(best, class(f))
	}
	var candidates []int
	for i, f := range list {
		if class(f) == best {
			candidates = append(candidates, i)
		}
	}
	if len(candidates) == 0 {
		return -1
	}
	slices.SortStableFunc(candidates, func(a, b int) int {
		return cmp.Or(cmp.Compare(list[a].Number, list[b].Number), strings.Compare(list[a].SOPUID, list[b].SOPUID))
	})
	// Groups of one orientation, in the order just made, so that ties do not depend on the order of the input.
	var groups [][]int
next:
	for _, c := range candidates {
		for g := range groups {
			if parallel(list[groups[g][0]].Orientation, list[c].Orientation) {
				groups[g] = append(groups[g], c)
				continue next
			}
		}
		groups = append(groups, []int{c})
	}
	major := groups[0]
	for _, g := range groups[1:] {
		if len(g) > len(major) {
			major = g
		}
	}
	if normal := list[major[0]].Orientation; normal != nil {
		slices.SortStableFunc(major, func(a, b int) int {
			return cmp.Compare(along3(list[a].Position, normal), along3(list[b].Position, normal))
		})
	}
	return major[len(major)/2]
}

// SeriesFacts is what PickSeries looks at.
type SeriesFacts struct {
	UID       string
	Number    int  // Series Number
	Images    int  // frames that a picture can be made of
	Auxiliary bool // localizers or secondary captures only
}

// PickSeries returns the index of the series that stands for a study, -1 if none has
// images: the one with most images, ties by number, then UID. Localizers and secondary captures come after all others.
func PickSeries(list []SeriesFacts) int {
	order := RankSeries(list)
	if len(order) == 0 {
		return -1
	}
	return order[0]
}

// RankSeries returns the indexes of all series with images, best first, for callers that try the next one when a picture cannot be made.
func RankSeries(list []SeriesFacts) []int {
	var order []int
	for i, s := range list {
		if s.Images > 0 {
			order = append(order, i)
		}
	}
	auxiliary := func(s SeriesFacts) int {
		if s.Auxiliary {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := list[i], list[j]
		return cmp.Or(auxiliary(a)-auxiliary(b), cmp.Compare(b.Images, a.Images), cmp.Compare(a.Number, b.Number), strings.Compare(a.UID, b.UID))
	})
	return order
}
