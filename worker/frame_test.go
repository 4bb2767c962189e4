package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/pack"
)

// TestEncodeNativeRebuildsReceivedBytes: whatever lies in the words as
// received, the stored frame and its residue give it back, byte for byte.
func TestEncodeNativeRebuildsReceivedBytes(t *testing.T) {
	const w, h = 37, 29
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
		{"RGB planar", pack.Image{BitsAllocated: 8, BitsStored: 8, Samples: 3, Planar: true}, func(r *rand.Rand, i int) uint16 { return uint16(i / 9 % 256) }, false, false},
		{"RGB interleaved", pack.Image{BitsAllocated: 8, BitsStored: 8, Samples: 3}, func(r *rand.Rand, i int) uint16 { return uint16(i / 30 % 256) }, false, false},
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
			tasks := newTasks(context.Background(), c)
			var f storedFrame
			tasks.run(func(b *core) (err error) {
				f, err = encodeNative(context.Background(), b, &buffers{}, &img, raw)
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
			if f.SignFill != tc.fill && f.Coding == pack.CodingJPEGLS {
				t.Errorf("sign fill %v, want %v", f.SignFill, tc.fill)
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
