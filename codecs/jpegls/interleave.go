package jpegls

import "fmt"

// Interleave is how the components of an image share its scans (C.2.3, ILV).
type Interleave int

const (
	// InterleaveDefault is InterleaveSample for several components, which
	// compresses colour images best, and InterleaveNone for one.
	InterleaveDefault Interleave = iota
	InterleaveNone               // one scan per component
	InterleaveLine               // one scan, line by line
	InterleaveSample             // one scan, sample by sample
)

// String names an interleave mode for test names and logs.
func (m Interleave) String() string {
	switch m {
	case InterleaveDefault:
		return "default"
	case InterleaveNone:
		return "none"
	case InterleaveLine:
		return "line"
	case InterleaveSample:
		return "sample"
	}
	return fmt.Sprintf("Interleave(%d)", int(m))
}
