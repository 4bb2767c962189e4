// Package picture draws a region record for people: for each lesion its reference slice with the kept
// rectangles and the lesion's outline, and beside it the crop, enlarged.
package picture

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	xdraw "golang.org/x/image/draw"

	"github.com/radtier/radtier/roi"
	"github.com/radtier/radtier/roi/space"
)

// Frame gives the picture of a frame (from 1) of a source instance, at full size, and the height of its pixels divided by their width.
type Frame func(sopUID string, frame int) (img image.Image, aspect float64, err error)

const (
	tile    = 384 // side of a picture
	gap     = 8
	caption = 34 // two lines of text
	header  = 24
	// Lesions is how many lesions are drawn at most.
	Lesions = 12
)

var (
	background = color.RGBA{24, 24, 27, 255}
	ink        = color.RGBA{228, 228, 231, 255}
	outline    = color.RGBA{255, 196, 0, 255}
	kept       = color.RGBA{0, 200, 255, 255}
)

// Draw draws a record, two lesions in a row if there are more than three. A frame that cannot be drawn leaves its place empty, with the reason
// under it. The picture holds no text but numbers, codes and states.
func Draw(r *roi.Record, frame Frame) *image.RGBA {
	list := r.Lesions[:min(len(r.Lesions), Lesions)]
	columns := 1
	if len(list) > 3 {
		columns = 2
	}
	rows := (len(list) + columns - 1) / columns
	cell := image.Pt(2*tile+gap, tile+caption)
	size := image.Pt(columns*(cell.X+2*gap), header+rows*(cell.Y+gap)+gap)
	out := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(out, out.Bounds(), image.NewUniform(background), image.Point{}, draw.Src)
	title := fmt.Sprintf("%s   %s, %s, %s", r.State, number(len(r.Lesions), "lesion"), number(len(r.Regions), "region"), number(r.Totals.Instances, "instance"))
	if len(r.Lesions) > len(list) {
		title += fmt.Sprintf("   (the first %d lesions)", len(list))
	}
	write(out, gap, 16, size.X-gap, title)
	for i := range list {
		at := image.Pt(gap+i%columns*(cell.X+2*gap), header+i/columns*(cell.Y+gap))
		lesion(out, at, r, &list[i], frame)
	}
	return out
}

// number is a number of things in words.
func number(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprint(n, " ", thing)
}

// place is the frame that shows a lesion best, and the region that keeps it there.
type place struct {
	sop    string
	frame  int
	region *roi.Region
}

// placeOf prefers a frame with an outline inside a crop, then one with an outline, then the middle of what is kept.
func placeOf(r *roi.Record, l *roi.Lesion) (p place, ok bool) {
	keeps := func(sop string, frame int, mode roi.Mode) *roi.Region {
		for i := range r.Regions {
			g := &r.Regions[i]
			if g.Mode != mode || !slices.Contains(g.Lesions, l.ID) {
				continue
			}
			for _, it := range g.Items {
				if it.SOPUID == sop && (it.Frames == nil || slices.Contains(it.Frames, frame)) {
					return g
				}
			}
		}
		return nil
	}
	for _, mode := range []roi.Mode{roi.ModeCrop, roi.ModeSlice} {
		for _, o := range l.Outlines {
			if g := keeps(o.SOPUID, o.Frame, mode); g != nil {
				return place{o.SOPUID, o.Frame, g}, true
			}
		}
	}
	for i := range r.Regions {
		g := &r.Regions[i]
		if slices.Contains(g.Lesions, l.ID) && len(g.Items) > 0 {
			it := g.Items[len(g.Items)/2]
			n := 1
			if len(it.Frames) > 0 {
				n = it.Frames[len(it.Frames)/2]
			}
			return place{it.SOPUID, n, g}, true
		}
	}
	return place{}, false
}

func lesion(out *image.RGBA, at image.Point, r *roi.Record, l *roi.Lesion, frame Frame) {
	text := []string{fmt.Sprintf("%s  %s  %s", l.ID, l.Extent, strings.Join(l.Codes, " ")), ""}
	defer func() {
		for i, s := range text {
			write(out, at.X, at.Y+tile+13+15*i, at.X+2*tile+gap, s)
		}
	}()
	p, ok := placeOf(r, l)
	if !ok {
		text[1] = "nothing of it is in this study"
		return
	}
	g := p.region
	text[1] = fmt.Sprintf("%s  %s  %d x %d at %d, %d  %s  margin %.0f / %.0f mm", g.ID, g.Mode, g.Rect.W, g.Rect.H, g.Rect.X, g.Rect.Y, number(len(g.Items), "instance"), g.Margin.InPlane, g.Margin.Along)
	img, aspect, err := frame(p.sop, p.frame)
	if err != nil {
		text[1] += "  no picture: " + err.Error()
		return
	}
	whole := img.Bounds()
	put(out, image.Rectangle{at, at.Add(image.Pt(tile, tile))}, img, whole, aspect, func(to view) {
		for i := range r.Regions {
			x := &r.Regions[i]
			if x.Mode == roi.ModeCrop && x.SeriesUID == g.SeriesUID && slices.Contains(x.Lesions, l.ID) {
				to.polygon(out, corners(x.Rect), kept)
			}
		}
		outlines(out, to, l, p)
	})
	part := image.Rect(g.Rect.X, g.Rect.Y, g.Rect.X+g.Rect.W, g.Rect.Y+g.Rect.H).Add(whole.Min).Intersect(whole)
	if g.Mode == roi.ModeSlice || part.Empty() {
		part = around(l, p, whole)
	}
	right := at.Add(image.Pt(tile+gap, 0))
	put(out, image.Rectangle{right, right.Add(image.Pt(tile, tile))}, img, part, aspect, func(to view) { outlines(out, to, l, p) })
}

// around is the part of a whole slice that is enlarged: the outline with as much around it, or all of it.
func around(l *roi.Lesion, p place, whole image.Rectangle) image.Rectangle {
	lo, hi := space.Point{X: math.Inf(1), Y: math.Inf(1)}, space.Point{X: math.Inf(-1), Y: math.Inf(-1)}
	for _, o := range l.Outlines {
		if o.SOPUID != p.sop || o.Frame != p.frame {
			continue
		}
		for _, q := range o.Points {
			lo.X, lo.Y, hi.X, hi.Y = min(lo.X, q.X), min(lo.Y, q.Y), max(hi.X, q.X), max(hi.Y, q.Y)
		}
	}
	if lo.X > hi.X {
		return whole
	}
	side := max(hi.X-lo.X, hi.Y-lo.Y, 16)
	x, y := (lo.X+hi.X)/2, (lo.Y+hi.Y)/2
	part := image.Rect(int(x-side), int(y-side), int(x+side), int(y+side)).Add(whole.Min).Intersect(whole)
	if part.Empty() {
		return whole
	}
	return part
}

func outlines(out *image.RGBA, to view, l *roi.Lesion, p place) {
	for _, o := range l.Outlines {
		if o.SOPUID == p.sop && o.Frame == p.frame {
			to.polygon(out, o.Points, outline)
		}
	}
}

func corners(r roi.Rect) []space.Point {
	x, y, w, h := float64(r.X), float64(r.Y), float64(r.W), float64(r.H)
	return []space.Point{{X: x, Y: y}, {X: x + w, Y: y}, {X: x + w, Y: y + h}, {X: x, Y: y + h}}
}

// view takes edge coordinates of a frame to the drawing.
type view struct {
	clip   image.Rectangle
	origin space.Point // of the part that is shown
	sx, sy float64
}

// put draws a part of a picture into a box, as large as fits with pixels of their true shape, and then what over draws.
func put(out *image.RGBA, box image.Rectangle, img image.Image, part image.Rectangle, aspect float64, over func(view)) {
	if !(aspect > 0.01 && aspect < 100) {
		aspect = 1
	}
	w, h := float64(part.Dx()), float64(part.Dy())*aspect
	k := min(float64(box.Dx())/w, float64(box.Dy())/h)
	size := image.Pt(max(int(w*k), 1), max(int(h*k), 1))
	at := box.Min.Add(image.Pt((box.Dx()-size.X)/2, (box.Dy()-size.Y)/2))
	to := image.Rectangle{at, at.Add(size)}
	xdraw.ApproxBiLinear.Scale(out, to, img, part, xdraw.Src, nil)
	b := img.Bounds()
	over(view{clip: to, origin: space.Point{X: float64(part.Min.X - b.Min.X), Y: float64(part.Min.Y - b.Min.Y)}, sx: float64(size.X) / float64(part.Dx()), sy: float64(size.Y) / float64(part.Dy())})
}

// polygon draws a closed line; of one point a cross.
func (v view) polygon(out *image.RGBA, points []space.Point, c color.RGBA) {
	at := func(p space.Point) (x, y float64) {
		return float64(v.clip.Min.X) + (p.X-v.origin.X)*v.sx, float64(v.clip.Min.Y) + (p.Y-v.origin.Y)*v.sy
	}
	if len(points) == 1 {
		x, y := at(points[0])
		v.line(out, x-6, y, x+6, y, c)
		v.line(out, x, y-6, x, y+6, c)
		return
	}
	for i := range points {
		x0, y0 := at(points[i])
		x1, y1 := at(points[(i+1)%len(points)])
		v.line(out, x0, y0, x1, y1, c)
	}
}

func (v view) line(out *image.RGBA, x0, y0, x1, y1 float64, c color.RGBA) {
	n := int(max(math.Abs(x1-x0), math.Abs(y1-y0))) + 1
	if n > 1<<14 { // far outside of the picture
		return
	}
	for i := range n + 1 {
		t := float64(i) / float64(n)
		p := image.Pt(int(math.Floor(x0+t*(x1-x0))), int(math.Floor(y0+t*(y1-y0))))
		p.X, p.Y = clampEdge(p.X, v.clip.Max.X), clampEdge(p.Y, v.clip.Max.Y)
		if p.In(v.clip) {
			out.SetRGBA(p.X, p.Y, c)
		}
	}
}

// clampEdge keeps the last border of a picture inside it.
func clampEdge(x, end int) int {
	if x == end {
		return end - 1
	}
	return x
}

// write writes text from x on, cut where it would pass end. Only ASCII is drawn.
func write(out *image.RGBA, x, y, end int, s string) {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	face := basicfont.Face7x13
	if most := (end - x) / face.Advance; len(s) > most {
		s = s[:max(most-2, 0)] + ".."
	}
	d := font.Drawer{Dst: out, Src: image.NewUniform(ink), Face: face, Dot: fixed.P(x, y)}
	d.DrawString(s)
}
