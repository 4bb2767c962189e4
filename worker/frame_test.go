package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/pack"
)

// TestEncodeNativeRebuildsReceivedBytes: whatever lies in the words as
// received, the stored frame and its residue give it back, byte for byte.
func TestEncodeNativeRebuildsReceivedBytes(t *testing.T) {
	for _, codec := range Codecs() {
		t.Run(string(codec), func(t *testing.T) { rebuildsReceivedBytes(t, codec) })
	}
}

func rebuildsReceivedBytes(t *testing.T, codec Codec) {
	const w, h = 97, 83
	for _, tc := range []struct {
		name    string
		img     pack.Image
		word    func(r *rand.Rand, i int) uint16
		residue bool
		fill    bool
	}{
		{"12 bits unsigned", pack.Image{BitsAllocated: 16, BitsStored: 12}, func(r *rand.Rand, i int) uint16 { return uint16(1000 + i%w + r.IntN(20)) }, false, false},
		{"12 bits signed, sign-extended", pack.Image{BitsAllocated: 16, BitsStored: 12, Signed: true}, func(r *rand.Rand, i int) uint16 { return uint16(int16(i%w - 20 + r.IntN(3))) }, false, true},
		{"12 bits signed, zero-filled", pack.Image{BitsAllocated: 16, BitsStored: 12, Signed: true}, func(r *rand.Rand, i int) uint16 { return uint16(i%w-20+r.IntN(3)) & 0xFFF }, false, false},
		{"overlay in bit 12", pack.Image{BitsAllocated: 16, BitsStored: 12}, func(r *rand.Rand, i int) uint16 { return uint16(500+r.IntN(9)) | uint16(i/50%2)<<12 }, true, false},
		{"signed with junk in high bits", pack.Image{BitsAllocated: 16, BitsStored: 12, Signed: true}, func(r *rand.Rand, i int) uint16 { return uint16(i%w-20)&0xFFF | uint16(i/99%4)<<12 }, true, true},
		{"full 16 bits signed", pack.Image{BitsAllocated: 16, BitsStored: 16, Signed: true}, func(r *rand.Rand, i int) uint16 { return uint16(int16(i*3 - 500)) }, false, true},
		{"big endian", pack.Image{BitsAllocated: 16, BitsStored: 16, BigEndian: true}, func(r *rand.Rand, i int) uint16 { return uint16(30000 + i) }, false, false},
		{"6 bits in 16", pack.Image{BitsAllocated: 16, BitsStored: 6}, func(r *rand.Rand, i int) uint16 { return uint16(i % 64) }, false, false},
		{"7 bits in 8 with bit 7 set", pack.Image{BitsAllocated: 8, BitsStored: 7}, func(r *rand.Rand, i int) uint16 { return uint16(i%7) | uint16(i/100%2)<<7 }, true, false},
		{"RGB planar", pack.Image{BitsAllocated: 8, BitsStored: 8, Samples: 3, Planar: true, Photometric: "RGB"}, func(r *rand.Rand, i int) uint16 { return uint16(i / 9 % 256) }, false, false},
		{"RGB interleaved", pack.Image{BitsAllocated: 8, BitsStored: 8, Samples: 3, Photometric: "RGB"}, func(r *rand.Rand, i int) uint16 { return uint16(i / 30 % 256) }, false, false},
		{"YBR_FULL", pack.Image{BitsAllocated: 8, BitsStored: 8, Samples: 3, Photometric: "YBR_FULL"}, func(r *rand.Rand, i int) uint16 { return uint16(i / 30 % 256) }, false, false},
		{"RGB of 16 bits", pack.Image{BitsAllocated: 16, BitsStored: 16, Samples: 3, Photometric: "RGB"}, func(r *rand.Rand, i int) uint16 { return uint16(i/30*7) ^ uint16(i%3)*0x8000 }, false, false},
		{"noise stays as words", pack.Image{BitsAllocated: 8, BitsStored: 8}, func(r *rand.Rand, i int) uint16 { return uint16(r.IntN(256)) }, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			img := tc.img
			img.Rows, img.Columns, img.Frames, img.HighBit = h, w, 1, img.BitsStored-1
			if img.Samples == 0 {
				img.Samples = 1
			}
			r := rand.New(rand.NewPCG(1, 2))
			var raw []byte
			for i := range w * h * img.Samples {
				x := tc.word(r, i)
				switch {
				case img.BitsAllocated == 8:
					raw = append(raw, byte(x))
				case img.BigEndian:
					raw = binary.BigEndian.AppendUint16(raw, x)
				default:
					raw = binary.LittleEndian.AppendUint16(raw, x)
				}
			}
			set := all.Set()
			c := startCores(1, set)
			defer c.stop()
			tasks := newTasks(context.Background(), c, 1)
			var f storedFrame
			tasks.run(func(b *core) (err error) {
				f, err = encodeNative(context.Background(), b, &buffers{}, codec.Syntax(), &img, raw)
				return err
			})
			if err := tasks.wait(); err != nil {
				t.Fatal(err)
			}
			if f.fault != nil {
				t.Fatalf("codec fault: %v", f.fault)
			}
			if got := f.Residue != nil; got != tc.residue {
				t.Errorf("residue stored: %v, want %v", got, tc.residue)
			}
			if want, _ := pack.CodingOf(codec.Syntax()); f.Coding != want && tc.name != "noise stays as words" {
				t.Errorf("stored as %s, want %s", f.Coding, want)
			} else if f.SignFill != tc.fill && f.Coding == want {
				t.Errorf("sign fill %v, want %v", f.SignFill, tc.fill)
			}
			if levels := f.Coding == pack.CodingHTJ2K; levels != (len(f.LevelEnds) > 0) || levels && f.LevelEnds[len(f.LevelEnds)-1] != int64(len(f.Data)) {
				t.Errorf("%s of %d bytes with level ends %v", f.Coding, len(f.Data), f.LevelEnds)
			}
			got, err := pack.RebuildFrame(context.Background(), pack.NewDecoders(set), &img, f.SignFill, f.Coding, f.Data, f.Residue, make([]byte, len(raw)))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, raw) {
				t.Error("rebuilt frame differs from the received bytes")
			}
		})
	}
}

// TestFillOf compares the lanes with one word after the other.
func TestFillOf(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 4000 {
		img := pack.Image{BitsAllocated: 8 << r.IntN(2), Signed: r.IntN(2) == 1, BigEndian: r.IntN(2) == 1}
		img.BitsStored = 1 + r.IntN(img.BitsAllocated)
		n := r.IntN(40)
		raw := make([]byte, n*img.BitsAllocated/8)
		mode := r.IntN(3)
		sign, zero := true, true
		for i := range n {
			mask := uint32(1)<<img.BitsStored - 1
			w := r.Uint32() & mask
			extended := w
			if w>>(img.BitsStored-1)&1 == 1 {
				extended |= ^mask
			}
			if mode == 1 || mode == 2 && r.IntN(30) > 0 {
				w = extended
			}
			w &= 1<<img.BitsAllocated - 1
			sign = sign && w == extended&(1<<img.BitsAllocated-1)
			zero = zero && w&^mask == 0
			switch {
			case img.BitsAllocated == 8:
				raw[i] = byte(w)
			case img.BigEndian:
				binary.BigEndian.PutUint16(raw[2*i:], uint16(w))
			default:
				binary.LittleEndian.PutUint16(raw[2*i:], uint16(w))
			}
		}
		fill, exact := fillOf(&img, raw)
		wantExact := img.BitsStored == img.BitsAllocated || zero || img.Signed && sign
		if exact != wantExact || exact && fill && !(img.Signed && sign) || exact && !fill && !zero {
			t.Fatalf("fillOf(%+v, %x) = %v, %v; all sign-filled %v, all zero-filled %v", img, raw, fill, exact, sign, zero)
		}
	}
}

// countingDecoder notes that it was used.
type countingDecoder struct {
	codecs.Decoder
	used *int
}

func (d countingDecoder) Decode(dst codecs.View, src [][]byte, o codecs.DecodeOptions) error {
	*d.used++
	return d.Decoder.Decode(dst, src, o)
}

// TestSomeFramesAreProvedPlainly: about one frame in a hundred is proved by the plain decoder, the same ones at each attempt; and a
// kernel that is wrong is found by it.
func TestSomeFramesAreProvedPlainly(t *testing.T) {
	for _, codec := range Codecs() {
		t.Run(string(codec), func(t *testing.T) {
			usual, plain, wrong := 0, 0, false
			x, _ := all.Set().Lookup(codec.Syntax())
			if x.NewPlainDecoder == nil || x.Kernels == nil {
				t.Fatalf("%s has no plain decoder, or does not say which kernels it uses", codec)
			}
			inner, plainInner := x.NewDecoder, x.NewPlainDecoder
			x.NewDecoder = func() codecs.Decoder { return countingDecoder{inner(), &usual} }
			x.NewPlainDecoder = func() codecs.Decoder {
				if wrong { // as if it found what a kernel did wrong both ways
					return lyingDecoder{plainInner()}
				}
				return countingDecoder{plainInner(), &plain}
			}
			img := &pack.Image{Rows: 16, Columns: 16, Samples: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7, Photometric: "MONOCHROME2"}
			const frames = 2000
			encodeAll := func() (faults int) {
				b := newCore(codecs.NewSet(x), &Times{})
				r := rand.New(rand.NewPCG(1, 2))
				for range frames {
					raw := make([]byte, 256)
					for i := range raw {
						raw[i] = byte(r.IntN(3))
					}
					f, err := encodeNative(t.Context(), b, &buffers{}, codec.Syntax(), img, raw)
					if err != nil {
						t.Fatal(err)
					}
					if f.fault != nil {
						faults++
					}
				}
				return faults
			}
			if n := encodeAll(); n > 0 || usual+plain != frames || plain < frames/300 || plain > frames/33 {
				t.Errorf("%d faults, %d frames proved by the usual decoder, %d by the plain one; want %d together, about %d plainly", n, usual, plain, frames, frames/plainProofs)
			}
			before := plain
			usual, plain = 0, 0
			if encodeAll(); plain != before {
				t.Errorf("%d frames proved plainly, %d the first time", plain, before)
			}
			if wrong = true; encodeAll() != before {
				t.Errorf("with a plain decoder that disagrees: %d faults, want %d", encodeAll(), before)
			}
		})
	}
}

// lyingDecoder gets the first sample wrong.
type lyingDecoder struct{ codecs.Decoder }

func (d lyingDecoder) Decode(dst codecs.View, src [][]byte, o codecs.DecodeOptions) error {
	err := d.Decoder.Decode(dst, src, o)
	dst.Pix[0] ^= 1
	return err
}
