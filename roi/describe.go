package roi

import (
	"math"
	"strings"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/roi/space"
)

const (
	tagImageType        = 0x00080008
	tagClassUID         = 0x00080016
	tagSOPUID           = 0x00080018
	tagModality         = 0x00080060
	tagReferencedSOP    = 0x00081155
	tagSourceImages     = 0x00082112
	tagThickness        = 0x00180050
	tagImagerSpacing    = 0x00181164
	tagNominalSpacing   = 0x00182010
	tagRegions          = 0x00186011 // of ultrasound
	tagPhysicalUnitsX   = 0x00186024
	tagPhysicalDeltaX   = 0x0018602C
	tagPhysicalDeltaY   = 0x0018602E
	tagSeriesUID        = 0x0020000E
	tagInstanceNumber   = 0x00200013
	tagPosition         = 0x00200032
	tagOrientation      = 0x00200037
	tagForUID           = 0x00200052
	tagPlanePosition    = 0x00209113
	tagPlaneOrientation = 0x00209116
	tagPhotometric      = 0x00280004
	tagFrames           = 0x00280008
	tagRows             = 0x00280010
	tagColumns          = 0x00280011
	tagPixelSpacing     = 0x00280030
	tagBitsAllocated    = 0x00280100
	tagLossy            = 0x00282110
	tagPixelMeasures    = 0x00289110
	tagPreserved        = 0x0028135A
	tagPurpose          = 0x0040A170
	tagShared           = 0x52009229
	tagPerFrame         = 0x52009230
)

// maxFrames bounds what is described of one instance.
const maxFrames = 1 << 20

// Describe reads what planning needs to know of an image from its header, file being the SHA-256 of the received file. Frames
// have a plane only where position, orientation and spacing can be trusted (PS3.3 C.7.6.2; C.7.6.16.2.1, .3, .4 of enhanced images).
func Describe(ds *dcm.Dataset, file string) Image {
	im := Image{SeriesUID: ds.String(tagSeriesUID), SOPUID: ds.String(tagSOPUID), ClassUID: ds.String(tagClassUID), Modality: ds.String(tagModality),
		File: file, ForUID: ds.String(tagForUID), Number: int1(ds, tagInstanceNumber), Rows: int1(ds, tagRows), Columns: int1(ds, tagColumns)}
	kinds := ds.Strings(tagImageType)
	im.Localizer = len(kinds) > 2 && kinds[2] == "LOCALIZER"
	im.Uncroppable = uncroppable(ds, &im)
	for _, src := range ds.Items(tagSourceImages) {
		purpose := item(src, tagPurpose)
		if purpose == nil || purpose.String(0x00080100) != "121358" { // For Processing predecessor, DCM
			continue
		}
		im.ProcessedFrom = append(im.ProcessedFrom, Predecessor{src.String(tagReferencedSOP), src.String(tagPreserved) == "YES"})
	}
	per, shared := ds.Items(tagPerFrame), item(ds, tagShared)
	n := min(max(int1(ds, tagFrames), 1), maxFrames)
	im.Frames = make([]Frame, n)
	for i := range im.Frames {
		g := groups{ds: ds, shared: shared}
		if i < len(per) {
			g.frame = per[i]
		}
		if n == 1 || i < len(per) { // frames of other multi-frame images share one position, which is that of none of them
			im.Frames[i] = g.describe(&im)
		}
	}
	im.DX, im.DY = spacing(ds, &im)
	return im
}

// groups finds the functional groups of one frame.
type groups struct{ frame, shared, ds *dcm.Dataset }

func item(d *dcm.Dataset, tag uint32) *dcm.Dataset {
	if d == nil {
		return nil
	}
	if items := d.Items(tag); len(items) > 0 {
		return items[0]
	}
	return nil
}

func (g groups) macro(tag uint32) *dcm.Dataset {
	for _, d := range [2]*dcm.Dataset{g.frame, g.shared} {
		if m := item(d, tag); m != nil {
			return m
		}
	}
	return g.ds
}

func (g groups) describe(im *Image) Frame {
	var f Frame
	measures := g.macro(tagPixelMeasures)
	p, err := space.NewPlane(g.macro(tagPlanePosition).Floats(tagPosition), g.macro(tagPlaneOrientation).Floats(tagOrientation), measures.Floats(tagPixelSpacing), im.Rows, im.Columns)
	if err == nil {
		f.Plane = &p
	}
	if v := measures.Floats(tagThickness); len(v) > 0 && v[0] > 0 && v[0] < 1000 {
		f.Thickness = v[0]
	}
	return f
}

// uncroppable says why the samples of an image are not to be cut, whatever its syntax.
func uncroppable(ds *dcm.Dataset, im *Image) string {
	switch bits := int1(ds, tagBitsAllocated); {
	case im.Rows < 1 || im.Columns < 1:
		return "no rows and columns"
	case bits != 8 && bits != 16:
		return "samples that are not of 8 or 16 bits"
	case ds.String(tagLossy) == "01":
		return "lossy"
	case strings.Contains(ds.String(tagPhotometric), "_42") || strings.HasPrefix(ds.String(tagPhotometric), "YBR_PARTIAL"):
		return "colour differences shared between pixels"
	case !strings.HasPrefix(im.ClassUID, "1.2.840.10008.5.1.4.1.1."):
		return "a private class of objects"
	}
	return ""
}

// spacing is the distance of pixels, for margins where frames have no place: at the detector, nominal, or of the first ultrasound region in cm.
func spacing(ds *dcm.Dataset, im *Image) (dx, dy float64) {
	for _, f := range im.Frames {
		if f.Plane != nil {
			return f.Plane.DX, f.Plane.DY
		}
	}
	for _, tag := range []uint32{tagPixelSpacing, tagImagerSpacing, tagNominalSpacing} {
		if v := ds.Floats(tag); len(v) == 2 && length(v[0]) && length(v[1]) {
			return v[1], v[0]
		}
	}
	if r := item(ds, tagRegions); r != nil && int1(r, tagPhysicalUnitsX) == 3 {
		x, y := r.Floats(tagPhysicalDeltaX), r.Floats(tagPhysicalDeltaY)
		if len(x) > 0 && len(y) > 0 && length(x[0]) && length(y[0]) {
			return 10 * x[0], 10 * y[0]
		}
	}
	return 0, 0
}

func length(x float64) bool { return x > 0 && !math.IsInf(x, 0) }

func int1(ds *dcm.Dataset, tag uint32) int {
	if v := ds.Ints(tag); len(v) > 0 {
		return v[0]
	}
	return 0
}
