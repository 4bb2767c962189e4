package htj2k

import (
	"encoding/binary"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// pattern is a large image that compresses: a ramp with a texture.
func pattern(width, height int) codecs.View {
	v := codecs.Interleaved(make([]byte, 2*width*height), width, height, 1, 16, 16, false)
	for y := range height {
		row := v.Pix[y*v.RowStride:][:2*width]
		for x := range width {
			binary.LittleEndian.PutUint16(row[2*x:], uint16(x/3+y*7+(x*y)>>6&31))
		}
	}
	return v
}

// TestLarge: the longest images that DICOM can have, and one of 400 megapixels, whose codec takes a small part of its bytes.
func TestLarge(t *testing.T) {
	sizes := []struct{ width, height, most int }{ // most: megabytes that encoder and decoder may take beside image and codestream
		{65535, 1, 40}, {1, 65535, 40}, {65535, 64, 120},
	}
	if !testing.Short() {
		sizes = append(sizes, struct{ width, height, most int }{20000, 20000, 160})
	}
	for _, s := range sizes {
		v := pattern(s.width, s.height)
		e, d := NewEncoder(Options{}), NewDecoder()
		out := make([]byte, 0, len(v.Pix)/2+1<<20)
		stream, _, err := e.Encode(out, v, codecs.EncodeOptions{})
		if err != nil {
			t.Fatalf("%d x %d: %v", s.width, s.height, err)
		}
		if err := codecs.Verify(d, v, stream, codecs.DecodeOptions{Limits: codecs.Limits{MaxBytes: int64(s.most) << 20}}); err != nil {
			t.Errorf("%d x %d: %v", s.width, s.height, err)
		}
		arena := cap(e.arena)
		size := len(v.Pix)
		v.Pix, stream, out = nil, nil, nil
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		runtime.KeepAlive(e)
		runtime.KeepAlive(d)
		if held := int(m.HeapAlloc) - arena; held > s.most<<20 {
			t.Errorf("%d x %d: encoder and decoder hold %d MB beside the coded blocks, want at most %d", s.width, s.height, held>>20, s.most)
		} else {
			t.Logf("%d x %d, %d MB: %d MB held beside %d MB of coded blocks", s.width, s.height, size>>20, held>>20, arena>>20)
		}
	}
}
