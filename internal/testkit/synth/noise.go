package synth

import "math/rand/v2"

// tileSide is the side of a noise tile, a power of two.
const tileSide = 512

// noise adds grain of a given strength to images at little cost: two tiles of
// Gaussian samples, laid over each other at places that differ for every
// image, so that no two images have the same noise. The tiles are smoothed
// as reconstruction smooths, which is what a compressor gets to see in practice.
type noise struct{ a, b []int16 }

// noiseUnit is the standard deviation of the sum of two tile samples.
const noiseUnit = 256

func newNoise(r *rand.Rand, smooth bool) *noise {
	return &noise{newTile(r, smooth), newTile(r, smooth)}
}

func newTile(r *rand.Rand, smooth bool) []int16 {
	white := make([]float64, tileSide*tileSide)
	for i := range white {
		white[i] = r.NormFloat64()
	}
	scale := noiseUnit / 1.4142135623730951
	if smooth {
		white = blurWrapped(white)
		scale /= 0.375 // what a binomial kernel of 3 x 3 leaves of the deviation: (6/16)
	}
	tile := make([]int16, len(white))
	for i, v := range white {
		tile[i] = int16(max(-30000, min(30000, v*scale)))
	}
	return tile
}

// blurWrapped applies the kernel 1 2 1 in both directions, across the borders.
func blurWrapped(p []float64) []float64 {
	const n = tileSide
	q := make([]float64, len(p))
	for y := range n {
		for x := range n {
			q[y*n+x] = (p[y*n+(x+n-1)%n] + 2*p[y*n+x] + p[y*n+(x+1)%n]) / 4
		}
	}
	out := make([]float64, len(p))
	for y := range n {
		for x := range n {
			out[y*n+x] = (q[(y+n-1)%n*n+x] + 2*q[y*n+x] + q[(y+1)%n*n+x]) / 4
		}
	}
	return out
}

// at is the noise of one image.
func (n *noise) at(r *rand.Rand) noiseAt {
	k := func() int { return r.IntN(tileSide) }
	return noiseAt{n, k(), k(), k(), k()}
}

type noiseAt struct {
	*noise
	ax, ay, bx, by int
}

// row returns a function that gives the noise of column x of row y, in units of 1/noiseUnit deviations.
func (n *noiseAt) row(y int) func(x int) int {
	const mask = tileSide - 1
	a := n.a[(y+n.ay)&mask*tileSide:][:tileSide]
	b := n.b[(y+n.by)&mask*tileSide:][:tileSide]
	ax, bx := n.ax, n.bx
	return func(x int) int { return int(a[(x+ax)&mask]) + int(b[(x+bx)&mask]) }
}
