package codestream

// HT is what CAP says of Part 15 (A.5.2 and T.814 A.3).
type HT struct {
	Present bool   // there is a CAP marker segment with Ccap15
	Pcap    uint32 // bit 32-i: capabilities of Part i are described
	Ccap15  uint16 // see the methods
}

// pcapHT is the bit of Pcap for Part 15.
const pcapHT = 1 << (32 - 15)

// Only reports whether all code-blocks are HT code-blocks (HTONLY).
func (h *HT) Only() bool { return h.Present && h.Ccap15>>14 == 0 }

// Declared reports whether each tile-component says if its code-blocks are (HTDECLARED).
func (h *HT) Declared() bool { return h.Present && h.Ccap15>>14 == 2 }

// Mixed reports whether each code-block may say so itself (MIXED).
func (h *HT) Mixed() bool { return h.Present && h.Ccap15>>14 == 3 }

// OneSet reports whether no code-block has more than one HT set (SINGLEHT).
func (h *HT) OneSet() bool { return h.Ccap15&(1<<13) == 0 }

// HasROI reports whether RGN marker segments may occur (RGN, not RGNFREE).
func (h *HT) HasROI() bool { return h.Ccap15&(1<<12) != 0 }

// Homogeneous reports whether the HOMOGENEOUS constraints of T.814 clause 8 hold.
func (h *HT) Homogeneous() bool { return h.Ccap15&(1<<11) == 0 }

// Reversible reports whether only the reversible transform occurs (HTREV).
func (h *HT) Reversible() bool { return h.Ccap15&(1<<5) == 0 }

// MagnitudeBits is the bound B of the magnitudes of HT code-blocks (MAGB, T.814 8.7.3).
func (h *HT) MagnitudeBits() int {
	switch p := int(h.Ccap15 & 31); {
	case p < 20:
		return p + 8
	case p < 31:
		return 4*(p-19) + 27
	default:
		return 74
	}
}

// Capability is the value of Ccap15 for a codestream of HT code-blocks only with one HT set and
// homogeneous coding, whose magnitudes have at most magnitudeBits bits (T.814 8.7.3).
func Capability(reversible bool, magnitudeBits int) HT {
	h := HT{Present: true, Pcap: pcapHT}
	if !reversible {
		h.Ccap15 |= 1 << 5
	}
	for h.Ccap15&31 < 31 && h.MagnitudeBits() < magnitudeBits {
		h.Ccap15++
	}
	return h
}
