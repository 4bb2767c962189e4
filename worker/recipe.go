package worker

import (
	"errors"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/study"
)

// Transfer syntaxes that this package decides about (PS3.6 Annex A).
const (
	syntaxRLE        = "1.2.840.10008.1.2.5"
	syntaxJPEGLS     = "1.2.840.10008.1.2.4.80"
	syntaxHTJ2K      = "1.2.840.10008.1.2.4.202"
	syntaxExplicitLE = "1.2.840.10008.1.2.1"
)

// treatment is what happens to the pixels of an instance.
type treatment uint8

const (
	noPixels  treatment = iota // nothing but header bytes and long values
	encode                     // native frames become codestreams
	words                      // native frames that no codec takes: zstd of their words
	transcode                  // codestreams of a weak lossless syntax are decoded and encoded again
	keep                       // codestreams stay as received
)

// recipe is the decision for one instance.
type recipe struct {
	treatment treatment
	syntax    string // transfer syntax as received
	stored    string // transfer syntax of the stored frames
	reason    string // why frames are kept as received
	image     *pack.Image
	exact     bool // the received file can be rebuilt byte by byte
	decoded   bool // samples are decoded here, so their hashes are known
}

// recipeFor decides how an instance is stored. It follows the tables of the
// DICOM rules: which syntaxes are worth decoding, which sample formats
// HTJ2K and JPEG-LS may hold (PS3.5 8.2.3, A.4.3, 10.18), and passes everything else through. Rules choose between the two.
func recipeFor(f *dcm.File, set *codecs.Set, rules CodecRules) recipe {
	r := recipe{syntax: f.Syntax, stored: f.Syntax, exact: true}
	switch {
	case f.Encoding.Deflated:
		r.treatment, r.reason = noPixels, "deflated data set, kept as received"
		return r
	case f.Pixel == nil || f.Image == nil:
		return r
	}
	img := f.Image
	r.image = &pack.Image{Rows: img.Rows, Columns: img.Columns, Frames: img.Frames, Samples: img.Samples,
		BitsAllocated: img.BitsAllocated, BitsStored: img.BitsStored, HighBit: img.HighBit, Signed: img.Signed, Planar: img.Planar == 1,
		BigEndian: f.PixelBigEndian(), Photometric: img.Photometric, Modality: f.Modality}
	if f.Pixel.Encapsulated {
		return encapsulatedRecipe(r, f, set, rules)
	}
	r.treatment, r.stored = words, syntaxExplicitLE
	frame := f.FrameSize()
	if frame == 0 {
		r.reason = "frames are not whole bytes; stored as compressed words"
		return r
	}
	var layout *dcm.UnsupportedError
	if _, err := f.View(nil); errors.As(err, &layout) { // without bytes it looks at the layout only
		r.reason = layout.What + "; stored as compressed words"
		return r
	}
	if why := notEncodable(img); why != "" {
		r.reason = why + "; stored as compressed words"
		return r
	}
	codec := rules.For(f.Modality, f.ClassUID)
	if !canEncode(set, codec.Syntax()) {
		r.reason = "no encoder " + string(codec) + " in this build; stored as compressed words"
		return r
	}
	r.treatment, r.stored, r.decoded = encode, codec.Syntax(), true
	return r
}

// notEncodable names what in an image's description keeps it from a lossless codec.
func notEncodable(img *dcm.Image) string {
	switch img.Photometric {
	case "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR":
		if img.Samples != 1 {
			return "one-sample photometric interpretation with several samples"
		}
	case "RGB", "YBR_FULL":
		if img.Samples != 3 {
			return "three-sample photometric interpretation without three samples"
		}
	default:
		return "photometric interpretation that has no lossless codec"
	}
	if img.BitsStored < 1 || img.BitsStored > img.BitsAllocated || img.HighBit != img.BitsStored-1 {
		return "stored bits are not the low bits of a word"
	}
	if img.Rows < 1 || img.Columns < 1 || img.Rows > 65535 || img.Columns > 65535 {
		return "image size"
	}
	return ""
}

func encapsulatedRecipe(r recipe, f *dcm.File, set *codecs.Set, rules CodecRules) recipe {
	r.treatment = keep
	r.image.BigEndian = false
	r.image.Planar = false
	switch {
	case f.Pixel.Frames == nil:
		r.reason = "frames cannot be told apart: " + f.Pixel.FrameProblem + "; kept as received"
		return r
	case hasEmptyFrame(f.Pixel):
		r.image = nil // its fragments are kept one by one, as long values are
		r.reason = "a frame has no bytes; kept as received"
		return r
	case !set.CanDecode(f.Syntax):
		r.reason = "no codec here decodes transfer syntax " + printableUID(f.Syntax) + "; kept as received"
		return r
	case f.Image.BitsAllocated != 8 && f.Image.BitsAllocated != 16 || notDecodable(f.Image):
		r.reason = "sample format outside what codecs take; kept as received"
		return r
	}
	r.decoded = true
	codec := rules.For(f.Modality, f.ClassUID).Syntax()
	if f.Syntax == syntaxRLE && notEncodable(f.Image) == "" && canEncode(set, codec) {
		r.treatment, r.stored, r.exact = transcode, codec, false
		return r
	}
	r.reason = study.ReasonKept
	return r
}

// hasEmptyFrame reports whether a frame is made of empty fragments only. Such
// a file cannot be decoded frame by frame, and its frames cannot be counted by their bytes.
func hasEmptyFrame(px *dcm.PixelData) bool {
	for _, frame := range px.Frames {
		var n int64
		for _, fr := range px.Fragments[frame[0]:frame[1]] {
			n += fr.Length
		}
		if n == 0 {
			return true
		}
	}
	return false
}

// frameBytes is the size of one decoded frame, 0 without an image that codecs take.
func (r recipe) frameBytes() int64 {
	if r.image == nil || !r.decoded {
		return 0
	}
	return int64(r.image.Rows) * int64(r.image.Columns) * int64(r.image.Samples) * int64(r.image.BitsAllocated/8)
}

// asReceived is the recipe for an encapsulated instance whose codestreams turned out to be broken.
func (r recipe) asReceived(why error) recipe {
	r.treatment, r.stored, r.exact, r.decoded = keep, r.syntax, true, false
	r.reason = "frames cannot be decoded: " + why.Error() + "; kept as received"
	return r
}

func notDecodable(img *dcm.Image) bool {
	return img.Samples < 1 || img.Samples > 4 || img.Rows < 1 || img.Columns < 1 || img.Rows > 65535 || img.Columns > 65535 || img.BitsStored < 1 || img.BitsStored > img.BitsAllocated
}

// printableUID keeps a hostile label out of reasons and logs: anything that is not a UID is called so.
func printableUID(uid string) string {
	if len(uid) == 0 || len(uid) > 64 {
		return "(not a UID)"
	}
	for _, c := range uid {
		if c != '.' && (c < '0' || c > '9') {
			return "(not a UID)"
		}
	}
	return uid
}
