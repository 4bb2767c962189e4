package htj2k

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/codectest"
	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
)

func suite(plain bool) codectest.Config {
	return codectest.Config{
		NewEncoder: func() codecs.Encoder { return NewEncoder(Options{Plain: plain}) },
		NewDecoder: func() codecs.Decoder { return newDecoder(plain) },
		Components: []int{1, 3},
		Containers: []int{8, 16},
		MinBits:    1,
		MaxBits:    16,
		Signed:     true,
		Check:      checkStream,
		Info: func(v codecs.View) codecs.Info {
			return codecs.Info{Width: v.Width, Height: v.Height, Components: v.Components, Bits: v.Bits, Signed: v.Signed, Lossless: true, Levels: Levels(v.Width, v.Height)}
		},
	}
}

func TestSuite(t *testing.T) { codectest.Run(t, suite(false)) }

func TestSuitePlain(t *testing.T) { codectest.Run(t, suite(true)) }

// checkStream reads a codestream back and says what keeps it from being HTJ2K Lossless RPCL (PS3.5 10.18), and from what
// the encoder promises beyond that: code-blocks of 64 x 64 and one HT set.
func checkStream(src []byte, _ codecs.View) (broken []string) {
	var r codestream.Reader
	if err := r.Open(src, codecs.Limits{}); err != nil {
		return []string{err.Error()}
	}
	if err := r.Scan(false); err != nil {
		return []string{err.Error()}
	}
	for _, v := range codestream.CheckRPCL(&r) {
		broken = append(broken, v.String())
	}
	if !r.HT.OneSet() || !r.HT.Homogeneous() {
		broken = append(broken, "more than one HT set, or mixed blocks, are declared")
	}
	for c := range r.N {
		if k := &r.Params.Coding[c]; k.BlockW != 6 || k.BlockH != 6 {
			broken = append(broken, fmt.Sprintf("component %d has code-blocks of %d x %d", c, 1<<k.BlockW, 1<<k.BlockH))
		}
	}
	return broken
}

// TestSizes: images of every size up to 70 x 70, of all precisions, signed or not, one component or three, survive exactly with
// kernels and without, and their codestreams are what they say.
func TestSizes(t *testing.T) {
	r := rand.New(rand.NewPCG(70, 70))
	images := codectest.Images()
	encoders := []*Encoder{NewEncoder(Options{}), NewEncoder(Options{Plain: true})}
	decoders := []*Decoder{newDecoder(false), newDecoder(true)}
	n := 0
	for w := 1; w <= 70; w++ {
		for h := 1; h <= 70; h++ {
			s := codectest.Shape{Width: w, Height: h, Components: 1 + 2*r.IntN(2), Container: 16, Bits: 1 + n%16, Signed: r.IntN(2) == 0}
			if s.Bits <= 8 && r.IntN(2) == 0 {
				s.Container = 8
			}
			m := images[r.IntN(len(images))]
			want := m.Samples(s, uint64(n))
			in := codectest.Layouts()[n%len(codectest.Layouts())].Frame(s, want)
			var first []byte
			for i, e := range encoders {
				src, _, err := e.Encode(nil, in.View, codecs.EncodeOptions{RGB: s.Components == 3 && !s.Signed})
				if err != nil {
					t.Fatalf("%v, %s: %v", s, m.Name, err)
				}
				if first == nil {
					first = src
				}
				if !bytes.Equal(src, first) {
					t.Fatalf("%v, %s: encoders with and without kernels differ", s, m.Name)
				}
				if broken := checkStream(src, in.View); len(broken) > 0 {
					t.Fatalf("%v, %s: %v", s, m.Name, broken)
				}
				if err := codecs.Verify(decoders[i], in.View, src, codecs.DecodeOptions{}); err != nil {
					t.Fatalf("%v, %s: %v", s, m.Name, err)
				}
			}
			n++
		}
	}
}
