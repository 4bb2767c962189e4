package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// plainDecoder is the simplest codec: the codestream is the masked samples as
// 16-bit little endian words, samples of a pixel side by side. It stands for JPEG-LS here.
type plainDecoder struct{ codecs.Decoder }

func (plainDecoder) Decode(dst codecs.View, src [][]byte, _ codecs.DecodeOptions) error {
	if err := dst.Check("plain"); err != nil {
		return err
	}
	p := bytes.Join(src, nil)
	if len(p) != 2*dst.Width*dst.Height*dst.Components {
		return &codecs.MalformedError{Codec: "plain", Offset: -1, What: "length"}
	}
	eachSample(dst, func(i, at int) {
		v := uint32(binary.LittleEndian.Uint16(p[2*i:])) << (32 - dst.Bits)
		if v >>= 32 - dst.Bits; dst.Signed {
			v = uint32(int32(v<<(32-dst.Bits)) >> (32 - dst.Bits))
		}
		switch {
		case dst.Container == 8:
			dst.Pix[at] = byte(v)
		case dst.BigEndian:
			binary.BigEndian.PutUint16(dst.Pix[at:], uint16(v))
		default:
			binary.LittleEndian.PutUint16(dst.Pix[at:], uint16(v))
		}
	})
	return nil
}

func plainEncode(v codecs.View) []byte {
	var out []byte
	eachSample(v, func(_, at int) {
		w := uint16(v.Pix[at])
		if v.Container == 16 {
			w = binary.LittleEndian.Uint16(v.Pix[at:])
			if v.BigEndian {
				w = binary.BigEndian.Uint16(v.Pix[at:])
			}
		}
		out = binary.LittleEndian.AppendUint16(out, w&uint16(1<<v.Bits-1))
	})
	return out
}

func eachSample(v codecs.View, visit func(i, at int)) {
	i := 0
	for y := range v.Height {
		for x := range v.Width {
			for c := range v.Components {
				visit(i, c*v.PlaneStride+y*v.RowStride+x*v.PixelStride)
				i++
			}
		}
	}
}

var plainSet = codecs.NewSet(codecs.Syntax{UID: CodingJPEGLS.Syntax(), Name: "plain", Ext: "jls", NewDecoder: func() codecs.Decoder { return plainDecoder{} }})

// received is one synthetic file and how it is stored.
type received struct {
	name string
	file []byte
}

// sample is a synthetic volume with one of everything.
type sample struct {
	files  []received
	bytes  []byte
	index  *Index
	sum    Summary
	blocks [][]byte
}

func random(seed uint64, n int) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 7})
	r.Read(p)
	return p
}

// header returns header bytes of n, alike from instance to instance.
func header(number, n int) []byte {
	p := bytes.Repeat([]byte("(0010,0010) PN header of a synthetic instance; "), n/47+1)[:n]
	copy(p[128:], fmt.Sprintf("DICM instance %06d", number))
	return p
}

// store writes a file of header, frames (by encode, nil: one zstd frame each) and a tail of header bytes.
func store(t testing.TB, w *Writer, inst Instance, number, frames int, frame func(f int) ([]byte, FrameData)) received {
	t.Helper()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(w.Begin())
	head := header(number, 300+number%3)
	file := append([]byte(nil), head...)
	inst.Segments = []Segment{{Kind: SegmentHeader, Length: int64(len(head))}}
	inst.Exact = true
	var hasher *Hasher
	if inst.Image != nil {
		hasher = NewHasher(inst.Image)
	}
	for f := range frames {
		raw, data := frame(f)
		data.RawSize = int64(len(raw))
		if hasher != nil {
			data.SampleSHA256 = hasher.Add(raw)
		}
		n, err := w.AddFrame(data)
		ok(err)
		if n != f {
			t.Fatalf("AddFrame returned %d, want %d", n, f)
		}
		file = append(file, raw...)
		inst.Segments = append(inst.Segments, Segment{Kind: SegmentFrame, Length: int64(len(raw)), Ref: f})
	}
	file = append(file, 0)
	head = append(head, 0)
	inst.Segments = append(inst.Segments, Segment{Kind: SegmentHeader, Length: 1})
	if hasher != nil {
		inst.NativeSHA256, inst.SampleSHA256 = hasher.Sums()
	}
	inst.FileSize, inst.FileSHA256 = int64(len(file)), sha256.Sum256(file)
	ok(w.End(inst, head))
	return received{name: inst.SOPUID, file: file}
}

func instanceOf(series, number int, img *Image) Instance {
	return Instance{SeriesUID: fmt.Sprintf("1.2.826.0.1.3680043.10.1.%d", series), SOPUID: fmt.Sprintf("1.2.826.0.1.3680043.10.1.%d.%d", series, 1000+number),
		ClassUID: "1.2.840.10008.5.1.4.1.1.2", Syntax: "1.2.840.10008.1.2.1", Stored: CodingJPEGLS.Syntax(), Image: img}
}

// newSample writes a volume with slices single-frame instances and one of every other kind. k makes the codestreams.
func newSample(t testing.TB, slices int, k kit) *sample {
	t.Helper()
	s := &sample{}
	var out bytes.Buffer
	w := NewWriter(&out, "1.2.826.0.1.3680043.10.1", "test build")
	w.OnBlock = func(b []byte) { s.blocks = append(s.blocks, b) }
	number := 0
	add := func(img *Image, frames int, raw func(f int) []byte, how func(raw []byte, d *FrameData)) {
		inst := instanceOf(number/slices, number, img)
		s.files = append(s.files, store(t, w, inst, number, frames, func(f int) ([]byte, FrameData) {
			p := raw(f)
			var d FrameData
			how(p, &d)
			return p, d
		}))
		number++
	}
	codestream := func(img *Image, fill bool) func([]byte, *FrameData) {
		return func(raw []byte, d *FrameData) {
			d.Coding, d.SignFill, d.Data = k.coding, fill, k.encode(FrameView(img, raw, img.Signed))
			rebuilt := make([]byte, len(raw))
			if _, err := RebuildFrame(context.Background(), NewDecoders(k.set), img, fill, d.Coding, d.Data, nil, rebuilt); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(rebuilt, raw) {
				for i := range rebuilt {
					rebuilt[i] ^= raw[i]
				}
				d.Residue = CompressZstd(nil, rebuilt)
			}
		}
	}
	masked := func(img *Image, p []byte) []byte { // clears the bits above BitsStored
		for i := range p {
			if img.BitsAllocated == 16 && (i%2 == 1) != img.BigEndian {
				p[i] &= byte((uint16(1)<<img.BitsStored - 1) >> 8)
			}
		}
		return p
	}
	ct := &Image{Rows: 13, Columns: 11, Frames: 1, Samples: 1, BitsAllocated: 16, BitsStored: 12, HighBit: 11, Photometric: "MONOCHROME2", Modality: "CT"}
	for i := range slices {
		add(ct, 1, func(int) []byte { return masked(ct, random(uint64(i), 13*11*2)) }, codestream(ct, false))
	}
	// Signed, sign-extended, big endian.
	mr := &Image{Rows: 9, Columns: 8, Frames: 1, Samples: 1, BitsAllocated: 16, BitsStored: 10, HighBit: 9, Signed: true, BigEndian: true, Photometric: "MONOCHROME2", Modality: "MR"}
	add(mr, 1, func(int) []byte {
		p := random(900, 9*8*2)
		for i := 0; i < len(p); i += 2 {
			binary.BigEndian.PutUint16(p[i:], uint16(int16(binary.BigEndian.Uint16(p[i:])<<6)>>6))
		}
		return p
	}, codestream(mr, true))
	// Overlay bits above BitsStored: a residue.
	add(ct, 1, func(int) []byte { return random(901, 13*11*2) }, codestream(ct, false))
	// Several frames, colour by plane.
	us := &Image{Rows: 6, Columns: 5, Frames: 3, Samples: 3, BitsAllocated: 8, BitsStored: 8, HighBit: 7, Planar: true, Photometric: "RGB", Modality: "US"}
	add(us, 3, func(f int) []byte { return random(uint64(910+f), 6*5*3) }, codestream(us, false))
	// Words that no codec takes, and words that nothing shrinks.
	dose := &Image{Rows: 4, Columns: 4, Frames: 2, Samples: 1, BitsAllocated: 32, BitsStored: 32, HighBit: 31, Photometric: "MONOCHROME2", Modality: "RTDOSE"}
	add(dose, 2, func(f int) []byte { return bytes.Repeat([]byte{byte(f), 0, 0, 0}, 16) }, func(raw []byte, d *FrameData) {
		d.Coding, d.Data = CodingZstd, CompressZstd(nil, raw)
	})
	add(dose, 2, func(f int) []byte { return random(uint64(920+f), 64) }, func(raw []byte, d *FrameData) { d.Coding, d.Data = CodingBytes, raw })
	s.files = append(s.files, storeKept(t, w, number), storeDocument(t, w, number+1), storeHeaderOnly(t, w, number+2))
	var err error
	if s.index, s.sum, err = w.Close(); err != nil {
		t.Fatal(err)
	}
	s.bytes = out.Bytes()
	return s
}

// storeKept stores an encapsulated frame of two fragments as received.
func storeKept(t testing.TB, w *Writer, number int) received {
	frame, head := random(930, 501), header(number, 400)
	inst := instanceOf(9, number, &Image{Rows: 20, Columns: 20, Frames: 1, Samples: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7, Photometric: "MONOCHROME2", Modality: "OT"})
	inst.Syntax, inst.Stored, inst.Reason = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.50", "lossy, kept as received"
	inst.Segments = []Segment{{Kind: SegmentHeader, Length: 390}, {Kind: SegmentFrame, Length: 300}, {Kind: SegmentHeader, Length: 8}, {Kind: SegmentFrame, Length: 201, Offset: 300}, {Kind: SegmentHeader, Length: 2}}
	file := bytes.Join([][]byte{head[:390], frame[:300], head[390:398], frame[300:], head[398:]}, nil)
	inst.Exact, inst.FileSize, inst.FileSHA256 = true, int64(len(file)), sha256.Sum256(file)
	e1 := w.Begin()
	_, e2 := w.AddFrame(FrameData{Data: frame, Coding: CodingBytes, RawSize: 501, SampleSHA256: Digest{1}})
	e3 := w.End(inst, head)
	if e1 != nil || e2 != nil || e3 != nil {
		t.Fatal(e1, e2, e3)
	}
	return received{name: inst.SOPUID, file: file}
}

// storeDocument stores a long value in three pieces, two compressed and one not.
func storeDocument(t testing.TB, w *Writer, number int) received {
	pieces := [][]byte{bytes.Repeat([]byte("lorem ipsum "), 500), random(940, 700), bytes.Repeat([]byte("dolor sit "), 300)}
	head := header(number, 350)
	inst := instanceOf(9, number, nil)
	inst.Stored = inst.Syntax
	if err := w.Begin(); err != nil {
		t.Fatal(err)
	}
	inst.Segments = []Segment{{Kind: SegmentHeader, Length: 340}}
	file := append([]byte(nil), head[:340]...)
	for i, p := range pieces {
		c, data := CodingZstd, CompressZstd(nil, p)
		if i == 1 {
			c, data = CodingBytes, p
		}
		ref, err := w.AddValue(data, int64(len(p)), c)
		if err != nil {
			t.Fatal(err)
		}
		file = append(file, p...)
		inst.Segments = append(inst.Segments, Segment{Kind: SegmentEntry, Length: int64(len(p)), Ref: ref})
	}
	file = append(file, head[340:]...)
	inst.Segments = append(inst.Segments, Segment{Kind: SegmentHeader, Length: 10})
	inst.Exact, inst.FileSize, inst.FileSHA256 = true, int64(len(file)), sha256.Sum256(file)
	if err := w.End(inst, head); err != nil {
		t.Fatal(err)
	}
	return received{name: inst.SOPUID, file: file}
}

func storeHeaderOnly(t testing.TB, w *Writer, number int) received {
	return store(t, w, func() Instance { i := instanceOf(9, number, nil); i.Stored = i.Syntax; return i }(), number, 0, nil)
}

// kit is a codec for the codestreams of a sample.
type kit struct {
	coding Coding
	set    *codecs.Set
	encode func(codecs.View) []byte
}

var (
	plainKit = kit{CodingJPEGLS, plainSet, plainEncode}
	testSet  = plainSet
)

// counting counts requests.
type counting struct {
	Ranger
	requests int
	bytes    int64
}

func (c *counting) ReadRange(ctx context.Context, off, n int64) ([]byte, error) {
	c.requests++
	c.bytes += n
	return c.Ranger.ReadRange(ctx, off, n)
}
