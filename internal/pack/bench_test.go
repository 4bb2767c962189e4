package pack

import (
	"bytes"
	"io"
	"testing"
)

func BenchmarkCompressBlock(b *testing.B) {
	var block []byte
	for i := range BlockInstances {
		block = append(block, header(i, 3000)...)
	}
	for name, compress := range map[string]func(dst, src []byte) []byte{"tight": compressTight, "fast": CompressZstd} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = compress(out[:0], block)
			}
			b.ReportMetric(float64(len(block))/float64(len(out)), "ratio")
		})
	}
}

func BenchmarkSmallResidue(b *testing.B) {
	src := make([]byte, 512*512*2)
	src[1000] = 1
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		out = CompressZstd(out[:0], src)
	}
}

// BenchmarkWrite is the writer alone: hashing, CRC-32 and records of frames of 200 KiB.
func BenchmarkWrite(b *testing.B) {
	frame, head := random(1, 200<<10), header(1, 4000)
	img := &Image{Rows: 512, Columns: 512, Frames: 1, Samples: 1, BitsAllocated: 16, BitsStored: 12, HighBit: 11}
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	w := NewWriter(io.Discard, "1.2.3", "bench")
	for i := 0; b.Loop(); i++ {
		inst := instanceOf(1, i, img)
		inst.Exact, inst.FileSize = true, int64(len(head))+512*512*2
		inst.Segments = []Segment{{Kind: SegmentHeader, Length: int64(len(head))}, {Kind: SegmentFrame, Length: 512 * 512 * 2}}
		w.Begin()
		w.AddFrame(FrameData{Data: frame, Coding: CodingJPEGLS, RawSize: 512 * 512 * 2})
		if err := w.End(inst, head); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHasher(b *testing.B) {
	for name, img := range map[string]*Image{
		"12 of 16 bits":        {Rows: 512, Columns: 512, Frames: 2, Samples: 1, BitsAllocated: 16, BitsStored: 12, HighBit: 11},
		"12 of 16 bits signed": {Rows: 512, Columns: 512, Frames: 2, Samples: 1, BitsAllocated: 16, BitsStored: 12, HighBit: 11, Signed: true},
		"16 of 16 bits":        {Rows: 512, Columns: 512, Frames: 2, Samples: 1, BitsAllocated: 16, BitsStored: 16, HighBit: 15},
	} {
		b.Run(name, func(b *testing.B) {
			frame := make([]byte, img.FrameBytes())
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				h := NewHasher(img)
				h.Add(frame)
			}
		})
	}
}

func BenchmarkIndex(b *testing.B) {
	x := newSample(b, 500, plainKit).index
	p, err := EncodeIndex(x)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := EncodeIndex(x); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeIndex(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRebuild(b *testing.B) {
	frame, head := random(1, 512*512*2), header(1, 4000)
	var out bytes.Buffer
	w := NewWriter(&out, "1.2.3", "bench")
	file := store(b, w, instanceOf(1, 1, nil), 1, 20, func(int) ([]byte, FrameData) { return frame, FrameData{Data: frame, Coding: CodingBytes} })
	x, _, err := w.Close()
	if err != nil {
		b.Fatal(err)
	}
	v := NewVolume(x, Bytes(out.Bytes()), nil)
	b.SetBytes(int64(len(file.file) + len(head)))
	b.ReportAllocs()
	for b.Loop() {
		if err := v.Rebuild(b.Context(), nil, 0, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
