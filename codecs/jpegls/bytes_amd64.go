package jpegls

import "golang.org/x/sys/cpu"

// widen is widenPlain, with AVX2 where the processor has it.
func widen(dst []uint16, src []byte) {
	if n := len(src) &^ 31; n > 0 && cpu.X86.HasAVX2 {
		_ = dst[n-1]
		widenAVX2(&dst[0], &src[0], n)
		dst, src = dst[n:], src[n:]
	}
	widenPlain(dst, src)
}

// narrow is narrowPlain, with AVX2 where the processor has it.
func narrow(dst []byte, src []uint16) {
	if n := len(src) &^ 31; n > 0 && cpu.X86.HasAVX2 {
		_ = dst[n-1]
		narrowAVX2(&dst[0], &src[0], n)
		dst, src = dst[n:], src[n:]
	}
	narrowPlain(dst, src)
}

// widenAVX2 is widenPlain for n a multiple of 32.
//
//go:noescape
func widenAVX2(dst *uint16, src *byte, n int)

// narrowAVX2 is narrowPlain for n a multiple of 32.
//
//go:noescape
func narrowAVX2(dst *byte, src *uint16, n int)
