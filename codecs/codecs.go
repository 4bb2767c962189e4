// Package codecs defines how one frame of samples becomes a codestream and
// back, for every codec of the project.
//
// A codec is a value that one goroutine uses for many frames: it keeps its
// tables and scratch memory between calls and allocates nothing per frame in
// steady state. It reads and writes samples through a [View], which describes
// where samples lie in somebody else's bytes, so nothing is copied or
// reordered beforehand. It never trusts a size that a codestream declares
// before it has checked it against [Limits].
//
// Three kinds of failure are different types because they mean different
// things to the caller: [MalformedError] (the codestream is broken),
// [UnsupportedError] (legal, but not done here) and [LimitError] (legal, but
// larger than the caller allows). [MismatchError] is what Compare returns when
// the decoded samples are not those of the view.
//
// Lossless is never assumed: whoever stores a codestream first calls [Verify].
//
// The package imports the standard library only; codecs live in
// subpackages and codecs/all lists those that ship.
package codecs

import "context"

// View describes the samples of one frame inside a byte slice that it does not own.
//
// Sample (component c, column x, row y) is the word of Container bits at
// Pix[c*PlaneStride+y*RowStride+x*PixelStride:]. Only its low Bits bits carry
// meaning (PS3.5 8.1.1): readers mask them and, if Signed, sign-extend;
// writers fill the word with the zero- or sign-extended value.
type View struct {
	Pix           []byte
	Width, Height int
	Components    int  // samples per pixel: 1, 3 or 4
	Container     int  // bits of one stored word: 8 or 16 (Bits Allocated)
	Bits          int  // significant bits of a sample: 1..Container (Bits Stored)
	Signed        bool // two's complement of Bits bits (Pixel Representation 1)
	BigEndian     bool // byte order of 16-bit words
	PixelStride   int  // bytes from one column to the next
	RowStride     int  // bytes from one row to the next
	PlaneStride   int  // bytes from one component to the next
}

// Info is what a codestream says of itself, read from its headers without
// decoding and without allocating.
type Info struct {
	Width, Height int
	Components    int
	Bits          int  // precision of the coded samples
	Signed        bool // the codestream's own sign, false where the format has none
	Lossless      bool // every decoded sample equals the encoded one
	Near          int  // largest error of a near-lossless stream (JPEG-LS NEAR), else 0
	Levels        int  // resolutions that can be decoded below the full one
	// Scratch is a bound of the memory that decoding takes, for formats where more than the fields above decides about it; else 0.
	Scratch int64
}

// Limits bounds what a decoder may be asked for by a codestream. The zero value of a field means its default.
type Limits struct {
	MaxPixels int64 // width x height x components; default 1<<32
	MaxBytes  int64 // memory that the decoder itself may take; default 1 GiB
}

// DecodeOptions changes what Decode does. The zero value decodes the full image.
type DecodeOptions struct {
	Limits Limits
	Reduce int // resolution levels to drop; the view then has the reduced size
	// Context, if set, is looked at every few rows, so a cancelled study stops soon.
	Context context.Context
}

// EncodeOptions is what all lossless encoders have in common. The zero value is the default.
type EncodeOptions struct {
	// Context, if set, is looked at every few rows.
	Context context.Context
	// RGB says that the three components are red, green and blue, so that a
	// codec may use the reversible colour transform that its standard has for them.
	RGB bool
}

// Layout is what an encoder tells of the codestream it made.
type Layout struct {
	// LevelEnds has, for a progressive codec, the length of the prefix that
	// holds resolution level r and all below it, lowest resolution first.
	LevelEnds []int64
}

// Decoder turns codestreams into samples. src is one frame as the fragments
// it arrived in, in order; most callers pass a single one. A Decoder is not safe for concurrent use.
type Decoder interface {
	// Probe reads the headers. It does not allocate and does not check the entropy-coded data.
	Probe(src [][]byte) (Info, error)
	// MemoryNeeded returns an upper bound of the bytes that Decode takes
	// beyond dst and src, for a byte budget.
	MemoryNeeded(info Info, opts DecodeOptions) int64
	// Decode writes all samples into dst, whose Width, Height and Components
	// must be those of the (reduced) image and whose Container must hold the
	// coded precision. The codestream's precision governs decoding; dst.Bits
	// and dst.Signed govern how a value is extended into its word: a decoded
	// value is masked to dst.Bits and, if dst.Signed, sign-extended.
	// After an error the contents of dst.Pix are undefined.
	Decode(dst View, src [][]byte, opts DecodeOptions) error
	// Compare decodes src and compares every sample with the view's, line by
	// line, without a second frame in memory. It returns a *MismatchError at the first difference.
	Compare(view View, src [][]byte, opts DecodeOptions) error
}

// Encoder turns samples into lossless codestreams. An Encoder is not safe for concurrent use.
type Encoder interface {
	// MemoryNeeded returns an upper bound of the bytes that Encode takes, the output included.
	MemoryNeeded(view View) int64
	// Encode appends the codestream of the view's samples to dst and returns
	// the extended slice. It returns an *UnsupportedError for a view that the
	// format cannot hold, before it has written anything.
	Encode(dst []byte, view View, opts EncodeOptions) ([]byte, Layout, error)
}
