package jpegls

// analyseStep is how many columns are analysed when a sample outside a run is
// reached: enough to fill the vectors, few enough that long runs cost nothing.
const analyseStep = 256

// analyseRange is what to analyse when column x of w is reached. It may begin
// before x, so that the end of a line fills a vector too.
func analyseRange(x, w int) (from, to int) {
	to = min(w, x+analyseStep)
	return min(x, max(0, to-16)), to
}

// analysePlain computes, for each sample of a line that is known in full, the
// signed context number (A.3: 81*Q1 + 9*Q2 + Q3, 0 for run mode) and the
// prediction (A.4.1). Lines begin with the sample left of column 0 and end
// with the one right of the last column. The n components of a
// sample-interleaved scan lie side by side in them, so prev and cur are 2n longer than q and px.
func analysePlain(q []int16, px []uint16, prev, cur []uint16, n int, quant *quantiser) {
	w := len(q)
	px = px[:w]
	here, right, left, corner := prev[n:n+w], prev[2*n:2*n+w], cur[:w], prev[:w]
	t := &quant.table
	for x := range q {
		ra, rb, rc, rd := int(left[x]), int(here[x]), int(corner[x]), int(right[x])
		q1 := int(t[(quantiserCentre+rd-rb)&(len(t)-1)])
		q2 := int(t[(quantiserCentre+rb-rc)&(len(t)-1)])
		q3 := int(t[(quantiserCentre+rc-ra)&(len(t)-1)])
		q[x] = int16(81*q1 + 9*q2 + q3)
		d := ra - rb
		m := d >> 63
		low, high := rb+d&m, ra-d&m
		// The median of Ra, Rb and Ra+Rb-Rc is Ra+Rb minus Rc clamped between them.
		u := rc - low
		u &^= u >> 63
		u -= high - low
		u &= u >> 63
		px[x] = uint16(low - u)
	}
}

// analyseAbovePlain is the part of analysePlain that a decoder can do before it knows the line: 81*Q1 + 9*Q2.
func analyseAbovePlain(q []int16, prev []uint16, n int, quant *quantiser) {
	w := len(q)
	here, right, corner := prev[n:n+w], prev[2*n:2*n+w], prev[:w]
	t := &quant.table
	for x := range q {
		rb := int(here[x])
		q1 := int(t[(quantiserCentre+int(right[x])-rb)&(len(t)-1)])
		q2 := int(t[(quantiserCentre+rb-int(corner[x]))&(len(t)-1)])
		q[x] = int16(81*q1 + 9*q2)
	}
}

// equalPrefixPlain is how many samples at the start of a and b, of one length, are equal.
func equalPrefixPlain(a, b []uint16) int {
	b = b[:len(a)]
	for i, s := range a {
		if s != b[i] {
			return i
		}
	}
	return len(a)
}
