package roi

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/radtier/radtier/roi/evidence"
	"github.com/radtier/radtier/roi/space"
)

// Random volumes in random orientations, and random lesions marked in every way: no point of a lesion that lies
// inside an image is lost, in any series of the frame of reference, and nothing is kept outside margins and rules.
func TestRandomVolumes(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	crops, wholes := 0, 0
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		own := randomVolume(r, "1.2.3.1")
		other := randomVolume(r, "1.2.3.2")
		other.origin = own.at(0.5, 0.5, 0.5).Sub(other.row.Scale(float64(other.columns) * other.dx / 2)).Sub(other.column.Scale(float64(other.rows) * other.dy / 2)).
			Sub(other.normal.Scale(float64(other.n) * other.step / 2))
		policy := DefaultPolicy()
		c := own.at(r.Float64(), r.Float64(), r.Float64())
		radius := 0.2 + 40*r.Float64()*r.Float64()
		var points []space.Vec // of the lesion
		f := evidence.Finding{}
		switch r.IntN(4) {
		case 0: // an ellipsoid in space
			u, v, w := basis(r)
			a, b, d := u.Scale(radius), v.Scale(radius*r.Float64()), w.Scale(radius*r.Float64())
			f.Marks = []evidence.Mark{{ForUID: own.forUID, Shape: ellipsoid(c, a, b, d)}}
			for range 60 {
				x, y, z := r.NormFloat64(), r.NormFloat64(), r.NormFloat64()
				k := math.Cbrt(r.Float64()) / math.Sqrt(x*x+y*y+z*z)
				points = append(points, c.Add(a.Scale(k*x)).Add(b.Scale(k*y)).Add(d.Scale(k*z)))
			}
		case 1: // points in space
			for range 1 + r.IntN(6) {
				points = append(points, c.Add(space.Vec{radius * (r.Float64() - 0.5), radius * (r.Float64() - 0.5), radius * (r.Float64() - 0.5)}))
			}
			around := 0.0
			if r.IntN(2) == 0 {
				around = 60 * r.Float64()
			}
			f.Marks = []evidence.Mark{{ForUID: own.forUID, Shape: evidence.Shape{Type: evidence.Points3, V: slices.Clone(points), Radius: around}}}
			for range 60 {
				v := space.Vec{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()}
				points = append(points, points[0].Add(v.Scale(around/v.Len())))
			}
		case 2: // shapes on slices of the series
			from := r.IntN(own.n)
			for i := from; i < min(own.n, from+1+r.IntN(5)); i++ {
				s := onSlice(r, own, radius)
				f.Marks = append(f.Marks, evidence.Mark{Image: &evidence.Image{SOPUID: own.uid(i)}, Shape: s})
				for _, p := range s.Outline() {
					points = append(points, own.plane(i).At(math.Min(math.Max(p.X, 0), float64(own.columns)), math.Min(math.Max(p.Y, 0), float64(own.rows))))
				}
			}
		case 3: // a segmentation on a grid of its own
			g := randomVolume(r, "1.2.3.3")
			g.origin, g.n = c, 1+r.IntN(20)
			for i := range g.n {
				s := evidence.Shape{Type: evidence.Mask, P: []space.Point{{X: 3, Y: 4}, {X: 3 + radius, Y: 4}, {X: 3 + radius, Y: 9}, {X: 3, Y: 9}}}
				f.Marks = append(f.Marks, evidence.Mark{Plane: g.plane(i), Thick: g.step, ForUID: own.forUID, Shape: s})
				for range 5 {
					points = append(points, g.plane(i).At(3+radius*r.Float64(), 4+5*r.Float64()).Add(g.normal.Scale((r.Float64()-0.5)*g.step)))
				}
			}
		}
		s := study([]*evidence.Document{report("1.2.3.9.1", f)}, own.images(), other.images())
		rec := Plan(s, policy, time.Unix(0, 0))
		if len(rec.Lesions) != 1 {
			t.Fatalf("seed %d: %d lesions, want 1: %+v", seed, len(rec.Lesions), rec.Sources)
		}
		for _, v := range []*volume{own, other} {
			for _, p := range points {
				lost(t, seed, rec, s, v, p)
			}
		}
		for _, g := range rec.Regions {
			v := own
			if g.SeriesUID == other.series {
				v = other
			}
			if g.Mode == ModeCrop {
				crops++
			} else {
				wholes++
			}
			notTooMuch(t, seed, &g, rec, v, points)
		}
		// The order in which things come does not matter.
		r.Shuffle(len(s.Images), func(i, j int) { s.Images[i], s.Images[j] = s.Images[j], s.Images[i] })
		a, _ := json.Marshal(rec)
		b, _ := json.Marshal(Plan(s, policy, time.Unix(0, 0)))
		if string(a) != string(b) {
			t.Fatalf("seed %d: the record depends on the order of the images:\n%s\n%s", seed, a, b)
		}
	}
	t.Logf("%d crops, %d regions of whole slices", crops, wholes)
	if crops < n/10 || wholes < n/10 {
		t.Errorf("%d crops and %d regions of whole slices: the test does not see enough of one", crops, wholes)
	}
}

// onSlice is a random shape on a frame that is not so large that the whole frame is kept.
func onSlice(r *rand.Rand, v *volume, radius float64) evidence.Shape {
	x, y := r.Float64()*float64(v.columns), r.Float64()*float64(v.rows)
	w, h := math.Min(radius, float64(v.columns)/4), math.Min(radius*r.Float64(), float64(v.rows)/4)
	x, y = math.Min(math.Max(x, w), float64(v.columns)-w), math.Min(math.Max(y, h), float64(v.rows)-h)
	switch r.IntN(4) {
	case 0:
		return evidence.Shape{Type: evidence.Points, P: []space.Point{{X: x, Y: y}}}
	case 1:
		return evidence.Shape{Type: evidence.Rectangle, P: []space.Point{{X: x - w, Y: y - h}, {X: x + w, Y: y + h}}}
	case 2:
		return evidence.Shape{Type: evidence.Ellipse, P: []space.Point{{X: x - w, Y: y}, {X: x + w, Y: y}, {X: x, Y: y - h}, {X: x, Y: y + h}}}
	}
	return evidence.Shape{Type: evidence.Polyline, P: []space.Point{{X: x - w, Y: y - h}, {X: x, Y: y + h}, {X: x + w, Y: y}}}
}

// lost fails if a point that lies in an image of a volume is in no region. It projects with its own arithmetic.
func lost(t *testing.T, seed int, rec *Record, s *Study, v *volume, p space.Vec) {
	t.Helper()
	for i := range v.n {
		o := v.origin.Add(v.normal.Scale(float64(i) * v.step))
		d := p.Sub(o)
		x, y, z := d.Dot(v.row)/v.dx+0.5, d.Dot(v.column)/v.dy+0.5, d.Dot(v.normal)
		if x < 0 || y < 0 || x > float64(v.columns) || y > float64(v.rows) || math.Abs(z) > v.slab() {
			continue
		}
		at := slices.IndexFunc(s.Images, func(im Image) bool { return im.SOPUID == v.uid(i) })
		if !kept(rec, &s.Images[at], 0, x, y) {
			b, _ := json.MarshalIndent(rec.Regions, "", " ")
			t.Fatalf("seed %d: the lesion's point %v lies at %.2f, %.2f of image %s and is in no region: %s", seed, p, x, y, v.uid(i), b)
		}
	}
}

// notTooMuch fails if a region is larger than its margins and rules allow.
func notTooMuch(t *testing.T, seed int, g *Region, rec *Record, v *volume, points []space.Vec) {
	t.Helper()
	// The lesion as stated, with the depth that is assumed for one that was drawn on one slice.
	policy := DefaultPolicy()
	lo, hi := space.Vec{math.Inf(1), math.Inf(1), math.Inf(1)}, space.Vec{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	axes := [3]space.Vec{v.row, v.column, v.normal}
	b := rec.Lesions[0].Box
	for i := range 8 {
		corner := b.Min
		for k := range 3 {
			if i>>k&1 == 1 {
				corner[k] = b.Max[k]
			}
		}
		for k, a := range axes {
			lo[k], hi[k] = math.Min(lo[k], corner.Dot(a)), math.Max(hi[k], corner.Dot(a))
		}
	}
	spread := 0.0
	if rec.Lesions[0].Extent == "assumed-sphere" {
		spread = math.Max(policy.Sphere, b.Max.Sub(b.Min).Len()/2)
	}
	along := g.Margin.Along + spread + v.slab() + 1e-6
	for _, it := range g.Items {
		i := slices.IndexFunc(make([]struct{}, v.n), func(struct{}) bool { return false })
		for n := range v.n {
			if v.uid(n) == it.SOPUID {
				i = n
			}
		}
		z := v.plane(i).Origin.Dot(v.normal)
		if z < lo[2]-along || z > hi[2]+along {
			t.Fatalf("seed %d: slice at %.2f is kept for a lesion from %.2f to %.2f with %.2f mm around", seed, z, lo[2], hi[2], along)
		}
	}
	if g.Mode == ModeSlice {
		return
	}
	for k, side := range []struct {
		from, n, size int
		d             float64
	}{{g.Rect.X, g.Rect.W, v.columns, v.dx}, {g.Rect.Y, g.Rect.H, v.rows, v.dy}} {
		if side.from < 0 || side.n < 1 || side.from+side.n > side.size {
			t.Fatalf("seed %d: rectangle %+v does not lie in the frame of %d x %d", seed, g.Rect, v.columns, v.rows)
		}
		if side.n == min(policy.MinSide, side.size) {
			continue
		}
		margin := math.Max(math.Ceil(g.Margin.InPlane/side.d), minMargin) + spread/side.d + 2
		o := v.plane(0).Origin.Dot(axes[k])
		if from := (lo[k]-o)/side.d + 0.5 - margin; float64(side.from) < math.Max(0, from)-1e-6 {
			t.Fatalf("seed %d, axis %d: rectangle %+v begins before %.2f", seed, k, g.Rect, from)
		}
		if to := (hi[k]-o)/side.d + 0.5 + margin; float64(side.from+side.n) > math.Min(float64(side.size), to)+1e-6 {
			t.Fatalf("seed %d, axis %d: rectangle %+v ends after %.2f", seed, k, g.Rect, to)
		}
	}
	if share := float64(g.Rect.W*g.Rect.H) / float64(v.columns*v.rows); share > policy.MaxCropShare {
		t.Fatalf("seed %d: a crop of %.0f %% of the frame", seed, 100*share)
	}
}
