package jpegls

import (
	"bytes"
	"slices"
	"testing"
)

func TestWidenNarrow(t *testing.T) {
	for n := range 140 {
		src := make([]byte, n)
		for i := range src {
			src[i] = byte(i*37 + n + 128)
		}
		wide, plain := make([]uint16, n+1), make([]uint16, n+1)
		widen(wide, src)
		widenPlain(plain, src)
		if !slices.Equal(wide, plain) {
			t.Errorf("widen of %d bytes: got %v, want %v", n, wide, plain)
		}
		back := make([]byte, n+1)
		narrow(back, wide[:n])
		if !bytes.Equal(back[:n], src) || back[n] != 0 {
			t.Errorf("narrow of %d words: got %v, want %v", n, back, src)
		}
	}
}
