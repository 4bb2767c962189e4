package codestream

// Order is a progression order, numbered as in Table A.16.
type Order uint8

// The progression orders (B.12.1).
const (
	LRCP Order = iota // layer, resolution, component, position
	RLCP
	RPCL
	PCRL
	CPRL
)

func (o Order) String() string {
	if o > CPRL {
		return "unknown progression order"
	}
	return [...]string{"LRCP", "RLCP", "RPCL", "PCRL", "CPRL"}[o]
}

// Code-block styles (Table A.19; bits 6 and 7 are T.814 Table A.4).
const (
	StyleBypass   = 1 << iota // selective arithmetic coding bypass
	StyleReset                // contexts are reset at each pass
	StyleTermAll              // every pass is terminated
	StyleCausal               // vertically causal contexts
	StylePredict              // predictable termination
	StyleSegments             // segmentation symbols
	StyleHT                   // code-blocks are HT code-blocks
	StyleMixed                // with StyleHT: every code-block says itself whether it is one
)

// MaxLevels is the largest number of decomposition levels (Table A.20).
const MaxLevels = 32

// MaxBands is the largest number of sub-bands of a component.
const MaxBands = 3*MaxLevels + 1

// Coding is how one component is coded: SPcod or SPcoc (A.6.1, A.6.2).
type Coding struct {
	Levels         uint8 // decomposition levels NL: 0..32
	BlockW, BlockH uint8 // exponents xcb, ycb of the code-block size: 2..10, their sum at most 12
	Style          uint8 // bits Style...
	Reversible     bool  // the 5/3 reversible transform, else the 9/7 irreversible one
	// Precincts has PPx | PPy<<4 of resolution levels 0..Levels; 0xFF, the
	// largest size, where the codestream does not say.
	Precincts [MaxLevels + 1]uint8
}

// Precinct returns the exponents PPx and PPy of resolution level r.
func (c *Coding) Precinct(r int) (ppx, ppy uint) {
	return uint(c.Precincts[r] & 15), uint(c.Precincts[r] >> 4)
}

// Quantisation styles (Table A.28).
const (
	QuantNone      = 0 // no quantisation: exponents only
	QuantDerived   = 1 // one step size, from which the others are derived (E-5)
	QuantExpounded = 2 // a step size for every sub-band
)

// Quant is the quantisation of one component: QCD or QCC (A.6.4, A.6.5).
type Quant struct {
	Style uint8            // Quant...
	Guard uint8            // guard bits G: 0..7
	N     uint8            // step sizes that the codestream has
	Steps [MaxBands]uint16 // exponent<<11 | mantissa, in the order LL, then HL, LH, HH of each level upwards
}

// Band returns exponent and mantissa of sub-band i (0 is LL, then three of
// each resolution level upwards). ok is false if the codestream gives none for it.
func (q *Quant) Band(i int) (exponent, mantissa int, ok bool) {
	if q.Style == QuantDerived {
		// E-5: the exponent falls by the difference of the decomposition levels of LL and the sub-band.
		exponent, mantissa = int(q.Steps[0]>>11), int(q.Steps[0]&0x7FF)
		if i > 0 {
			exponent -= (i - 1) / 3
		}
		return exponent, mantissa, q.N > 0 && exponent >= 0
	}
	if i >= int(q.N) {
		return 0, 0, false
	}
	return int(q.Steps[i] >> 11), int(q.Steps[i] & 0x7FF), true
}

// MaxChanges is how many progression order changes of a tile are read.
const MaxChanges = 64

// Change is one progression of a POC marker segment (A.6.6): all packets of
// its resolution levels [ResStart, ResEnd), components [CompStart, CompEnd) and
// layers below LayerEnd that did not come before.
type Change struct {
	ResStart, CompStart uint8
	LayerEnd            uint16
	ResEnd, CompEnd     uint8
	Order               Order
}

// Params is how a tile is coded. The main header's value is the default of all tiles.
type Params struct {
	Order  Order
	Layers uint16 // 1..65535
	MCT    bool   // the first three components are transformed (Annex G)
	SOP    bool   // SOP marker segments may precede packets
	EPH    bool   // EPH markers end packet headers
	Coding [MaxComponents]Coding
	Quant  [MaxComponents]Quant
	ROI    [MaxComponents]uint8 // implicit shift SPrgn (A.6.3), 0 if none
	NPOC   int                  // progression order changes; 0: the whole tile goes by Order
	POC    [MaxChanges]Change
}
