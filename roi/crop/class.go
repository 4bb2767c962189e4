package crop

import (
	"slices"
	"strings"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
)

// class is what is particular to a SOP Class that is cropped.
type class struct {
	name       string
	positioned bool // root geometry is mandatory (PS3.3 C.7.6.2)
	grouped    bool // functional groups are mandatory (PS3.3 C.7.6.16)
	subset     bool // some frames can be kept without the others
	ultrasound bool // YBR_FULL is for RLE only (PS3.3 C.8.5.6.1.2)
	projection bool // Field of View attributes describe the whole frame (PS3.3 C.8.11)
}

const storage = "1.2.840.10008.5.1.4.1.1."

// classes are the SOP Classes that are cropped, by what follows storage. All
// others are kept whole: their pixels have coordinates elsewhere (slides,
// ophthalmic and RT images, ultrasound volumes), are no pictures
// (segmentations, parametric maps, doses, raw data, waveforms), or are unknown.
var classes = map[string]class{
	"1":      {name: "Computed Radiography"},
	"1.1":    {name: "Digital X-Ray for presentation", projection: true},
	"1.1.1":  {name: "Digital X-Ray for processing", projection: true},
	"1.2":    {name: "Mammography for presentation", projection: true},
	"1.2.1":  {name: "Mammography for processing", projection: true},
	"1.3":    {name: "Intra-oral X-Ray for presentation", projection: true},
	"1.3.1":  {name: "Intra-oral X-Ray for processing", projection: true},
	"2":      {name: "CT", positioned: true},
	"2.1":    {name: "Enhanced CT", grouped: true, subset: true},
	"2.2":    {name: "Legacy Converted Enhanced CT", grouped: true, subset: true},
	"3.1":    {name: "Ultrasound Multi-frame", subset: true, ultrasound: true},
	"4":      {name: "MR", positioned: true},
	"4.1":    {name: "Enhanced MR", grouped: true, subset: true},
	"4.3":    {name: "Enhanced MR Color", grouped: true, subset: true},
	"4.4":    {name: "Legacy Converted Enhanced MR", grouped: true, subset: true},
	"6.1":    {name: "Ultrasound", ultrasound: true},
	"7":      {name: "Secondary Capture"},
	"7.2":    {name: "Multi-frame Grayscale Byte Secondary Capture", subset: true},
	"7.3":    {name: "Multi-frame Grayscale Word Secondary Capture", subset: true},
	"7.4":    {name: "Multi-frame True Color Secondary Capture", subset: true},
	"12.1":   {name: "X-Ray Angiographic"},
	"12.2":   {name: "X-Ray Radiofluoroscopic"},
	"20":     {name: "Nuclear Medicine"},
	"77.1.1": {name: "VL Endoscopic"},
	"77.1.2": {name: "VL Microscopic"},
	"77.1.4": {name: "VL Photographic"},
	"128":    {name: "PET", positioned: true},
	"128.1":  {name: "Legacy Converted Enhanced PET", grouped: true, subset: true},
	"130":    {name: "Enhanced PET", grouped: true, subset: true},
}

// classOf returns what is known of a source's SOP Class.
func classOf(f *dcm.File) (class, error) {
	suffix, ok := strings.CutPrefix(f.ClassUID, storage)
	c, known := classes[suffix]
	if !ok || !known {
		return c, unsupported(0x00080016, "a SOP Class whose pixels cannot be cropped alone")
	}
	return c, nil
}

// supported refuses samples that a rectangle cannot be cut out of.
func supported(f *dcm.File, c class) error {
	img, px := f.Image, f.Pixel
	switch {
	case img == nil || px == nil:
		return unsupported(0, "no pixel data")
	case px.Tag != 0x7FE00010:
		return unsupported(px.Tag, "floating point samples")
	case px.FrameProblem != "":
		return unsupported(px.Tag, "frames that are not clear: %s", px.FrameProblem)
	case img.Rows < 1 || img.Columns < 1 || img.Rows > 65535 || img.Columns > 65535:
		return unsupported(0x00280010, "%d rows of %d columns", img.Rows, img.Columns)
	case img.Frames < 1 || img.Frames > mostFrames:
		return unsupported(0x00280008, "%d frames", img.Frames)
	case img.BitsAllocated != 8 && img.BitsAllocated != 16:
		return unsupported(0x00280100, "%d bits allocated", img.BitsAllocated)
	case img.BitsStored < 1 || img.BitsStored > img.BitsAllocated || img.HighBit != img.BitsStored-1:
		return unsupported(0x00280101, "%d of %d bits stored, the highest %d", img.BitsStored, img.BitsAllocated, img.HighBit)
	case !slices.Contains(photometric[img.Samples], img.Photometric):
		return unsupported(0x00280004, "%d samples a pixel with this photometric interpretation", img.Samples)
	case c.ultrasound && img.Photometric == "YBR_FULL":
		return unsupported(0x00280004, "ultrasound in a colour space that native pixel data must not have there")
	case !px.Encapsulated && (img.Photometric == "YBR_RCT" || img.Photometric == "YBR_ICT"):
		return unsupported(0x00280004, "native samples of a codec's colour transform")
	}
	return nil
}

// What is held of each frame is bounded: little of the frames of a clip, some 17 KB of those with functional groups.
const mostFrames, mostGroups = 1 << 16, 1 << 14

// photometric are the interpretations that are cropped, by samples per pixel. Those that share chroma between pixels are not.
var photometric = map[int][]string{
	1: {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"},
	3: {"RGB", "YBR_FULL", "YBR_RCT", "YBR_ICT"},
}

// fits refuses a decoded frame that is not what the header declares.
func fits(f *dcm.File, v codecs.View) error {
	img := f.Image
	if err := v.Check("crop"); err != nil {
		return err
	}
	if v.Width != img.Columns || v.Height != img.Rows || v.Components != img.Samples {
		return unsupported(0x7FE00010, "a frame of %d x %d with %d samples a pixel, the header says %d x %d with %d", v.Width, v.Height, v.Components, img.Columns, img.Rows, img.Samples)
	}
	if v.Container != img.BitsAllocated || v.Bits != img.BitsStored || v.Signed != img.Signed {
		return unsupported(0x7FE00010, "a frame of %d of %d bits, the header says %d of %d, or another sign", v.Bits, v.Container, img.BitsStored, img.BitsAllocated)
	}
	return nil
}
