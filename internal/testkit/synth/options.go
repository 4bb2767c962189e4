package synth

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
)

// Options is what all generators have in common. The zero value makes full studies with names that say that they are synthetic.
type Options struct {
	Seed uint64
	// Marker is put into every element that identifies the patient or those
	// who treat them, so that a test can look for it where it must not be.
	// At most 12 characters of A-Z and 0-9, which every VR takes; longer ones are cut.
	Marker string
	// Scale shrinks rows, columns, slices and frames alike, the millimetres
	// stay. 0 means 1; no image gets smaller than 16 pixels, no series shorter than 3 slices.
	Scale float64
	// Slices is how many slices the CT has at full scale, over the same 300 mm. 0 means 120.
	Slices int
}

func (o Options) marker() string { return o.Marker[:min(len(o.Marker), 12)] }

// pixels is a length in pixels, scaled and even.
func (o Options) pixels(full int) int {
	return max(16, int(math.Round(float64(full)*o.scale()/2))*2)
}

// count is a number of slices or frames, scaled.
func (o Options) count(full int) int { return max(3, int(math.Round(float64(full)*o.scale()))) }

// slices is the number of the CT's slices before scaling.
func (o Options) slices() int {
	if o.Slices <= 0 {
		return 120
	}
	return o.Slices
}

func (o Options) scale() float64 {
	if o.Scale <= 0 || o.Scale > 1 {
		return 1
	}
	return o.Scale
}

// random is a source of its own for each purpose, so that one thing can change without the others.
func (o Options) random(purpose string) *rand.Rand {
	h := o.hash(purpose)
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(h[:]), binary.LittleEndian.Uint64(h[8:])))
}

func (o Options) hash(purpose string) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "radtier synth %d %s", o.Seed, purpose))
}

// uid returns "2.25." and the decimal form of a UUID made from the seed and a
// path: version 8 of RFC 9562, whose bits are the maker's own.
func (o Options) uid(path string) string {
	h := o.hash("uid " + path)
	h[6] = h[6]&0x0F | 0x80
	h[8] = h[8]&0x3F | 0x80
	return "2.25." + new(big.Int).SetBytes(h[:16]).String()
}
