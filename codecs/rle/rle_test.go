package rle_test

import (
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/codectest"
	"github.com/radtier/radtier/codecs/rle"
)

func config() codectest.Config {
	return codectest.Config{
		NewEncoder: func() codecs.Encoder { return rle.NewEncoder() },
		NewDecoder: func() codecs.Decoder { return rle.NewDecoder() },
		Components: []int{1, 3, 4},
		Containers: []int{8, 16},
		MinBits:    1, MaxBits: 16,
		Signed:     true,
		Headerless: true,
		Info: func(v codecs.View) codecs.Info {
			return codecs.Info{Components: v.Components, Bits: v.Container, Lossless: true}
		},
	}
}

func TestConformance(t *testing.T) { codectest.Run(t, config()) }

func FuzzDecode(f *testing.F) { codectest.Fuzz(f, config()) }
