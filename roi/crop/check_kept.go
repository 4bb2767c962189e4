package crop

import (
	"errors"
	"slices"
	"strings"

	"github.com/radtier/radtier/internal/dcm"
)

// mayChange are root elements that a derived instance may have otherwise than its source; it is a list of its own, and longer lists in Make would show.
var mayChange = map[uint32]bool{
	0x00080008: true, 0x00080012: true, 0x00080013: true, 0x00080014: true, 0x00080018: true, 0x0008103E: true, 0x00082111: true, 0x00082112: true,
	0x00082142: true, 0x00082143: true, 0x00083001: true, 0x00089154: true,
	0x00180072: true, 0x00181063: true, 0x00181065: true, 0x0018A001: true, 0x00186011: true,
	0x0020000E: true, 0x00200011: true, 0x00200032: true, 0x00200242: true, 0x00201002: true, 0x00201200: true, 0x00201202: true, 0x00201204: true, 0x00201206: true, 0x00201208: true, 0x00201209: true, 0x00209161: true, 0x00209162: true, 0x00209163: true,
	0x00209228: true,
	0x00280006: true, 0x00280008: true, 0x00280009: true, 0x00280010: true, 0x00280011: true,
	0x00280104: true, 0x00280105: true, 0x00280106: true, 0x00280107: true, 0x00280108: true, 0x00280109: true, 0x00280110: true, 0x00280111: true,
	0x00286010: true, 0x00286020: true, 0x00286022: true, 0x00286040: true, 0x00287FE0: true,
	0x00603000: true, 0x00880200: true, 0x01000410: true, 0x01000420: true, 0x01000424: true, 0x01000426: true,
}

// others compares everything that a crop leaves alone.
func (c *checker) others() error {
	p := c.f.Image.Photometric
	changed := func(tag uint32, root bool) bool {
		switch {
		case tag>>16&1 == 1, tag == 0xFFFAFFFA, tag == 0x4FFE0001: // private and signatures: see clean
			return true
		case tag>>16 == 0x0018 && tag&0xFFFF >= 0x1600 && tag&0xFFFF <= 0x1624, tag>>16 == 0x0018 && tag&0xFFFF >= 0x1700 && tag&0xFFFF <= 0x1720:
			return true
		case tag == 0x00189472, tag == 0x00089007, tag == 0x00089124, !root && tag == 0x00200032:
			return true
		case !root:
			return false
		case tag>>24 == 0x60 && tag>>16&0xFF <= 0x1E, tag>>24 == 0x50:
			return true
		case tag == 0x00181147 || tag == 0x00181149 || tag == 0x00187030 || tag == 0x00187032 || tag == 0x00187034:
			return slices.Contains([]string{"DX", "MG", "IO", "PX"}, c.f.Modality) || c.classHasFieldOfView()
		case tag == 0x00280004:
			return c.g.Image.Photometric == "RGB" && (p == "YBR_RCT" || p == "YBR_ICT")
		case tag >= 0x00182001 && tag <= 0x00182006:
			return len(c.frames) < c.f.Image.Frames
		}
		return mayChange[tag]
	}
	var items []int
	for _, n := range c.frames {
		items = append(items, n-1)
	}
	err := dcm.CompareKept(c.r, c.f, c.made, c.g, dcm.Changes{Changed: changed, Items: func(tag uint32) []int {
		if tag == 0x52009230 {
			return items
		}
		return nil
	}})
	var different *dcm.DifferenceError
	if errors.As(err, &different) {
		return wrong("it changes what a crop must not: %v", different)
	}
	return err
}

func (c *checker) classHasFieldOfView() bool {
	suffix := strings.TrimPrefix(c.f.ClassUID, "1.2.840.10008.5.1.4.1.1.")
	return strings.HasPrefix(suffix, "1.1") || strings.HasPrefix(suffix, "1.2") || strings.HasPrefix(suffix, "1.3")
}

// clean looks for what must not be in a derived instance, at any level.
func (c *checker) clean() error {
	for _, tag := range []uint32{0x00880200, 0x00280106, 0x00280107, 0x00280108, 0x00280109, 0x00200242, 0x00209161, 0x7FE00001} {
		if c.out.Has(tag) {
			return wrong("it has %s", dcm.TagString(tag))
		}
	}
	e, err := dcm.NewEdit(c.made, c.g)
	if err != nil {
		return err
	}
	return e.Walk(func(e *dcm.Edit) error {
		v, err := e.Values()
		if err != nil {
			return err
		}
		for _, tag := range e.Tags() {
			if tag == 0xFFFAFFFA || tag == 0x4FFE0001 {
				return wrong("it has a digital signature")
			}
			if tag>>16&1 == 0 || tag&0xFF00 == 0 {
				continue
			}
			creator := tag&0xFFFF0000 | tag>>8&0xFF
			if v.String(creator) == "" || v.Length(tag) > 1024 {
				return wrong("it has the private element %s", dcm.TagString(tag))
			}
		}
		return nil
	})
}

// overlays compares every bit of every overlay plane.
func (c *checker) overlays() error {
	for group := uint32(0x6000); group <= 0x601E; group += 2 {
		base := group << 16
		if !c.src.Has(base|0x3000) || c.src.VR(base|0x3000) == (dcm.VR{}) {
			continue // inside pixel data, or none
		}
		big := c.f.Encoding.BigEndian && c.src.VR(base|0x3000) == dcm.VR{'O', 'W'}
		a, b := readOverlay(c.src, base, big), readOverlay(c.out, base, false)
		for k, n := range c.frames {
			for y := range c.spec.Rect.H {
				for x := range c.spec.Rect.W {
					if a.at(c.spec.Rect.X+x, c.spec.Rect.Y+y, n-1) != b.at(x, y, k) {
						return wrong("overlay %04X differs at frame %d, column %d, row %d", group, k+1, x, y)
					}
				}
			}
		}
	}
	return nil
}

type overlayPlane struct {
	data                            []byte
	rows, columns, top, left, first int
	planes                          int // 0: one for all frames
	swapped                         bool
}

func readOverlay(d *dcm.Dataset, base uint32, swapped bool) overlayPlane {
	number := func(tag uint32, absent int) int {
		if v := d.Ints(base | tag); len(v) > 0 {
			return v[0]
		}
		return absent
	}
	p := overlayPlane{data: d.Bytes(base | 0x3000), rows: number(0x10, 0), columns: number(0x11, 0), top: 1, left: 1, first: number(0x51, 1), planes: number(0x15, 0), swapped: swapped}
	if o := d.Ints(base | 0x50); len(o) == 2 {
		p.top, p.left = o[0], o[1]
	}
	return p
}

// at is the bit over a pixel of an image frame, all from 0.
func (p *overlayPlane) at(x, y, frame int) bool {
	x, y = x-(p.left-1), y-(p.top-1)
	plane := 0
	if p.planes > 0 {
		if plane = frame + 1 - p.first; plane < 0 || plane >= p.planes {
			return false
		}
	}
	if x < 0 || y < 0 || x >= p.columns || y >= p.rows {
		return false
	}
	i := (plane*p.rows+y)*p.columns + x
	at := i / 8
	if p.swapped {
		at ^= 1
	}
	return at < len(p.data) && p.data[at]>>(i%8)&1 == 1
}

// embeddedOverlay is a plane that the source keeps in a bit of its samples, and the derived instance apart.
type embeddedOverlay struct {
	bit   int
	plane overlayPlane
}

func (c *checker) embedded() (list []embeddedOverlay) {
	for group := uint32(0x6000); group <= 0x601E; group += 2 {
		base := group << 16
		position := c.src.Ints(base | 0x0102)
		rows := c.src.Ints(base | 0x0010)
		if c.src.Has(base|0x3000) || len(position) == 0 || position[0] == 0 || len(rows) == 0 || rows[0] == 0 {
			continue
		}
		list = append(list, embeddedOverlay{position[0], readOverlay(c.out, base, false)})
	}
	return list
}
