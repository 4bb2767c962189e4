package jpegls

// decodeGeneral decodes a line of the n components of a scan that share it,
// sample by sample, for any NEAR and MAXVAL: Annex A as it is written. A line of
// an uninterleaved or line-interleaved scan is a line of one component here,
// comp says which. It returns what is wrong.
func (d *Decoder) decodeGeneral(w, comp, n int) string {
	var q, ra, rb, rc [4]int
	prev, cur := d.lines[comp][0], d.lines[comp][1]
	for x := 0; x < w; x++ {
		run := true
		for c := range n {
			i := x*n + c
			ra[c], rb[c], rc[c] = int(cur[i]), int(prev[i+n]), int(prev[i])
			rd := int(prev[i+2*n])
			q[c] = 81*d.quant.of(rd-rb[c]) + 9*d.quant.of(rb[c]-rc[c]) + d.quant.of(rc[c]-ra[c])
			run = run && q[c] == 0
		}
		if run {
			var wrong string
			if x, wrong = d.decodeRun(x, w, comp, n); wrong != "" {
				return wrong
			}
			x--
			continue
		}
		for c := range n {
			number := q[c]
			if number == 0 {
				number = zeroRegular
			}
			value, ok := d.decodeSample(number, ra[c], rb[c], rc[c])
			if !ok {
				return "no Golomb code"
			}
			cur[(x+1)*n+c] = value
		}
	}
	if d.bits.overrun() {
		return "entropy-coded data ends early"
	}
	return ""
}

// decodeSample decodes a sample in regular mode, in the context of a signed
// number (A.4 to A.6). The second result is false if there is no valid code.
func (d *Decoder) decodeSample(number, ra, rb, rc int) (uint16, bool) {
	p := &d.par
	sign := 1
	if number < 0 {
		number, sign = -number, -1
	}
	ctx := &d.model.ctx[number]
	px := min(max(predict(ra, rb, rc)+sign*int(ctx.c), 0), p.maxVal)
	k := golombOrder(uint32(ctx.n), ctx.a)
	m := d.bits.golomb(k, p.limit, p.qbpp)
	if m < 0 {
		return 0, false
	}
	e := m>>1 ^ -(m & 1)
	if p.near == 0 && k == 0 && 2*ctx.b <= -ctx.n {
		e = ^e
	}
	ctx.update(int32(e), p.near, p.reset)
	return p.reconstruct(px, sign*e), true
}

// of is the region of a difference, from the table.
func (q *quantiser) of(d int) int { return int(q.table[(quantiserCentre+d)&(len(q.table)-1)]) }

// reconstruct adds an error to its prediction, modulo RANGE (A.4.4, A.4.5).
func (p *params) reconstruct(px, e int) uint16 {
	if p.fast() { // also right for errors beyond RANGE, of encoders that do not reduce them
		return uint16((px + e) & p.maxVal)
	}
	step := 2*p.near + 1
	v := px + e*step
	if v < -p.near {
		v += p.span * step
	} else if v > p.maxVal+p.near {
		v -= p.span * step
	}
	return uint16(min(max(v, 0), p.maxVal))
}

// decodeRun decodes the run that starts at column x and the sample that ends
// it (A.7), and returns the column after it. The n components of a
// sample-interleaved scan share the run; the samples that end it are of RItype 0 then.
func (d *Decoder) decodeRun(x, w, comp, n int) (int, string) {
	b := &d.bits
	index := &d.model.runIndex[comp]
	end := x
	for end < w {
		if b.cnt == 0 {
			b.fill()
		}
		one := b.acc >> 63
		b.acc <<= 1
		b.cnt--
		if one == 0 {
			break
		}
		count := 1 << runOrder[*index]
		if end+count <= w {
			*index = min(31, *index+1)
		}
		end = min(w, end+count)
		if b.overrun() {
			return 0, "entropy-coded data ends early"
		}
		if end == w {
			break
		}
	}
	interrupted := end < w
	order := int(runOrder[*index])
	if interrupted {
		end += b.read(order)
		if end >= w {
			return 0, "run beyond the end of the line"
		}
	}
	prev, cur := d.lines[comp][0], d.lines[comp][1]
	if n == 1 {
		ra, fill := cur[x], cur[x+1:end+1]
		first := min(len(fill), 16)
		for i := range fill[:first] {
			fill[i] = ra
		}
		for done := first; done < len(fill); done *= 2 {
			copy(fill[done:], fill[:done])
		}
	} else {
		left, fill := cur[x*n:], cur[(x+1)*n:(end+1)*n]
		for i := range fill {
			fill[i] = left[i]
		}
	}
	if !interrupted {
		return w, ""
	}
	for c := range n {
		i := (end+1)*n + c
		ra, rb := int(cur[i-n]), int(prev[i])
		riType, sign, px := 0, 1, rb
		if n == 1 && max(ra-rb, rb-ra) <= d.par.near {
			riType, px = 1, ra
		} else if ra > rb {
			sign = -1
		}
		ctx := &d.model.run[riType]
		k := ctx.order(riType)
		em := b.golomb(k, d.par.limit-order-1, d.par.qbpp)
		if em < 0 {
			return 0, "no Golomb code after a run"
		}
		e := ctx.unmap(em, k, riType)
		ctx.update(e, em, riType, d.par.reset)
		cur[i] = d.par.reconstruct(px, sign*e)
	}
	*index = max(0, *index-1)
	return end + 1, ""
}

// unmap is the error of a mapped one (A.7.2.1 reversed): map is its lowest bit plus RItype, and chose the sign.
func (c *runContext) unmap(em, k, riType int) int {
	t := em + riType
	mapped := t & 1
	e := (t + mapped) >> 1
	negative := k != 0 || 2*c.nn >= c.n
	if negative == (mapped == 1) {
		return -e
	}
	return e
}
