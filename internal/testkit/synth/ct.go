package synth

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/radtier/radtier/internal/dcm"
)

// Geometry of the CT: a field of view of 384 mm, slices of 2.5 mm.
const (
	ctView      = 384.0
	ctThickness = 2.5
	ctNoise     = 13 // HU, one standard deviation
)

// CT makes a chest CT of 120 slices (or Options.Slices) of 512 x 512: words of 16 bits, 12 of them
// stored, signed. The right lung has one nodule, see [Study.Lesion].
func CT(o Options) Study {
	const class = "1.2.840.10008.5.1.4.1.1.2"
	n, side := o.count(o.slices()), o.pixels(512)
	thickness := ctThickness * 120 / float64(n)
	s := Study{Name: "chest CT", Modality: "CT", UID: o.uid("ct study")}
	who := subject{charset: gb18030, latin: "CHEST CT", ideographic: "\xba\xcf\xb3\xc9^\xd3\xb0\xcf\xf1\xbc\xd7", // 合成^影像甲
		id: o.id("CT"), sex: "M", born: "19600101", date: "20250311",
		institution: "\xba\xcf\xb3\xc9\xb2\xe2\xca\xd4\xd2\xbd\xd4\xba", // 合成测试医院
		study:       "\xd0\xd8\xb2\xbfCT\xc6\xbd\xc9\xa8"}               // 胸部CT平扫
	scene := sync.OnceValue(func() *thorax { return newThorax(o) })
	frameOfReference, series := o.uid("ct frame of reference"), o.uid("ct series")
	layout := Layout{Rows: side, Columns: side, Samples: 1, Allocated: 16, Stored: 12, HighBit: 11, Signed: true, Photometric: "MONOCHROME2"}
	spacing := ctView / float64(side)
	s.Lesion = &Lesion{SeriesUID: series, FrameUID: frameOfReference, Center: nodule.center, Radius: nodule.radius}
	for i := range n {
		z := -thickness * float64(i) // from the apex down
		x := Instance{StudyUID: s.UID, SeriesUID: series, SOPUID: o.uid(fmt.Sprint("ct instance ", i)), ClassUID: class,
			Syntax: ExplicitLE, Series: 2, Number: i + 1, Layout: layout, Frames: 1}
		x.frame = func(_ int, dst []byte) { scene().slice(o, i, z, side, dst) }
		x.header = func() *dcm.Builder {
			b := dcm.NewBuilder()
			o.general(b, &x, who, "CT")
			layout.pixels(b)
			origin := -ctView/2 + spacing/2
			return b.Text(0x00080008, "ORIGINAL", "PRIMARY", "AXIAL").
				Text(0x00080022, who.date).Text(0x00080032, "100100").
				Text(0x00080023, who.date).Text(0x00080033, "100130").
				Text(0x0008103E, "CHEST 2.5 SOFT").
				Text(0x00180015, "CHEST").
				Text(0x00180022, "HELICAL MODE").
				Floats(0x00180050, thickness).
				Floats(0x00180060, 120).
				Floats(0x00180090, ctView).
				Floats(0x00181100, ctView).
				Floats(0x00181120, 0).
				Text(0x00181140, "CW").
				Ints(0x00181150, 500).
				Ints(0x00181151, 220).
				Ints(0x00181152, 110).
				Text(0x00181210, "SYNTH_SOFT").
				Text(0x00185100, "HFS").
				Floats(0x00200032, origin, origin, z).
				Floats(0x00200037, 1, 0, 0, 0, 1, 0).
				Text(0x00200052, frameOfReference).
				Ints(0x00200012, 1).
				Text(0x00201040, "").
				Floats(0x00201041, z).
				Floats(0x00280030, spacing, spacing).
				Floats(0x00281050, 40).
				Floats(0x00281051, 400).
				Floats(0x00281052, 0).
				Floats(0x00281053, 1).
				Text(0x00281054, "HU")
		}
		if math.Abs(z-nodule.center[2]) < nodule.radius-0.5 { // less than that is lost in noise
			s.Lesion.SOPUIDs = append(s.Lesion.SOPUIDs, x.SOPUID)
		}
		s.Instances = append(s.Instances, x)
	}
	return s
}

// nodule is the lesion of the CT, in patient coordinates.
var nodule = struct {
	center [3]float64
	radius float64
}{[3]float64{-70, -28, -132}, 7}

// thorax is what all slices of a CT share.
type thorax struct {
	noise   *noise
	vessels []vessel
}

// vessel is a tube of a lung, nearly along the body.
type vessel struct{ x, y, dx, dy, from, to, r float64 }

func newThorax(o Options) *thorax {
	r := o.random("ct")
	t := &thorax{noise: newNoise(r, true)}
	for range 260 {
		side := float64(1 - 2*r.IntN(2))
		// Thick vessels lie near the hilum, thin ones anywhere.
		near := r.Float64()
		t.vessels = append(t.vessels, vessel{
			x: side * (28 + 80*near), y: -60 + 125*r.Float64(), dx: side * (r.Float64() - 0.5), dy: r.Float64() - 0.5,
			from: -290 * r.Float64(), to: 0, r: 0.8 + 2.4*(1-near)*r.Float64()})
		v := &t.vessels[len(t.vessels)-1]
		v.to = v.from - 20 - 60*r.Float64()
	}
	return t
}

// slice paints the body at height z, from 0 at the apex of the lungs to -300 in the upper abdomen.
func (t *thorax) slice(o Options, index int, z float64, side int, dst []byte) {
	p := newPlane(side, side, ctView/float64(side))
	p.fill(-1024)
	p.ellipse(0, 0, ctView/2, ctView/2, -1000)
	t.body(p, -z/300)
	t.lungs(p, z)
	t.mediastinum(p, -z/300)
	t.bones(p, z)
	p.blur()
	r := o.random(fmt.Sprint("ct slice ", index))
	grain := t.noise.at(r)
	for y := range side {
		g := grain.row(y)
		for x, v := range p.px[y*side : (y+1)*side] {
			hu := int(v)
			if hu > -1024 {
				hu += g(x) * ctNoise / noiseUnit
			}
			binary.LittleEndian.PutUint16(dst[2*(y*side+x):], uint16(max(-1024, min(2047, hu))))
		}
	}
}

func (t *thorax) body(p *plane, f float64) {
	wide := 158 + 12*math.Sin(math.Pi*f)
	if f < 0.12 {
		p.ellipse(-120, 15, 60, 45, -95) // shoulders
		p.ellipse(120, 15, 60, 45, -95)
	}
	p.ellipse(0, 0, wide, 112, -95)
	p.ellipse(0, 0, wide-15, 98, 52)
	p.ellipse(0, 2, wide-32, 84, -70)
	p.ellipse(0, 132, 150, 4, -180) // couch
}

func (t *thorax) lungs(p *plane, z float64) {
	f := -z / 300
	size := func(center, half float64) float64 {
		d := (f - center) / half
		return math.Sqrt(max(0, 1-d*d))
	}
	right, left := size(0.42, 0.46), size(0.45, 0.50)
	p.ellipse(-68, 0, 55*right, 78*right, -855)
	p.ellipse(68, 2, 54*left, 77*left, -860)
	for _, v := range t.vessels {
		if z <= v.from && z >= v.to {
			d := v.from - z
			p.replace(v.x+v.dx*d, v.y+v.dy*d, v.r, v.r, -900, -800, 35)
		}
	}
	if d := z - nodule.center[2]; math.Abs(d) < nodule.radius {
		r := math.Sqrt(nodule.radius*nodule.radius - d*d)
		p.ellipse(nodule.center[0], nodule.center[1], r, r, 38)
	}
	if f > 0.62 { // domes of the diaphragm: liver right, spleen and stomach left
		h := math.Sqrt(min(1, (f-0.62)/0.2))
		p.ellipse(-52, 0, 78*h, 76*h, 62)
		h = math.Sqrt(max(0, min(1, (f-0.70)/0.2)))
		p.ellipse(74, 22, 46*h, 54*h, 48)
		p.ellipse(62, -18, 30*h, 26*h, -20)
	}
}

func (t *thorax) mediastinum(p *plane, f float64) {
	p.ellipse(0, -10, 26, 62, -60)
	p.ellipse(0, 4, 20, 50, 42)
	if f > 0.3 && f < 0.85 {
		h := math.Sin(math.Pi * (f - 0.3) / 0.55)
		p.ellipse(18, -26, 62*h, 46*h, 44)
		p.ellipse(26, -24, 34*h, 26*h, 58)
		p.ellipse(-12, -30, 22*h, 24*h, 60)
	}
	if f < 0.45 {
		p.ellipse(-14, -22, 14, 15, 60) // ascending aorta
	}
	p.ellipse(20, 44, 12, 12, 60) // descending aorta
	switch {
	case f < 0.36:
		p.ellipse(0, 10, 9, 8, -990) // trachea
	case f < 0.5:
		w := 80 * (f - 0.36)
		p.ellipse(-8-w*2, 12, 6.5, 6, -990)
		p.ellipse(8+w*2, 12, 6.5, 6, -990)
	}
}

func (t *thorax) bones(p *plane, z float64) {
	disc := math.Mod(-z, 25) < 5
	cortex, marrow := int16(520), int16(190)
	if disc {
		cortex, marrow = 110, 90
	}
	p.ellipse(0, 68, 21, 17, cortex)
	p.ellipse(0, 68, 18, 14, marrow)
	p.ellipse(0, 91, 14, 11, 380)
	p.ellipse(0, 90, 8.5, 7.5, 25)
	p.ellipse(0, 105, 4, 9, 420)
	p.ellipse(0, -90, 17, 5.5, 340)
	p.ellipse(0, -90, 14, 3, 130)
	for k := range 12 { // ribs slope down to the front, so that each slice cuts several
		for _, side := range []float64{-1, 1} {
			a := math.Mod(-z*0.021+float64(k)*math.Pi/12, math.Pi) - math.Pi/2
			x, y := side*132*math.Cos(a), 88*math.Sin(a)
			if math.Mod(-z+float64(k)*11, 25) < 13 {
				p.ellipse(x, y, 7, 6, 560)
				p.ellipse(x, y, 4.5, 3.5, 220)
			}
		}
	}
}
