package codecs

import "fmt"

// Syntax is one transfer syntax and what can be done with it. A nil function means: not here.
type Syntax struct {
	UID        string // DICOM Transfer Syntax UID
	Name       string // as PS3.6 Annex A names it
	Ext        string // file name extension of one frame's codestream, without the dot
	NewEncoder func() Encoder
	NewDecoder func() Decoder
	// NewPlainDecoder, if set, makes a decoder that shares nothing with NewDecoder's that depends on
	// the processor, so that it can vouch for it: codestreams of one's own are proved with it now and then.
	NewPlainDecoder func() Decoder
	// Kernels, if set, names the processor's instructions that encoder and decoder use here, like
	// "avx2", or "plain": with it, what a bad kernel wrote can be found again.
	Kernels func() string

	// Of progressive codestreams only:

	// LevelEnds appends to dst the length of the prefix that holds resolution
	// level r and all below it, lowest resolution first, as Layout has them for streams of one's own.
	LevelEnds func(dst []int64, src []byte) ([]int64, error)
	// Reduce appends to dst a complete codestream of the image without its drop
	// highest resolutions, made of the headers and packets of src without decoding them. Of src only the
	// prefix up to the end of the highest resolution that stays is needed. It returns an *UnsupportedError
	// for a codestream that cannot be cut so; a small new one must be encoded then.
	Reduce func(dst, src []byte, drop int) ([]byte, error)
}

// Set maps transfer syntaxes to codecs. It is built explicitly (see codecs/all) and not changed afterwards, so it may be shared.
type Set struct {
	byUID map[string]Syntax
	order []Syntax
}

// NewSet returns a set of the given syntaxes. It panics on a UID given twice, which is a mistake of the program.
func NewSet(list ...Syntax) *Set {
	s := &Set{byUID: make(map[string]Syntax, len(list)), order: list}
	for _, x := range list {
		if _, twice := s.byUID[x.UID]; twice {
			panic(fmt.Sprintf("codecs: transfer syntax %s is listed twice", x.UID))
		}
		s.byUID[x.UID] = x
	}
	return s
}

// Lookup returns what the set knows of a transfer syntax.
func (s *Set) Lookup(uid string) (Syntax, bool) { x, ok := s.byUID[uid]; return x, ok }

// All returns the syntaxes in the order they were given.
func (s *Set) All() []Syntax { return s.order }

// CanDecode reports whether the set has a decoder for the transfer syntax.
func (s *Set) CanDecode(uid string) bool { return s.byUID[uid].NewDecoder != nil }
