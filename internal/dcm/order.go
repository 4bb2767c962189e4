package dcm

import (
	"cmp"
	"strings"
)

// Order is the place of an instance in its series: by instance number, then,
// for series that number all instances alike, by position along the slice normal.
type Order struct {
	Number   int
	Position float64 // mm along the slice normal, 0 without Image Position (Patient)
	SOPUID   string
}

// Order returns the key by which the instances of a series are sorted.
func (f *File) Order() Order {
	p, _ := f.Position()
	return Order{f.InstanceNumber, p, f.SOPUID}
}

// Compare returns -1, 0 or 1, as [cmp.Compare] does.
func (a Order) Compare(b Order) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Position, b.Position), strings.Compare(a.SOPUID, b.SOPUID))
}

// Position returns Image Position (Patient) projected on the normal of Image
// Orientation (Patient), in mm; without an orientation, its z. ok is false without a position.
func (f *File) Position() (mm float64, ok bool) {
	if !f.hasPosition {
		return 0, false
	}
	p, o := f.position, f.orientation
	if !f.hasOrient {
		return p[2], true
	}
	n := [3]float64{o[1]*o[5] - o[2]*o[4], o[2]*o[3] - o[0]*o[5], o[0]*o[4] - o[1]*o[3]}
	return p[0]*n[0] + p[1]*n[1] + p[2]*n[2], true
}
