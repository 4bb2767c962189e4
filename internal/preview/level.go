package preview

// Limit bounds small pictures. The zero value is the default.
type Limit struct {
	Side  int     // samples of the longer side at most; default 128
	Share float64 // of the series' stored bytes that all its small pictures may cost; default 0.12
}

const (
	defaultSide  = 128
	defaultShare = 0.12
	smallestSide = 32 // pictures made from samples are not made smaller than this for their bytes' sake
)

// Longest is the longer side that a small picture may have, in samples.
func (l Limit) Longest() int { return l.side() }

func (l Limit) side() int {
	if l.Side > 0 {
		return l.Side
	}
	return defaultSide
}

// Most is the share of a codestream that a level which is chosen may have, as a rule: frames differ within a series.
func (l Limit) Most() float64 { return min(1, 2*l.share()+0.01) }

func (l Limit) share() float64 {
	if l.Share > 0 {
		return l.Share
	}
	return defaultShare
}

// Cost is what Choose looks at of a frame: its size and its codestream. Frames without LevelEnds cost nothing.
type Cost struct {
	Width, Height int
	LevelEnds     []int64
	Bytes         int64
}

// Choose returns the longer side that small pictures of a series may have:
// the largest of Side, Side/2, Side/4, ... for which the lowest levels of all frames cost at most
// Share of their bytes. If none does, the lowest level of every frame is taken, and 1 returned, unless that costs
// more than twice as much: then it returns 0, and pictures are made from samples. Such images are small themselves, of less than 200 samples or so.
func (l Limit) Choose(frames []Cost) int {
	var bytes int64
	for _, f := range frames {
		if len(f.LevelEnds) > 0 {
			bytes += f.Bytes
		}
	}
	var cost int64
	for side := l.side(); side > 1; side /= 2 {
		cost = 0
		for _, f := range frames {
			if n := len(f.LevelEnds); n > 0 {
				cost += f.LevelEnds[n-1-Drop(f.Width, f.Height, n, side)]
			}
		}
		if float64(cost) <= l.share()*float64(bytes) {
			return side
		}
	}
	if float64(cost) <= 2*l.share()*float64(bytes) {
		return 1
	}
	return 0
}

// Drop is how many of the levels of a codestream (resolutions, at least 1)
// must go until its longer side has at most side samples; all but the lowest if that is larger.
func Drop(width, height, levels, side int) int {
	drop := 0
	for drop < levels-1 && max(Ceil(width, drop), Ceil(height, drop)) > side {
		drop++
	}
	return drop
}

// Ceil is the size of a resolution without drop levels: n / 2^drop, rounded up (T.800 B-14).
func Ceil(n, drop int) int { return (n + 1<<drop - 1) >> drop }

// usable reports whether the lowest level of a codestream is small enough to be a preview at all.
func (l Limit) usable(width, height, levels int) bool {
	return Ceil(width, levels-1)*Ceil(height, levels-1) <= l.side()*l.side()
}

// Levels reports whether small pictures of such frames are cut out of their codestreams.
func (l Limit) Levels(width, height int, ends []int64) bool {
	return len(ends) > 0 && l.usable(width, height, len(ends))
}

// Divisor is the k of k x k samples of a full frame that become one sample of
// a picture made from samples: the smallest for which the longer side has at most Side samples and the
// picture has at most Share/1.75 of the samples, because samples of small pictures take more bits. But no picture has less than 32 samples on the longer side for that.
func (l Limit) Divisor(width, height int) int {
	long := max(width, height)
	k := (long + l.side() - 1) / l.side()
	for 1.75 > l.share()*float64(k)*float64(k) && (long+k)/(k+1) >= smallestSide {
		k++
	}
	return max(k, 1)
}
