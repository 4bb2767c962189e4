package jpegls

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// FuzzDecode: no input panics or passes its limits; both decoding paths agree;
// and what a lossless stream decodes to survives our own encoder.
func FuzzDecode(f *testing.F) {
	for _, data := range smallStreams(f) {
		f.Add(data)
	}
	if dir := os.Getenv("RADTIER_CORPUS"); dir != "" {
		files, _ := filepath.Glob(filepath.Join(dir, "codestreams", "*", "*.jls"))
		for _, name := range files {
			if data, err := os.ReadFile(name); err == nil {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<17 {
			return
		}
		fast, general := codecPair()
		v, info, err := decodeAny(fast, data)
		w, _, errGeneral := decodeAny(general, data)
		if (err == nil) != (errGeneral == nil) {
			t.Fatalf("fast path: %v, general path: %v", err, errGeneral)
		}
		if err != nil {
			assertTyped(t, err)
			return
		}
		if !bytes.Equal(v.Pix, w.Pix) {
			t.Fatal("the fast and the general path decode to different samples")
		}
		if !info.Lossless {
			return
		}
		again, _, err := NewEncoder(Options{}).Encode(nil, v, codecs.EncodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := codecs.Verify(fast, v, again, codecs.DecodeOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}
