package space

import (
	"cmp"
	"slices"
)

// Hull is the convex hull of points, in order around it; one or two different points stay as they are. The slice is sorted and used.
func Hull(pts []Point) []Point {
	slices.SortFunc(pts, func(a, b Point) int { return cmp.Or(cmp.Compare(a.X, b.X), cmp.Compare(a.Y, b.Y)) })
	pts = slices.Compact(pts)
	if len(pts) < 3 {
		return pts
	}
	side := func(a, b, c Point) float64 { return (b.X-a.X)*(c.Y-a.Y) - (b.Y-a.Y)*(c.X-a.X) }
	var out []Point
	for _, dir := range [2]int{1, -1} {
		start := len(out)
		for i := range pts {
			q := pts[i]
			if dir < 0 {
				q = pts[len(pts)-1-i]
			}
			for len(out) >= start+2 && side(out[len(out)-2], out[len(out)-1], q) <= 0 {
				out = out[:len(out)-1]
			}
			out = append(out, q)
		}
		out = out[:len(out)-1] // the next half begins with it
	}
	return out
}
