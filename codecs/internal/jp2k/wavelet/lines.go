package wavelet

// Lines that an engine keeps are padded: kernels that work down the columns
// take whole vectors, and what they compute beyond the width is never looked at.
const (
	vector = 8  // samples in a vector of AVX2
	apart  = 32 // words between lines, so that they do not all fall in the same sets of the cache
)

// padded is the width of a line with its padding.
func padded(w int) int { return (w + vector - 1) &^ (vector - 1) }

// lines gives out parts of one array.
type lines[T int32 | float32] struct{ words []T }

// reserve makes room for n lines of w samples.
func (l *lines[T]) reserve(n, w int) {
	if need := n * (padded(w) + apart); len(l.words) < need {
		l.words = make([]T, need)
	}
}

// line is line i of those that have w samples, with its padding.
func (l *lines[T]) line(i, w int) []T {
	p := padded(w)
	return l.words[i*(p+apart):][:p:p]
}

// whole is line i with all words up to the next one.
func (l *lines[T]) whole(i, w int) []T {
	n := padded(w) + apart
	return l.words[i*n:][:n:n]
}
