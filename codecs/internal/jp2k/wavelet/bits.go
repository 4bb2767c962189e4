package wavelet

import (
	"math"

	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
)

// MagnitudeBits is how many bits the magnitude of a coefficient of the
// reversible 5/3 transform can need, of whatever samples of bits bits, signed
// or level-shifted (G.1), of a component that begins at (0, 0): in sub-band o
// after level decompositions, at least one for HL, LH and HH. It is the number
// of magnitude bit-planes that E-2 calls Mb.
//
// The bound has a part for the samples and one for the rounding.
//
// A sample is -1/2 + u with |u| at most A = 2^(bits-1) - 1/2. Without rounding,
// a coefficient is the sum of samples weighted by a filter: the product of one
// filter across and one down. The filters of LL leave the constant -1/2 as it
// is, all others remove it; u grows by no more than the sums of the filters'
// absolute values, lowGain and highGain. Mirror images are samples as well, so this
// holds at the ends of lines. (A single odd sample, which is doubled, does not
// occur in a component that begins at 0.)
//
// Rounding adds 0 or 1/2 to a high-pass sample (F-9). It adds -1/4 to 1/2 to a
// low-pass sample (F-10), and a quarter of what it added to the two high-pass
// samples beside it. So a high-pass sample is wrong by 1/4 +- 1/4, a low-pass
// sample by 1/4 +- 1/2. These errors pass through the filters of all steps that
// follow just as samples do.
func MagnitudeBits(bits, level int, o geom.Orient) int {
	across := o == geom.HL || o == geom.HH
	down := o == geom.LH || o == geom.HH
	constant := -0.5 * still(across, level) * still(down, level)
	spread := (math.Ldexp(1, bits-1) - 0.5) * gain(across, level) * gain(down, level)
	for left := level - 1; left >= 0; left-- { // levels after the one whose steps round
		// The steps down are followed by those across of the same level.
		constant += 0.25 * still(across, left+1) * still(down, left)
		spread += halfWidth(down, left) * gain(across, left+1) * gain(down, left)
		constant += 0.25 * still(across, left) * still(down, left)
		spread += halfWidth(across, left) * gain(across, left) * gain(down, left)
	}
	bound := math.Abs(constant) + spread
	_, n := math.Frexp(math.Floor(bound * (1 + 1e-9))) // never less for the rounding of this computation
	return n
}

// halfWidth is half the range of the errors that one level's rounding adds in
// one direction; levels are left after it, so its samples are low-pass ones if any are.
func halfWidth(high bool, left int) float64 {
	if high && left == 0 {
		return 0.25
	}
	return 0.5
}

// still is what the filter of so many levels makes of a constant 1.
func still(high bool, levels int) float64 {
	if high && levels > 0 {
		return 0
	}
	return 1
}

// gain is the sum of the absolute values of the filter of so many levels, the last of them high-pass or all low-pass.
func gain(high bool, levels int) float64 {
	if high {
		return highGain[min(levels, len(highGain)-1)]
	}
	return lowGain[min(levels, len(lowGain)-1)]
}

// lowGain[n] is the sum of the absolute values of the filter that n low-pass
// filters (-1 2 6 2 -1)/8 make, each for every other sample that the one
// before it leaves; highGain[n] that of n-1 of them and the high-pass filter
// (-1 2 -1)/2. Both rounded up; the last is for all n that follow.
var (
	lowGain  = [...]float64{1, 1.5, 1.625, 1.6875, 1.6962890625, 1.7066650390625, 1.7116394043, 1.7129096985, 1.7140781880, 1.7145158351, 1.7151342035, 1.7152323770, 1.7157}
	highGain = [...]float64{1, 2, 2.5, 2.75, 2.8046875, 2.8198242188, 2.8410034180, 2.8557891846, 2.8600511552, 2.8628022673, 2.8655711711, 2.8662252352, 2.8675}
)
