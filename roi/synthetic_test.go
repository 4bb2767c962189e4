package roi

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/radtier/radtier/roi/evidence"
	"github.com/radtier/radtier/roi/space"
)

// basis returns three random directions at right angles.
func basis(r *rand.Rand) (row, column, normal space.Vec) {
	random := func() space.Vec { return space.Vec{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()} }
	row = random()
	row = row.Scale(1 / row.Len())
	normal = row.Cross(random())
	normal = normal.Scale(1 / normal.Len())
	return row, normal.Cross(row), normal
}

// volume is a series of parallel slices.
type volume struct {
	series, forUID, modality string
	row, column, normal      space.Vec
	origin                   space.Vec
	dx, dy, step, thick      float64
	columns, rows, n         int
}

func (v *volume) plane(i int) *space.Plane {
	return &space.Plane{Origin: v.origin.Add(v.normal.Scale(float64(i) * v.step)), Row: v.row, Column: v.column, DX: v.dx, DY: v.dy, Rows: v.rows, Columns: v.columns}
}

func (v *volume) uid(i int) string { return fmt.Sprintf("%s.%d", v.series, i+1) }

// images are single-frame instances, numbered against their order.
func (v *volume) images() []Image {
	var out []Image
	for i := range v.n {
		out = append(out, Image{SeriesUID: v.series, SOPUID: v.uid(i), ClassUID: "1.2.840.10008.5.1.4.1.1.2", Modality: v.modality, File: fmt.Sprintf("%064x", i), ForUID: v.forUID,
			Number: v.n - i, Rows: v.rows, Columns: v.columns, DX: v.dx, DY: v.dy, Frames: []Frame{{Plane: v.plane(i), Thickness: v.thick}}})
	}
	return out
}

// enhanced is the volume as one multi-frame instance.
func (v *volume) enhanced() Image {
	im := v.images()[0]
	for i := 1; i < v.n; i++ {
		im.Frames = append(im.Frames, Frame{Plane: v.plane(i), Thickness: v.thick})
	}
	return im
}

// at is a point in the volume, in parts of its sides.
func (v *volume) at(x, y, z float64) space.Vec {
	p := v.plane(0)
	return p.At(x*float64(v.columns), y*float64(v.rows)).Add(v.normal.Scale(z * float64(v.n-1) * v.step))
}

func axial(series string) *volume {
	return &volume{series: series, forUID: "1.9", modality: "CT", row: space.Vec{1, 0, 0}, column: space.Vec{0, 1, 0}, normal: space.Vec{0, 0, 1},
		dx: 0.7, dy: 0.7, step: 5, thick: 5, columns: 512, rows: 512, n: 40}
}

func randomVolume(r *rand.Rand, series string) *volume {
	v := &volume{series: series, forUID: "1.9", modality: []string{"CT", "MR", "PT"}[r.IntN(3)], dx: 0.2 + 2*r.Float64(), columns: 257 + r.IntN(400), rows: 257 + r.IntN(400), n: 1 + r.IntN(60)}
	v.dy = v.dx
	if r.IntN(3) == 0 {
		v.dy = 0.2 + 2*r.Float64()
	}
	v.row, v.column, v.normal = basis(r)
	v.step = 0.5 + 6*r.Float64()
	v.thick = v.step * []float64{0, 0.5, 1, 1.5}[r.IntN(4)]
	v.origin = space.Vec{400 * (r.Float64() - 0.5), 400 * (r.Float64() - 0.5), 400 * (r.Float64() - 0.5)}
	return v
}

// report is a document of a person that names all lesions.
func report(uid string, findings ...evidence.Finding) *evidence.Document {
	for i := range findings {
		if findings[i].Item == "" {
			findings[i].Item = fmt.Sprintf("1.%d", i+1)
		}
	}
	return &evidence.Document{Kind: evidence.KindReport, StudyUID: "1.2.3", SeriesUID: "1.2.3.9", SOPUID: uid, Verified: true, Final: true, Complete: true, Findings: findings}
}

func study(docs []*evidence.Document, images ...[]Image) *Study {
	s := &Study{Tenant: "t", UID: "1.2.3", Documents: docs}
	for _, list := range images {
		s.Images = append(s.Images, list...)
	}
	return s
}

func ellipsoid(c space.Vec, a, b, d space.Vec) evidence.Shape {
	return evidence.Shape{Type: evidence.Ellipsoid, V: []space.Vec{c.Add(a), c.Sub(a), c.Add(b), c.Sub(b), c.Add(d), c.Sub(d)}}
}

// kept reports whether a record keeps the sample of an image at a place in the patient, for each frame whose slab holds it.
func kept(r *Record, im *Image, frame int, x, y float64) bool {
	for _, g := range r.Regions {
		for _, it := range g.Items {
			if it.SOPUID != im.SOPUID {
				continue
			}
			in := it.Frames == nil
			for _, f := range it.Frames {
				in = in || f == frame+1
			}
			if in && (g.Mode == ModeSlice || x >= float64(g.Rect.X) && x <= float64(g.Rect.X+g.Rect.W) && y >= float64(g.Rect.Y) && y <= float64(g.Rect.Y+g.Rect.H)) {
				return true
			}
		}
	}
	return false
}

// slabOf is half the slab that a frame stands for, by the formula of the rules: max(thickness, spacing)/2.
func (v *volume) slab() float64 {
	h := v.thick
	if v.n > 1 {
		h = math.Max(h, v.step)
	}
	if h == 0 {
		h = 1
	}
	return h / 2
}
