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
		decoders := decoderPaths()
		v, info, err := decodeAny(decoders[0], data)
		for _, d := range decoders[1:] {
			w, _, errOther := decodeAny(d, data)
			if (err == nil) != (errOther == nil) || err == nil && !bytes.Equal(v.Pix, w.Pix) {
				t.Fatalf("kernels: %v, other path (general %v): %v, or other samples", err, d.general, errOther)
			}
		}
		if err != nil {
			assertTyped(t, err)
			return
		}
		if !info.Lossless {
			return
		}
		again, _, err := NewEncoder(Options{}).Encode(nil, v, codecs.EncodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := codecs.Verify(decoders[0], v, again, codecs.DecodeOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}
