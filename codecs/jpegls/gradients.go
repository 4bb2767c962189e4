package jpegls

// analyse computes, for each sample of a line that is known in full, the
// signed context number (A.3: 81*Q1 + 9*Q2 + Q3, 0 for run mode) and the
// prediction (A.4.1). Lines begin with the sample left of column 0 and end
// with the one right of the last column, so prev and cur are 2 longer than q and px.
func analyse(q []int16, px []uint16, prev, cur []uint16, quant *quantiser) {
	w := len(q)
	px = px[:w]
	above, left := prev[1:w+2], cur[:w]
	rc, rb := int(prev[0]), int(above[0])
	t := &quant.table
	q2 := int(t[(quantiserCentre+rb-rc)&(len(t)-1)])
	for x := range q {
		rd, ra := int(above[x+1]), int(left[x])
		q1 := int(t[(quantiserCentre+rd-rb)&(len(t)-1)])
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
		rc, rb, q2 = rb, rd, q1
	}
}

// analyseAbove is the part of analyse that a decoder can do before it knows the line: 81*Q1 + 9*Q2.
func analyseAbove(q []int16, prev []uint16, quant *quantiser) {
	above := prev[1 : len(q)+2]
	rb := int(above[0])
	t := &quant.table
	q2 := int(t[(quantiserCentre+rb-int(prev[0]))&(len(t)-1)])
	for x := range q {
		rd := int(above[x+1])
		q1 := int(t[(quantiserCentre+rd-rb)&(len(t)-1)])
		q[x] = int16(81*q1 + 9*q2)
		rb, q2 = rd, q1
	}
}
