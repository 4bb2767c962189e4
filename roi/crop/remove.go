package crop

import (
	"slices"
	"strings"

	"github.com/radtier/radtier/internal/dcm"
)

// removed are elements of the root that are not true of a crop, or cannot be known to be.
var removed = []uint32{
	0x00080014,                                                                         // Instance Creator UID: the source's
	0x00083001,                                                                         // Alternate Representation Sequence: of the whole frame
	0x00201002, 0x00201200, 0x00201202, 0x00201204, 0x00201206, 0x00201208, 0x00201209, // counts of images and related objects
	0x00200242, 0x00209161, 0x00209162, 0x00209163, 0x00209228, // concatenations (PS3.3 C.7.6.16.2.2.4)
	0x00280104, 0x00280105, 0x00280106, 0x00280107, 0x00280108, 0x00280109, 0x00280110, 0x00280111, // smallest and largest values
	0x00287FE0,                                     // Pixel Data Provider URL
	0x00603000,                                     // Histogram Sequence
	0x00880200,                                     // Icon Image Sequence
	0x01000410, 0x01000420, 0x01000424, 0x01000426, // SOP Instance Status: an authorized original is not authorized when cut
	0x7FE00001, 0x7FE00002, 0x7FE00003, // offset tables of encapsulated pixel data
}

// fieldOfView describes the whole frame of projections, and goes as a set (PS3.3 C.8.11.4).
var fieldOfView = []uint32{0x00181147, 0x00181149, 0x00187030, 0x00187032, 0x00187034}

// signatures are removed at every level: they cannot hold any more.
var signatures = []uint32{0x4FFE0001, 0xFFFAFFFA}

// remove takes out what is not true of the crop, and private elements.
func (m *maker) remove() error {
	m.e.DeleteTags(removed...)
	if m.class.projection {
		m.e.DeleteTags(fieldOfView...)
	}
	m.e.Delete(func(t uint32) bool { return t>>24 == 0x50 && t>>16&1 == 0 }) // curves, retired: some are outlines in pixels
	return m.e.Walk(func(e *dcm.Edit) error {
		e.DeleteTags(signatures...)
		return m.private(e)
	})
}

// kept are private elements without which samples lose their meaning: scale
// factors of PET and MR, and what diffusion weighting they have. By group, creator and the tag's last byte.
var kept = map[uint16]map[string][]byte{
	0x7053: {"Philips PET Private Group": {0x00, 0x09}},                                         // SUV and activity scale factors
	0x2001: {"Philips Imaging DD 001": {0x03, 0x04}},                                            // b value, diffusion direction
	0x2005: {"Philips MR Imaging DD 001": {0x0D, 0x0E, 0xB0, 0xB1, 0xB2}},                       // scale intercept and slope, diffusion vector
	0x0019: {"SIEMENS MR HEADER": {0x0C, 0x0D, 0x0E, 0x27}, "GEMS_ACQU_01": {0xBB, 0xBC, 0xBD}}, // b value, direction, matrix; vector
	0x0043: {"GEMS_PARM_01": {0x39}},                                                            // b value
}

const mostPrivate = 1024 // bytes of a private value that is kept

// private removes private elements (PS3.5 7.8) but those of kept, with the creators of their blocks.
func (m *maker) private(e *dcm.Edit) error {
	tags := e.Tags()
	if !slices.ContainsFunc(tags, func(t uint32) bool { return t>>16&1 == 1 }) {
		return nil
	}
	v, err := e.Values()
	if err != nil {
		return err
	}
	stays, creators := map[uint32]bool{}, map[uint32]string{}
	for _, t := range tags {
		block := t >> 8 & 0xFF
		if kept[uint16(t>>16)] == nil || block < 0x10 {
			continue
		}
		creator := t&0xFFFF0000 | block
		name, known := creators[creator]
		if !known { // looked up once a block, however many elements it has
			name = strings.TrimSpace(v.String(creator))
			creators[creator] = name
		}
		names := kept[uint16(t>>16)][name]
		if slices.Contains(names, byte(t)) && v.Has(t) && v.Length(t) <= mostPrivate && v.Bytes(t) != nil {
			stays[t], stays[creator] = true, true
		}
	}
	e.Delete(func(t uint32) bool {
		if t>>16&1 == 0 || stays[t] {
			return false
		}
		if el := t & 0xFFFF; el < 0x10 || el > 0xFF { // no creator
			m.made.Private++
		}
		return true
	})
	return nil
}
