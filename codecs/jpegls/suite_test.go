package jpegls

import (
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/codectest"
)

func suite(opts Options) codectest.Config {
	return codectest.Config{
		NewEncoder: func() codecs.Encoder { return NewEncoder(opts) },
		NewDecoder: func() codecs.Decoder { return NewDecoder() },
		Components: []int{1, 2, 3, 4},
		Containers: []int{8, 16},
		MinBits:    1,
		MaxBits:    16,
		Signed:     true,
		Info: func(v codecs.View) codecs.Info {
			return codecs.Info{Width: v.Width, Height: v.Height, Components: v.Components, Bits: Precision(v), Lossless: true}
		},
	}
}

func TestSuite(t *testing.T) { codectest.Run(t, suite(Options{})) }
