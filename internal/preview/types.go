package preview

import "github.com/radtier/radtier/internal/pack"

// Syntax is the Transfer Syntax UID of all small codestreams: HTJ2K lossless RPCL.
const Syntax = "1.2.840.10008.1.2.4.202"

// Index is the directory of one preview pack.
type Index struct {
	StudyUID string
	Writer   string   // build that made the pictures
	Volumes  []Volume // full packs that hold the frames
	Images   []Image
	Displays []Display
	Planes   []Plane
	Tables   []Table
	Series   []Series // in the order of the pack
}

// Volume is a full pack as it was when the previews were made. A pack that was moved since has another key and the same SHA-256.
type Volume struct {
	Key    string
	SHA256 pack.Digest
}

// Series is one series, or the part of it that came with one generation of the study.
type Series struct {
	UID, Modality string
	Number        int
	// Side is the longer side in samples that small pictures of frames with levels may have at most; see Limit.Choose.
	Side      int
	FullBytes int64      // of the stored full frames
	Instances []Instance // in the order in which they are shown: along the normal, else by instance number
}

// Instance is one stored instance.
type Instance struct {
	SOPUID, ClassUID string
	Number           int // Instance Number
	Volume, Index    int // number in Index.Volumes, and of the instance in that pack
	Image            int // number in Index.Images
	// PHIRisk says that the pixels may show who the patient is (see render.PHIRisk).
	PHIRisk bool
	Frames  []Frame
}

// Image describes the samples of small pictures and of the frames that they show.
type Image struct {
	Rows, Columns int // of the full frame
	Samples       int // per pixel
	Bits          int // significant bits of a sample
	Signed        bool
	Photometric   string // of the samples as a decoder gives them, so RGB where the codestream has a colour transform
}

// Method says how a small picture was made.
type Method uint8

const (
	None     Method = iota // there is none: Frame.Reason
	Reduced                // the lowest resolution levels of the full codestream, without 2^Frame.Factor
	Averaged               // mean of Frame.Factor x Frame.Factor samples
	Picked                 // one of Frame.Factor x Frame.Factor samples, for indexes and labels
)

func (m Method) String() string {
	return [...]string{"none", "reduced", "averaged", "picked"}[min(m, Picked)]
}

// Frame is one frame of an instance.
type Frame struct {
	Offset, Size  int64       // of the small codestream in the preview pack; Size 0: there is none
	SHA256        pack.Digest // of the small codestream
	Method        Method
	Factor        int // Reduced: levels dropped; Averaged, Picked: samples of the full frame per sample, in each direction
	Width, Height int // of the small picture, in samples
	Reason        string

	Display  int // number in Index.Displays
	Plane    int // number in Index.Planes, -1: not known
	Position [3]float64
	Placed   bool // Position is known: Image Position (Patient), mm

	// Scaled says that a stored value is Scale x the sample + Base: frames of words over 16 bits.
	Scaled      bool
	Scale, Base float64

	Full      pack.Range // of the full frame's payload in its volume; {0, 0}: it has no codestream of its own
	LevelEnds []int64    // of the full codestream: bytes up to the end of each resolution level, lowest first
	// Header is the main header of the full codestream, and Parts the number of its tile-parts, where
	// the small one can be completed to the full one by Upgrade; else nil.
	Header []byte
	Parts  int
}

// Kept is how many resolution levels of the full codestream the small one has.
func (f *Frame) Kept() int { return len(f.LevelEnds) - f.Factor }

// Display says how samples are shown (PS3.3 C.11.1, C.11.2, C.7.6.3.1).
type Display struct {
	Rescaled         bool // Slope and Intercept are there
	Slope, Intercept float64
	RescaleType      string
	Windows          []Window
	Inverse          bool // Presentation LUT Shape INVERSE
	Padded           bool // Padding is there
	Padding          [2]int
	// Tables are numbers in Index.Tables: Modality LUT, VOI LUT, palettes.
	Tables []int
}

// Window is one of the VOI windows, in the order of the data set.
type Window struct {
	Center, Width float64
	Function      string // VOI LUT Function, "" is LINEAR
}

// Plane is where rows and columns point and how large a pixel is.
type Plane struct {
	FrameOfReference string
	Oriented         bool
	Orientation      [6]float64 // Image Orientation (Patient)
	Spacing          [2]float64 // mm between rows and between columns; 0: not known
	SpacingOf        uint32     // element that says so: Pixel Spacing (0028,0030), Imager Pixel Spacing (0018,1164), ...
	Thickness        float64    // mm; 0: not known
}

// TableKind says what a Table is for.
type TableKind uint8

const (
	ModalityLUT TableKind = iota
	VOILUT
	PaletteRed
	PaletteGreen
	PaletteBlue
	tableKinds
)

// Table is a lookup table as the data set has it.
type Table struct {
	Kind       TableKind
	Segmented  bool   // Data is a Segmented Palette Color Lookup Table (PS3.3 C.7.9.2)
	Bytes      bool   // Data has its entries in bytes (VR OB)
	Descriptor [3]int // entries, first value mapped, bits
	Data       []uint16
}
