package synth

import (
	"math"
	"sync"

	"github.com/radtier/radtier/internal/dcm"
)

// Ultrasound makes a cardiac clip: one instance of 60 frames of 480 x 640 RGB pixels, a sector with chambers that beat and a colour flow box.
func Ultrasound(o Options) Study {
	s := Study{Name: "ultrasound clip", Modality: "US", UID: o.uid("us study")}
	who := subject{charset: utf8, latin: "CARDIAC US", ideographic: "合成^影像丁", id: o.id("US"), sex: "F", born: "19901201", date: "20250314",
		institution: "合成测试医院", study: "心脏超声"}
	rows, columns, frames := o.pixels(480), o.pixels(640), o.count(60)
	layout := Layout{Rows: rows, Columns: columns, Samples: 3, Allocated: 8, Stored: 8, HighBit: 7, Photometric: "RGB"}
	x := Instance{StudyUID: s.UID, SeriesUID: o.uid("us series"), SOPUID: o.uid("us instance"), ClassUID: "1.2.840.10008.5.1.4.1.1.3.1",
		Syntax: ExplicitLE, Series: 1, Number: 1, Layout: layout, Frames: frames}
	scene := sync.OnceValue(func() *sector { return newSector(o, rows, columns) })
	x.frame = func(i int, dst []byte) { scene().frame(i, frames, dst) }
	x.header = func() *dcm.Builder {
		b := dcm.NewBuilder()
		o.general(b, &x, who, "US")
		layout.pixels(b)
		box := sectorBox(rows, columns)
		cmPerPixel := 16.0 / (0.86 * float64(rows))
		region := dcm.NewBuilder().
			Ints(0x00186012, 1).Ints(0x00186014, 1).Ints(0x00186016, 0).
			Ints(0x00186018, box[0]).Ints(0x0018601A, box[1]).Ints(0x0018601C, box[2]).Ints(0x0018601E, box[3]).
			Ints(0x00186024, 3).Ints(0x00186026, 3).
			Floats(0x0018602C, cmPerPixel).Floats(0x0018602E, cmPerPixel)
		return b.Text(0x00080008, "ORIGINAL", "PRIMARY", "TTE", "0011").
			Text(0x00080022, who.date).Text(0x00080032, "100100").
			Text(0x00080023, who.date).Text(0x00080033, "100130").
			Text(0x0008103E, "4 CHAMBER").
			Text(0x00180015, "HEART").
			Floats(0x00181063, 33.3).
			Items(0x00186011, region).
			Text(0x00200020, "").
			Ints(0x00280008, frames).
			Ints(0x00280009, 0x00181063).
			Text(0x00280301, "NO").
			Text(0x00282110, "00")
	}
	s.Instances = []Instance{x}
	return s
}

// sectorBox is the smallest rectangle around the sector: x0, y0, x1, y1, last pixels included.
func sectorBox(rows, columns int) [4]int {
	h, w := float64(rows), float64(columns)
	half := 0.86 * h * math.Sin(sectorHalf)
	return [4]int{max(0, int(w/2-half)), int(0.09 * h), min(columns-1, int(w/2+half)+1), min(rows-1, int(0.96*h))}
}

// sectorHalf is half the opening of the sector in radians.
const sectorHalf = 0.66

// sector is what all frames of a clip share.
type sector struct {
	rows, columns int
	points        []echo
	speckle       []uint8 // polar, of a logarithmic echo: depth x beam
}

// echo is one pixel inside the sector.
type echo struct {
	at          int     // index of its pixel
	depth, beam int     // place in the speckle
	x, y        float32 // from the apex, in depths of the sector
}

const (
	speckleDepths = 512 // powers of two
	speckleBeams  = 256
)

func newSector(o Options, rows, columns int) *sector {
	s := &sector{rows: rows, columns: columns}
	r := o.random("us")
	// Speckle is the magnitude of a random walk, wider across the beam than along it.
	re, im := make([]float64, speckleDepths*speckleBeams), make([]float64, speckleDepths*speckleBeams)
	for i := range re {
		re[i], im[i] = r.NormFloat64(), r.NormFloat64()
	}
	s.speckle = make([]uint8, len(re))
	smooth := func(p []float64, d, b int) (v float64) {
		for k := -2; k <= 2; k++ {
			v += p[(d&(speckleDepths-1))*speckleBeams+(b+k)&(speckleBeams-1)]
		}
		return v / 2.236
	}
	for d := range speckleDepths {
		for b := range speckleBeams {
			v := 128 + 30*math.Log(math.Hypot(smooth(re, d, b), smooth(im, d, b))+0.02)
			s.speckle[d*speckleBeams+b] = uint8(max(0, min(255, v)))
		}
	}
	h := float64(rows)
	depth, apexX, apexY := 0.86*h, float64(columns)/2, 0.09*h
	for y := range rows {
		for x := range columns {
			dx, dy := (float64(x)-apexX)/depth, (float64(y)-apexY)/depth
			rho, phi := math.Hypot(dx, dy), math.Atan2(dx, dy)
			if rho > 1 || rho < 0.04 || math.Abs(phi) > sectorHalf {
				continue
			}
			s.points = append(s.points, echo{y*columns + x, int(rho * (speckleDepths - 1)), int((phi/sectorHalf + 1) / 2 * (speckleBeams - 1)), float32(dx), float32(dy)})
		}
	}
	return s
}

// frame draws frame i of n, which show two beats.
func (s *sector) frame(i, n int, dst []byte) {
	clear(dst)
	phase := 4 * math.Pi * float64(i) / float64(n)
	beat := float32(1 + 0.16*math.Cos(phase))
	drift, shift := i*37, i*11
	for _, p := range s.points {
		d := p.depth
		// Tissue keeps its speckle, blood changes it from frame to frame.
		grain := int(s.speckle[d*speckleBeams+p.beam])
		v := grain - 36 - int(48*p.y)
		switch hypot2((p.x+0.10)/(0.115*beat), (p.y-0.42)/(0.20*beat)) {
		case 2:
			v = int(s.speckle[(d+drift)&(speckleDepths-1)*speckleBeams+(p.beam+shift)&(speckleBeams-1)])/5 - 6
		case 1:
			v = grain + 28
		}
		switch hypot2((p.x-0.13)/(0.10*beat), (p.y-0.44)/(0.18*beat)) {
		case 2:
			v = int(s.speckle[(d+drift)&(speckleDepths-1)*speckleBeams+(p.beam+shift)&(speckleBeams-1)])/5 - 6
		case 1:
			v = grain + 22
		}
		g := uint8(max(0, min(255, v)))
		q := dst[3*p.at : 3*p.at+3]
		q[0], q[1], q[2] = g, g, g
		if flow := s.flow(p, phase, i); flow > 0 {
			q[0], q[1], q[2] = uint8(min(255, 120+flow)), uint8(flow), g/4
		} else if flow < 0 {
			q[0], q[1], q[2] = g/4, uint8(-flow), uint8(min(255, 120-flow))
		}
	}
	s.trace(i, n, dst)
}

// hypot2 is 2 inside the unit circle, 1 in a wall around it, else 0.
func hypot2(x, y float32) int {
	switch r := x*x + y*y; {
	case r < 1:
		return 2
	case r < 1.3:
		return 1
	}
	return 0
}

// flow is the velocity of blood in the colour box, 0 outside: a jet towards or away from the probe.
func (s *sector) flow(p echo, phase float64, i int) int {
	dx, dy := (p.x+0.10)/0.05, (p.y-0.50)/0.13
	if dx*dx+dy*dy > 1 {
		return 0
	}
	v := math.Sin(phase) * float64(1-dx*dx-dy*dy)
	return int(150*v) + int(s.speckle[(p.depth+i*53)&(speckleDepths-1)*speckleBeams+p.beam])/8
}

// trace draws a grey scale and an ECG outside the sector.
func (s *sector) trace(i, n int, dst []byte) {
	put := func(x, y int, r, g, b uint8) {
		if x >= 0 && y >= 0 && x < s.columns && y < s.rows {
			q := dst[3*(y*s.columns+x):]
			q[0], q[1], q[2] = r, g, b
		}
	}
	for y := range s.rows / 3 {
		for x := range max(2, s.columns/60) {
			g := uint8(255 - 255*3*y/s.rows)
			put(s.columns/40+x, s.rows/10+y, g, g, g)
		}
	}
	base := s.rows - max(2, s.rows/50)
	for x := range s.columns * (i + 1) / n {
		t := math.Mod(2*float64(x)/float64(s.columns), 1)
		spike := math.Exp(-math.Pow((t-0.3)/0.012, 2)) + 0.2*math.Exp(-math.Pow((t-0.55)/0.04, 2))
		put(x, base-int(spike*float64(s.rows)/28), 40, 220, 60)
	}
}
