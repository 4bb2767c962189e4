package render

import (
	"image"

	"github.com/radtier/radtier/codecs"
)

// Params is what the data set says about showing one frame. The zero value draws words as they are, window chosen from the samples.
type Params struct {
	// Photometric is the Photometric Interpretation of the samples that are
	// drawn. The samples of a codestream may differ from the data set: YBR_RCT and YBR_ICT are decoded to RGB.
	Photometric string
	Modality    string

	ModalityLUT *LUT    // wins over slope and intercept
	Slope       float64 // Rescale Slope; 0 means 1
	Intercept   float64
	Rescaled    bool   // the data set has a slope and an intercept
	RescaleType string // "" if absent
	Localizer   bool   // Image Type value 3 is LOCALIZER

	VOILUT *LUT    // wins over Window
	Window *Window // nil or invalid: the window is chosen, see Frame

	Padding      *Padding      // samples that belong to no tissue, in stored integers
	FloatPadding *FloatPadding // the same for float and double pixel data
	Inverse      bool          // Presentation LUT Shape INVERSE
	Palette      *Palette      // of PALETTE COLOR

	// Aspect is the height of a pixel divided by its width; 0 means 1.
	Aspect float64

	ICCProfile bool // the data set carries an ICC profile, which is not applied
	PHIRisk    bool // see PHIRisk
	Ultrasound bool // the image is ultrasound, so Regions tell where the picture is
	// Regions are the calibrated regions of an ultrasound image (0018,6011) in whole pixels, half-open, not clipped to the frame.
	Regions []image.Rectangle
}

// Padding is an inclusive range of stored values (0028,0120), (0028,0121), in
// the order given. Values that do not fit the stored bits match nothing.
type Padding struct{ Low, High int }

// FloatPadding is an inclusive range of stored values (0028,0122) to (0028,0125).
type FloatPadding struct{ Low, High float64 }

func (p *Padding) holds(v int) bool {
	return p != nil && v >= min(p.Low, p.High) && v <= max(p.Low, p.High)
}

func (p *FloatPadding) holds(v float64) bool {
	return p != nil && v >= min(p.Low, p.High) && v <= max(p.Low, p.High)
}

// modality applies the Modality LUT module (PS3.3 C.11.1) to a stored value.
func (p *Params) modality(stored float64) float64 {
	if p.ModalityLUT != nil {
		return float64(p.ModalityLUT.At(stored))
	}
	if p.Slope == 0 {
		return stored + p.Intercept
	}
	return stored*p.Slope + p.Intercept
}

// inverted reports whether low values are white. MONOCHROME1 and the shape
// INVERSE say the same thing, and an image with both is inverted once (PS3.3 C.8.11.3.1.2 has DX images carry both).
func (p *Params) inverted() bool { return p.Photometric == "MONOCHROME1" || p.Inverse }

// hounsfield reports whether values after the Modality LUT are Hounsfield units: the type of a CT without one is HU (PS3.3 C.8.2.1.1.2), except for localizers.
func (p *Params) hounsfield() bool {
	return p.Modality == "CT" && p.Rescaled && p.ModalityLUT == nil && !p.Localizer && (p.RescaleType == "" || p.RescaleType == "HU")
}

func malformed(what string) error {
	return &codecs.MalformedError{Codec: "render", Offset: -1, What: what}
}

func unsupported(what string) error { return &codecs.UnsupportedError{Codec: "render", What: what} }
