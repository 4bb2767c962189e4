package dcm

// swap reverses the bytes of each word of unit bytes in place; a rest that is no whole word stays.
func swap(p []byte, unit int) {
	switch unit {
	case 2:
		for i := 0; i+1 < len(p); i += 2 {
			p[i], p[i+1] = p[i+1], p[i]
		}
	case 4:
		for i := 0; i+3 < len(p); i += 4 {
			p[i], p[i+1], p[i+2], p[i+3] = p[i+3], p[i+2], p[i+1], p[i]
		}
	case 8:
		for i := 0; i+7 < len(p); i += 8 {
			for a, b := i, i+7; a < b; a, b = a+1, b-1 {
				p[a], p[b] = p[b], p[a]
			}
		}
	}
}
