//go:build !amd64

package jpegls

func analyse(q []int16, px []uint16, prev, cur []uint16, n int, quant *quantiser) {
	analysePlain(q, px, prev, cur, n, quant)
}

func analyseAbove(q []int16, prev []uint16, n int, quant *quantiser) {
	analyseAbovePlain(q, prev, n, quant)
}

func equalPrefix(a, b []uint16) int { return equalPrefixPlain(a, b) }
