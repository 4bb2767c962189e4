package jpegls

// widenPlain makes words of bytes; dst is as long as src.
func widenPlain(dst []uint16, src []byte) {
	dst = dst[:len(src)]
	for x, p := range src {
		dst[x] = uint16(p)
	}
}

// narrowPlain makes bytes of words below 256; dst is as long as src.
func narrowPlain(dst []byte, src []uint16) {
	dst = dst[:len(src)]
	for x, s := range src {
		dst[x] = uint8(s)
	}
}
