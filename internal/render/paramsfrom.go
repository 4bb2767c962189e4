package render

import (
	"image"
	"math"
	"strings"

	"github.com/radtier/radtier/internal/dcm"
)

// ParamsFrom reads the parameters of one frame, counted from 0. In enhanced
// images the frame's functional groups (5200,9230) win over the shared ones (5200,9229), and these over the data set.
// A table that contradicts itself is a *[codecs.MalformedError].
func ParamsFrom(ds *dcm.Dataset, img *dcm.Image, frame int) (Params, error) {
	p := Params{
		Photometric: img.Photometric,
		Modality:    ds.String(0x00080060),
		RescaleType: ds.String(0x00281054),
		Inverse:     ds.String(0x20500020) == "INVERSE",
		ICCProfile:  ds.Length(0x00282000) > 0,
		PHIRisk:     PHIRisk(ds),
		Ultrasound:  ds.String(0x00080060) == "US",
		Regions:     regions(ds),
	}
	p.Localizer = isLocalizer(ds)
	groups := functionalGroups{shared: first(ds, 0x52009229), perFrame: item(ds.Items(0x52009230), frame)}
	if err := p.readModality(ds, groups, img); err != nil {
		return Params{}, err
	}
	if err := p.readVOI(ds, groups, img); err != nil {
		return Params{}, err
	}
	if err := p.readPalette(ds); err != nil {
		return Params{}, err
	}
	p.readPadding(ds)
	p.Aspect = aspect(ds, groups)
	return p, nil
}

// functionalGroups are the items that describe one frame (PS3.3 C.7.6.16); nil where there are none.
type functionalGroups struct{ perFrame, shared *dcm.Dataset }

// macro returns the item of a functional group, nil if the frame has none.
func (g functionalGroups) macro(tag uint32) *dcm.Dataset {
	for _, d := range []*dcm.Dataset{g.perFrame, g.shared} {
		if m := first(d, tag); m != nil {
			return m
		}
	}
	return nil
}

func item(items []*dcm.Dataset, i int) *dcm.Dataset {
	if i < 0 || i >= len(items) {
		return nil
	}
	return items[i]
}

func first(d *dcm.Dataset, tag uint32) *dcm.Dataset {
	if d == nil {
		return nil
	}
	return item(d.Items(tag), 0)
}

// number returns the first value of an element, if it is a finite number.
func number(d *dcm.Dataset, tag uint32) (float64, bool) {
	v := d.Floats(tag)
	if len(v) == 0 || math.IsNaN(v[0]) || math.IsInf(v[0], 0) {
		return 0, false
	}
	return v[0], true
}

// readModality reads the Modality LUT module (PS3.3 C.11.1) or the Pixel Value Transformation (C.7.6.16.2.9).
func (p *Params) readModality(ds *dcm.Dataset, g functionalGroups, img *dcm.Image) error {
	relation := ds.String(0x00281040)
	if (p.Modality == "XA" || p.Modality == "RF") && (relation == "LOG" || relation == "DISP") {
		// The transformation leads back to X-ray intensities; the picture is meant to be seen without it.
		return nil
	}
	from := ds
	if m := g.macro(0x00289145); m != nil {
		from = m
		p.RescaleType = m.String(0x00281054)
	}
	if lut := first(ds, 0x00283000); lut != nil && from == ds {
		table, err := lutOf(lut, "Modality LUT (0028,3000)", img.Signed)
		p.ModalityLUT = table
		return err
	}
	slope, hasSlope := number(from, 0x00281053)
	intercept, hasIntercept := number(from, 0x00281052)
	p.Slope, p.Intercept, p.Rescaled = slope, intercept, hasSlope && hasIntercept
	if slope == 0 {
		p.Slope = 1
	}
	return nil
}

// readVOI reads the VOI LUT module (PS3.3 C.11.2) or the Frame VOI LUT (C.7.6.16.2.10): the first table, else the first window.
func (p *Params) readVOI(ds *dcm.Dataset, g functionalGroups, img *dcm.Image) error {
	from := ds
	if m := g.macro(0x00289132); m != nil {
		from = m
	}
	if lut := first(from, 0x00283010); lut != nil {
		table, err := lutOf(lut, "VOI LUT (0028,3010)", img.Signed || p.Intercept < 0)
		p.VOILUT = table
		return err
	}
	center, hasCenter := number(from, 0x00281050)
	width, hasWidth := number(from, 0x00281051)
	if !hasCenter || !hasWidth {
		return nil
	}
	p.Window = &Window{Center: center, Width: width}
	switch from.String(0x00281056) {
	case "SIGMOID":
		p.Window.Function = Sigmoid
	case "LINEAR_EXACT":
		p.Window.Function = LinearExact
	}
	return nil
}

// lutOf reads the item of a LUT sequence. Where inputs may be negative, a first value above 32767 is a negative one written as unsigned.
func lutOf(d *dcm.Dataset, name string, negative bool) (*LUT, error) {
	lut, err := newLUT(name, d.Ints(0x00283002), d.Ints(0x00283006))
	if err == nil && negative && lut.First > math.MaxInt16 {
		lut.First -= 1 << 16
	}
	return lut, err
}

func (p *Params) readPalette(ds *dcm.Dataset) error {
	if p.Photometric != "PALETTE COLOR" {
		return nil
	}
	var c [3]channel
	for i := range c {
		n := uint32(i)
		c[i] = channel{descriptor: ds.Ints(0x00281101 + n), data: ds.Ints(0x00281201 + n), segmented: ds.Ints(0x00281221 + n)}
		holder := 0x00281201 + n
		if len(c[i].data) == 0 {
			holder = 0x00281221 + n
		}
		vr := ds.VR(holder)
		c[i].bytes = string(vr[:]) == "OB"
	}
	var err error
	p.Palette, err = newPalette(c)
	return err
}

func (p *Params) readPadding(ds *dcm.Dataset) {
	if v := ds.Ints(0x00280120); len(v) > 0 {
		p.Padding = &Padding{v[0], v[0]}
		if w := ds.Ints(0x00280121); len(w) > 0 {
			p.Padding.High = w[0]
		}
	}
	for _, tag := range []uint32{0x00280122, 0x00280123} {
		if v, ok := number(ds, tag); ok {
			p.FloatPadding = &FloatPadding{v, v}
			if w, ok := number(ds, tag+2); ok {
				p.FloatPadding.High = w
			}
		}
	}
}

// aspect returns the height of a pixel divided by its width (PS3.3 C.7.6.3.1.7, 10.7.1.3), 1 if nothing says so.
func aspect(ds *dcm.Dataset, g functionalGroups) float64 {
	if m := g.macro(0x00289110); m != nil {
		if a := ratio(m, 0x00280030); a > 0 {
			return a
		}
	}
	for _, tag := range []uint32{
		0x00280030, // Pixel Spacing: between rows, between columns
		0x00181164, // Imager Pixel Spacing
		0x00182010, // Nominal Scanned Pixel Spacing
		0x00280034, // Pixel Aspect Ratio: vertical, horizontal
	} {
		if a := ratio(ds, tag); a > 0 {
			return a
		}
	}
	return 1
}

func ratio(d *dcm.Dataset, tag uint32) float64 {
	v := d.Floats(tag)
	if len(v) < 2 || !(v[0] > 0) || !(v[1] > 0) || math.IsInf(v[0], 0) || math.IsInf(v[1], 0) {
		return 0
	}
	return v[0] / v[1]
}

// regions returns the ultrasound regions (PS3.3 C.8.5.5): corners are whole pixels counted from 0, the last one included.
func regions(ds *dcm.Dataset) []image.Rectangle {
	var list []image.Rectangle
	for _, d := range ds.Items(0x00186011) {
		var corner [4]int
		known := true
		for i, tag := range []uint32{0x00186018, 0x0018601A, 0x0018601C, 0x0018601E} {
			v := d.Ints(tag)
			if len(v) == 0 || v[0] < 0 || v[0] > math.MaxUint16 {
				known = false
				break
			}
			corner[i] = v[0]
		}
		if r := image.Rect(corner[0], corner[1], corner[2]+1, corner[3]+1); known && corner[2] >= corner[0] && corner[3] >= corner[1] {
			list = append(list, r)
		}
	}
	return list
}

// isLocalizer reports whether value 3 of Image Type (0008,0008) says so.
func isLocalizer(ds *dcm.Dataset) bool {
	v := ds.Strings(0x00080008)
	return len(v) > 2 && strings.EqualFold(v[2], "LOCALIZER")
}
