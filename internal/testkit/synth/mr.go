package synth

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/radtier/radtier/internal/dcm"
)

// Geometry of the MR: a field of view of 240 mm, partitions of 2.5 mm.
const (
	mrView      = 240.0
	mrThickness = 2.5
	mrNoise     = 22 // of 4096, one standard deviation of each channel
)

// MR makes a T1-weighted 3D gradient echo of the head: 60 axial partitions of 256 x 256, 12 bits.
func MR(o Options) Study {
	const class = "1.2.840.10008.5.1.4.1.1.4"
	n, side := o.count(60), o.pixels(256)
	thickness := mrThickness * 60 / float64(n)
	s := Study{Name: "head MR", Modality: "MR", UID: o.uid("mr study")}
	who := subject{charset: utf8, latin: "HEAD MR", ideographic: "合成^影像乙", id: o.id("MR"), sex: "F", born: "19720505", date: "20250312",
		institution: "合成测试医院", study: "头颅MR"}
	frameOfReference, series := o.uid("mr frame of reference"), o.uid("mr series")
	grain := sync.OnceValue(func() *noise { return newNoise(o.random("mr"), false) })
	layout := Layout{Rows: side, Columns: side, Samples: 1, Allocated: 16, Stored: 12, HighBit: 11, Photometric: "MONOCHROME2"}
	spacing := mrView / float64(side)
	for i := range n {
		z := thickness * (float64(i) - float64(n-1)/2) // from the skull base up
		x := Instance{StudyUID: s.UID, SeriesUID: series, SOPUID: o.uid(fmt.Sprint("mr instance ", i)), ClassUID: class,
			Syntax: ExplicitLE, Series: 3, Number: i + 1, Layout: layout, Frames: 1}
		x.frame = func(_ int, dst []byte) { headSlice(o, grain(), i, z, side, dst) }
		x.header = func() *dcm.Builder {
			b := dcm.NewBuilder()
			o.general(b, &x, who, "MR")
			layout.pixels(b)
			origin := -mrView/2 + spacing/2
			return b.Text(0x00080008, "ORIGINAL", "PRIMARY", "OTHER").
				Text(0x00080022, who.date).Text(0x00080032, "100100").
				Text(0x00080023, who.date).Text(0x00080033, "100630").
				Text(0x0008103E, "T1 3D GRE").
				Text(0x00180015, "HEAD").
				Text(0x00180020, "GR").
				Text(0x00180021, "SP", "MP").
				Text(0x00180022, "").
				Text(0x00180023, "3D").
				Text(0x00180024, "*tfl3d1").
				Text(0x00180025, "N").
				Floats(0x00180050, thickness).
				Floats(0x00180080, 1900).
				Floats(0x00180081, 2.52).
				Floats(0x00180083, 1).
				Floats(0x00180084, 123.2).
				Text(0x00180085, "1H").
				Floats(0x00180087, 3).
				Floats(0x00180088, thickness).
				Ints(0x00180091, 1).
				Floats(0x00180095, 170).
				Ints(0x00181310, 0, 256, 256, 0).
				Text(0x00181312, "ROW").
				Floats(0x00181314, 9).
				Text(0x00185100, "HFS").
				Floats(0x00200032, origin, origin, z).
				Floats(0x00200037, 1, 0, 0, 0, 1, 0).
				Text(0x00200052, frameOfReference).
				Ints(0x00200012, 1).
				Text(0x00201040, "").
				Floats(0x00201041, z).
				Floats(0x00280030, spacing, spacing).
				Floats(0x00281050, 700).
				Floats(0x00281051, 1400)
		}
		s.Instances = append(s.Instances, x)
	}
	return s
}

// headSlice paints the head at height z, from -75 at the skull base to 75 at the vertex.
func headSlice(o Options, n *noise, index int, z float64, side int, dst []byte) {
	level := math.Sqrt(max(0.04, 1-math.Pow((z+12)/92, 2)))
	a, b := 74*level, 94*level
	spacing := mrView / float64(side)
	r := o.random(fmt.Sprint("mr slice ", index))
	re, im := n.at(r), n.at(r)
	mid := float64(side-1) / 2
	for y := range side {
		gr, gi := re.row(y), im.row(y)
		py := (float64(y) - mid) * spacing
		for x := range side {
			px := (float64(x) - mid) * spacing
			signal := headSignal(px, py, z, a, b)
			// A coil on the left is nearer: signal falls off to the right.
			signal *= 1 + 0.0012*px - 0.0008*py
			// Magnitude of two noisy channels: Rician, as in every magnitude image.
			u := signal + float64(gr(x))*mrNoise/noiseUnit
			v := float64(gi(x)) * mrNoise / noiseUnit
			binary.LittleEndian.PutUint16(dst[2*(y*side+x):], uint16(min(4095, math.Sqrt(u*u+v*v))))
		}
	}
}

// headSignal is the T1 signal of the tissue at a place in mm.
func headSignal(x, y, z, a, b float64) float64 {
	rho := math.Hypot(x/a, y/b)
	switch {
	case rho >= 1:
		return 0
	case rho > 0.945:
		return 1150 // fat of the scalp
	case rho > 0.885:
		return 90 // skull
	case rho > 0.862:
		return 230 // fluid
	}
	if math.Abs(x) < 1.6 && y < 0.78*b && z > 0 {
		return 240 // between the hemispheres
	}
	if v := ventricle(x, y, z); v {
		return 210
	}
	theta := math.Atan2(y, x)
	fold := 0.5*math.Sin(13*theta+z/9) + 0.35*math.Sin(29*theta-z/6+2*math.Sin(z/14)) + 0.15*math.Sin(47*theta+z/4)
	switch depth := 0.862 - rho; {
	case depth < 0.16 && fold > 0.45+3*depth:
		return 250 // a sulcus
	case depth < 0.10+0.13*fold || depth < 0.21 && fold > 0.15+3*depth:
		return 640 // cortex
	}
	if h := math.Hypot((math.Abs(x)-17)/9, (y-4)/17); h < 1 && math.Abs(z-2) < 18 {
		return 690 // deep grey matter
	}
	return 900 // white matter
}

// ventricle reports whether a place is in one of the lateral ventricles or the third one.
func ventricle(x, y, z float64) bool {
	side := math.Abs(x)
	if z > 2 && z < 34 {
		h := 1 - math.Abs(z-18)/16
		front := math.Hypot((side-7-0.12*math.Abs(y))/(2+4*h), (y+4)/(10+24*h))
		return front < 1
	}
	return z > -16 && z <= 2 && math.Hypot(side/2.4, (y-2)/12) < 1
}
