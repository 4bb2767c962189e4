package jpegls

// undoTransform turns a line of transformed components into red, green and
// blue: the inverses of HP1, HP2 and HP3, modulo 2^P. Those transforms are no
// part of T.87; Hewlett-Packard's implementation marks them in APP8 "mrfx".
// The samples of a component are step apart.
func undoTransform(kind byte, precision int, v1, v2, v3 []uint16, step int) {
	span := 1 << precision
	mask := span - 1
	for x := 0; x < len(v3); x += step {
		a, b, c := int(v1[x]), int(v2[x]), int(v3[x])
		switch kind {
		case 1:
			a, c = a+b-span/2, c+b-span/2
		case 2:
			a = (a + b - span/2) & mask
			c += (a+b)>>1 - span/2
		case 3:
			g := (a - (b+c)>>2 + span/4) & mask
			a, b, c = c+g-span/2, g, b+g-span/2
		}
		v1[x], v2[x], v3[x] = uint16(a&mask), uint16(b&mask), uint16(c&mask)
	}
}
