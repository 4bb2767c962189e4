package jpegls

import (
	"bytes"
	"errors"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// conformanceStreams are those of T.87 Annex E, by file name.
var conformanceStreams = []struct {
	name, image string
	bits, near  int
	opts        Options
}{
	{"t8c0e0.jls", "test8.ppm", 8, 0, Options{Interleave: InterleaveNone}},
	{"t8c1e0.jls", "test8.ppm", 8, 0, Options{Interleave: InterleaveLine}},
	{"t8c2e0.jls", "test8.ppm", 8, 0, Options{Interleave: InterleaveSample}},
	{"t8c0e3.jls", "test8.ppm", 8, 3, Options{Interleave: InterleaveNone}},
	{"t8c1e3.jls", "test8.ppm", 8, 3, Options{Interleave: InterleaveLine}},
	{"t8c2e3.jls", "test8.ppm", 8, 3, Options{Interleave: InterleaveSample}},
	{"t8nde0.jls", "test8bs2.pgm", 8, 0, Options{preset: preset{255, 9, 9, 9, 31}}},
	{"t8nde3.jls", "test8bs2.pgm", 8, 3, Options{preset: preset{255, 9, 9, 9, 31}}},
	{"t16e0.jls", "test16.pgm", 12, 0, Options{}},
	{"t16e3.jls", "test16.pgm", 12, 3, Options{}},
}

func TestDecodeConformanceStreams(t *testing.T) {
	for _, s := range conformanceStreams {
		t.Run(s.name, func(t *testing.T) {
			data := [][]byte{conformance(t, s.name)}
			want := readPNM(t, s.image, s.bits)
			for _, d := range decoderPaths() {
				info, err := d.Probe(data)
				wantInfo := codecs.Info{Width: want.Width, Height: want.Height, Components: want.Components, Bits: s.bits, Lossless: s.near == 0, Near: s.near}
				if err != nil || info != wantInfo {
					t.Fatalf("Probe: got %+v, %v, want %+v", info, err, wantInfo)
				}
				got := codecs.Planar(make([]byte, len(want.Pix)), want.Width, want.Height, want.Components, want.Container, want.Bits, false)
				if err := d.Decode(got, data, codecs.DecodeOptions{}); err != nil {
					t.Fatal(err)
				}
				if s.near == 0 {
					sameImage(t, &got, &want)
				}
				worst := 0
				for y := range want.Height {
					for x := range want.Width {
						for c := range want.Components {
							diff := int(sample(&got, c, x, y)) - int(sample(&want, c, x, y))
							worst = max(worst, diff, -diff)
						}
					}
				}
				if worst != s.near {
					t.Errorf("largest error: got %d, want %d", worst, s.near)
				}
			}
		})
	}
}

func TestEncodeConformanceStreams(t *testing.T) {
	for _, s := range conformanceStreams {
		if s.near > 0 {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			want := conformance(t, s.name)
			got, _, err := NewEncoder(s.opts).Encode(nil, readPNM(t, s.image, s.bits), codecs.EncodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(scanData(t, got), scanData(t, want)) {
				t.Errorf("entropy-coded data differ: got %d bytes, want %d", len(got), len(want))
			}
		})
	}
}

// scanData is the entropy-coded data of all scans, one after the other.
func scanData(t testing.TB, data []byte) []byte {
	t.Helper()
	var s stream
	if err := s.open([][]byte{data}); err != nil {
		t.Fatal(err)
	}
	var out []byte
	for {
		var sc scan
		more, err := s.nextScan(&sc)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return out
		}
		from := s.offset()
		s.skipScan()
		out = append(out, data[from:s.offset()]...)
	}
}

// The subsampled streams of Annex E have no view that could hold them.
func TestSubsampledComponentsAreUnsupported(t *testing.T) {
	for _, name := range []string{"t8sse0.jls", "t8sse3.jls"} {
		_, err := NewDecoder().Probe([][]byte{conformance(t, name)})
		var unsupported *codecs.UnsupportedError
		if !errors.As(err, &unsupported) {
			t.Errorf("%s: got %v, want an UnsupportedError", name, err)
		}
	}
}
