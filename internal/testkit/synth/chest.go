package synth

import (
	"encoding/binary"
	"math"
	"sync"

	"github.com/radtier/radtier/internal/dcm"
)

// Geometry of the X-ray: a detector of 2000 x 2500 pixels of 0.17 mm.
const (
	dxSpacing = 0.17
	dxNoise   = 55 // of 16384, one standard deviation
	dxGrid    = 4  // anatomy is computed on every fourth pixel and interpolated
)

// Chest makes a two-view chest X-ray of 2500 rows and 2000 columns, 14 bits, For Presentation: PA and lateral, a series each.
func Chest(o Options) Study {
	const class = "1.2.840.10008.5.1.4.1.1.1.1"
	s := Study{Name: "chest X-ray", Modality: "DX", UID: o.uid("dx study")}
	who := subject{charset: gb18030, latin: "CHEST DX", ideographic: "\xba\xcf\xb3\xc9^\xd3\xb0\xcf\xf1\xb1\xfb", // 合成^影像丙
		id: o.id("DX"), sex: "M", born: "19810923", date: "20250313",
		institution: "\xba\xcf\xb3\xc9\xb2\xe2\xca\xd4\xd2\xbd\xd4\xba",
		study:       "\xd0\xd8\xb2\xbf\xd5\xfd\xb2\xe0\xce\xbb"} // 胸部正侧位
	rows, columns := o.pixels(2500), o.pixels(2000)
	spacing := dxSpacing * 2500 / float64(rows)
	layout := Layout{Rows: rows, Columns: columns, Samples: 1, Allocated: 16, Stored: 14, HighBit: 13, Photometric: "MONOCHROME2"}
	grain := sync.OnceValue(func() *noise { return newNoise(o.random("dx"), false) })
	for i, view := range []struct {
		name, position, orientation string
		code, meaning               string
		attenuation                 func(x, y float64) float64
	}{
		{"PA", "PA", `L\F`, "399348003", "postero-anterior", chestPA},
		{"LAT", "LL", `A\F`, "399173006", "left lateral", chestLateral},
	} {
		x := Instance{StudyUID: s.UID, SeriesUID: o.uid("dx series " + view.name), SOPUID: o.uid("dx instance " + view.name), ClassUID: class,
			Syntax: ExplicitLE, Series: 1 + i, Number: 1, Layout: layout, Frames: 1}
		x.frame = func(_ int, dst []byte) { radiograph(o, grain(), view.name, view.attenuation, layout, spacing, dst) }
		x.header = func() *dcm.Builder {
			b := dcm.NewBuilder()
			o.general(b, &x, who, "DX")
			layout.pixels(b)
			return b.Text(0x00080008, "ORIGINAL", "PRIMARY", "").
				Text(0x00080022, who.date).Text(0x00080032, "100100").
				Text(0x00080023, who.date).Text(0x00080033, "100130").
				Text(0x00080068, "FOR PRESENTATION").
				Text(0x0008103E, "CHEST "+view.name).
				Items(0x00082218, code("51185008", "SCT", "Chest")).
				Text(0x00180015, "CHEST").
				Floats(0x00180060, 120).
				Floats(0x00181164, spacing, spacing).
				Text(0x00181508, "").
				Text(0x00185101, view.position).
				Text(0x00187004, "SCINTILLATOR").
				Floats(0x0018701A, 1, 1).
				Text(0x00200020, view.orientation).
				Text(0x00200062, "U").
				Ints(0x00200012, 1).
				Floats(0x00280030, spacing, spacing).
				Text(0x00280301, "NO").
				Text(0x00281040, "LOG").
				Ints(0x00281041, 1).
				Floats(0x00281050, 7600).
				Floats(0x00281051, 13000).
				Floats(0x00281052, 0).
				Floats(0x00281053, 1).
				Text(0x00281054, "US").
				Text(0x00282110, "00").
				Text(0x20500020, "IDENTITY").
				Items(0x00400555).
				Items(0x00540220, code(view.code, "SCT", view.meaning))
		}
		s.Instances = append(s.Instances, x)
	}
	return s
}

// radiograph turns attenuation into display-ready samples: more tissue is brighter.
func radiograph(o Options, n *noise, name string, attenuation func(x, y float64) float64, l Layout, spacing float64, dst []byte) {
	gw, gh := l.Columns/dxGrid+2, l.Rows/dxGrid+2
	grid := make([]float32, gw*gh)
	for gy := range gh {
		for gx := range gw {
			x := (float64(gx*dxGrid) - float64(l.Columns)/2) * spacing
			y := (float64(gy*dxGrid) - float64(l.Rows)/2) * spacing
			grid[gy*gw+gx] = float32(600 + 2900*attenuation(x, y))
		}
	}
	grain := n.at(o.random("dx view " + name))
	line := make([]int32, gw)
	for y := range l.Rows {
		g := grain.row(y)
		upper, lower := grid[y/dxGrid*gw:][:gw], grid[(y/dxGrid+1)*gw:][:gw]
		f := float32(y%dxGrid) / dxGrid
		for i := range line {
			line[i] = int32((upper[i]*(1-f) + lower[i]*f) * dxGrid)
		}
		row := dst[2*y*l.Columns:][:2*l.Columns]
		for x := range l.Columns {
			i, k := x/dxGrid, int32(x%dxGrid)
			v := (int(line[i])*int(dxGrid-k)+int(line[i+1])*int(k))/(dxGrid*dxGrid) + g(x)*dxNoise/noiseUnit
			binary.LittleEndian.PutUint16(row[2*x:], uint16(max(0, min(16383, v))))
		}
	}
}

// through is the length of a ray through an ellipsoid of half axes a, b, c.
func through(x, y, cx, cy, a, b, c float64) float64 {
	u, v := (x-cx)/a, (y-cy)/b
	return 2 * c * math.Sqrt(max(0, 1-u*u-v*v))
}

// Attenuation per millimetre after compression for display.
const (
	softTissue = 0.0135
	boneTissue = 0.020
)

func chestPA(x, y float64) float64 {
	side := math.Abs(x)
	soft := through(x, y, 0, 60, 160, 400, 105)
	soft = max(soft, through(side, y, 140, -120, 60, 90, 60))
	lung := through(x, y, -66, -15, 54, 135, 74) + through(x, y, 68, -15, 50, 132, 74)
	soft -= 0.82 * lung
	soft += 0.55*through(x, y, 26, 52, 66, 58, 52) + 0.3*through(x, y, 30, -45, 22, 26, 30) // heart, aortic knob
	soft += 0.5 * through(x, y, 0, -20, 26, 190, 42)
	soft += max(0.75*through(x, y, -62, 225, 112, 128, 88), 0.75*through(x, y, 66, 232, 106, 124, 84)) // diaphragm
	soft -= 0.35 * through(x, y, 2, -150, 8, 90, 14)                                                   // trachea
	hilum := math.Exp(-math.Pow((side-32)/20, 2) - math.Pow((y-5)/45, 2))
	soft += 18 * hilum * (1 + 0.5*math.Sin(y/5+x/7))
	bone := 0.0
	if side < 19 {
		bone += 20 * (0.8 + 0.2*math.Cos(2*math.Pi*y/26)) * math.Sqrt(1-side*side/361)
	}
	for k := range 10 { // posterior ribs fall to the side, anterior ones to the middle
		at := -165 + 27*float64(k)
		posterior := at + 0.0026*math.Pow(max(0, side-15), 2)
		if side > 12 && side < 128 {
			bone += band(y-posterior, 5.5) * 9
		}
		anterior := at + 95 - 0.55*side - 0.001*side*side
		if k < 7 && side > 45 && side < 128 {
			bone += band(y-anterior, 6) * 4.5
		}
	}
	clavicle := -158 - 0.13*side + 12*math.Sin(side/38)
	if side > 12 && side < 140 {
		bone += band(y-clavicle, 6.5) * 11
	}
	return max(0, softTissue*max(0, soft)+boneTissue*bone)
}

// band is 1 in the middle of a bone of half width w and falls to 0 at its edges, brighter there as cortex is.
func band(d, w float64) float64 {
	u := math.Abs(d) / w
	if u >= 1 {
		return 0
	}
	return math.Sqrt(1-u*u) * (0.75 + 0.5*u*u)
}

func chestLateral(x, y float64) float64 {
	soft := through(x, y, 5, 60, 125, 420, 150)
	soft = max(soft, 0.8*through(x, y, -10, -190, 90, 60, 120))
	soft -= 0.72 * (through(x, y, 5, -20, 82, 140, 105) + 0.15*through(x, y, 30, 60, 50, 90, 80))
	soft += 0.42*through(x, y, -38, 48, 44, 60, 60) + 0.28*through(x, y, -5, -40, 30, 40, 30)
	soft += 0.7*through(x, y, -20, 205, 105, 100, 95) + 0.5*through(x, y, 40, 215, 70, 90, 80)
	bone := 0.0
	spine := 78 - 18*math.Cos((y+20)/110)
	if d := math.Abs(x - spine); d < 17 {
		vertebra := math.Mod(y+400, 26)
		bone += 17 * math.Sqrt(1-d*d/289)
		if vertebra < 5 {
			bone *= 0.55
		}
	}
	bone += band(x+95+0.12*y, 5) * 9 // sternum
	for k := range 10 {
		at := -150 + 26*float64(k)
		line := at + 0.35*(60-x)
		if x > -95 && x < 105 {
			bone += band(y-line, 5) * 3.2
		}
	}
	return max(0, softTissue*0.8*max(0, soft)+boneTissue*bone)
}
