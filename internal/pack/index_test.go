package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs/jpegls"
)

// oddIndex has the values that a plain sample has not: other digests per level, level ends, odd strings, absurd images.
func oddIndex() *Index {
	sum := func(b byte) Digest { return Digest{b, 1, 31: b} }
	odd := &Image{Rows: -1, Columns: 1 << 40, Frames: -7, Samples: 0, BitsAllocated: 1, Photometric: "X\x00Y", Planar: true, Signed: true, BigEndian: true}
	return &Index{
		StudyUID: "../../etc/passwd\n", Writer: strings.Repeat("w", 300),
		Blocks: []Block{{Offset: 400, Size: 30, RawSize: 100, SHA256: sum(1)}, {Offset: 1 << 45, Size: 1, RawSize: 5, SHA256: sum(2)}},
		Entries: []Entry{
			{Offset: 46, Size: 100, RawSize: 512, Coding: CodingHTJ2K, SHA256: sum(3), LevelEnds: []int64{10, 10, 100}},
			{Offset: 200, Size: 10, RawSize: 512, Coding: CodingZstd, SHA256: sum(4)},
			{Offset: 480, Size: 1 << 42, RawSize: 1 << 43, Coding: CodingZstd, SHA256: sum(5)},
		},
		Instances: []Instance{
			{SeriesUID: "1.2", SOPUID: "", ClassUID: "1.2", Syntax: "a", Stored: "a", Reason: "b", FileSize: 612, FileSHA256: sum(6), NativeSHA256: sum(7), SampleSHA256: sum(8), Exact: true, Image: odd,
				Header: HeaderRange{0, 0, 100}, Frames: []Frame{{Entry: 0, Residue: 1, SignFill: true, SampleSHA256: sum(9)}},
				Segments: []Segment{{SegmentHeader, 100, 0, 0}, {SegmentFrame, 512, 0, 0}}},
			{SeriesUID: "1.2", SOPUID: "1.2.3", FileSize: 5, SampleSHA256: sum(8), NativeSHA256: sum(8), Header: HeaderRange{1, 0, 5}, Image: odd,
				Segments: []Segment{{SegmentHeader, 5, 0, 0}}},
			{SOPUID: "1.2.3", FileSize: 1 << 43, Exact: true, Header: HeaderRange{1, 5, 0},
				Segments: []Segment{{SegmentEntry, 1 << 42, 2, 0}, {SegmentEntry, 1 << 42, 2, 1 << 42}}},
		},
		Digests: []Digest{sum(10), sum(11)},
	}
}

func TestIndexRoundTrip(t *testing.T) {
	for name, x := range map[string]*Index{
		"sample": newSample(t, 40, plainKit).index, "odd": oddIndex(),
		"empty": {Blocks: []Block{}, Entries: []Entry{}, Instances: []Instance{}},
	} {
		p, err := EncodeIndex(x)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := DecodeIndex(p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, x) {
			t.Errorf("%s: got %+v\nwant %+v", name, got, x)
		}
	}
}

func TestIndexRules(t *testing.T) {
	for name, change := range map[string]func(x *Index){
		"entries overlap":         func(x *Index) { x.Entries[1].Offset = 100 },
		"negative size":           func(x *Index) { x.Entries[0].Size = -1 },
		"unknown coding":          func(x *Index) { x.Entries[0].Coding = 99 },
		"level beyond its entry":  func(x *Index) { x.Entries[0].LevelEnds[2] = 101 },
		"blocks out of order":     func(x *Index) { x.Blocks[1].Offset = 3 },
		"no such block":           func(x *Index) { x.Instances[0].Header.Block = 2 },
		"header beyond its block": func(x *Index) { x.Blocks[0].RawSize = 99 },
		"headers out of order":    func(x *Index) { x.Instances[2].Header.Offset = 1 },
		"entry used twice":        func(x *Index) { x.Instances[0].Frames[0].Residue = 2 },
		"residue before frame":    func(x *Index) { x.Instances[0].Frames[0] = Frame{Entry: 1, Residue: 0} },
		"no such entry":           func(x *Index) { x.Instances[0].Frames[0].Entry = 3 },
		"segments do not add up":  func(x *Index) { x.Instances[0].FileSize++ },
		"segment beyond frame":    func(x *Index) { x.Instances[0].Segments[1].Offset = 1 },
		"unknown segment":         func(x *Index) { x.Instances[0].Segments[1].Kind = 3 },
		"endless header block":    func(x *Index) { x.Blocks[0].RawSize = maxBlockRaw + 1 },
		"endless UID":             func(x *Index) { x.Instances[0].SOPUID = strings.Repeat("1", mostString+1) },
	} {
		x := oddIndex()
		change(x)
		if _, err := EncodeIndex(x); !damaged(err) {
			t.Errorf("%s: EncodeIndex returned %v", name, err)
		}
		if name == "segments do not add up" {
			continue // the sum is not stored
		}
		if _, err := DecodeIndex(seal(encodeBody(x), Version, 0)); !damaged(err) {
			t.Errorf("%s: DecodeIndex returned %v", name, err)
		}
	}
}

// seal makes an index of a body, valid or not.
func seal(body []byte, version, flags uint32) []byte {
	p := CompressZstd(make([]byte, indexHeaderBytes), body)
	copy(p, indexMagic)
	binary.LittleEndian.PutUint32(p[8:], version)
	binary.LittleEndian.PutUint32(p[12:], flags)
	binary.LittleEndian.PutUint64(p[16:], uint64(len(body)))
	binary.LittleEndian.PutUint64(p[24:], uint64(len(p)-indexHeaderBytes))
	sum := indexSum(p)
	copy(p[32:], sum[:])
	return p
}

func TestLaterVersionsAreNamed(t *testing.T) {
	body := encodeBody(oddIndex())
	var v *VersionError
	if _, err := DecodeIndex(seal(body, Version+1, 0)); !errors.As(err, &v) || v.Version != Version+1 {
		t.Errorf("later version: got %v", err)
	}
	if _, err := DecodeIndex(seal([]byte("anything"), 77, 0)); !errors.As(err, &v) || v.Version != 77 {
		t.Errorf("much later version: got %v", err)
	}
	if _, err := DecodeIndex(seal(body, Version, 1)); !errors.As(err, &v) || v.Flags != 1 {
		t.Errorf("reserved flag: got %v", err)
	}
	p := seal(body, Version, 0)
	p[8] ^= 2 // damage, not a later version
	if _, err := DecodeIndex(p); errors.As(err, &v) || !damaged(err) {
		t.Errorf("flipped version: got %v", err)
	}
}

func TestEveryFlippedBitOfAnIndexIsFound(t *testing.T) {
	p := seal(encodeBody(oddIndex()), Version, 0)
	for at := range p {
		for bit := range 8 {
			q := bytes.Clone(p)
			q[at] ^= 1 << bit
			if _, err := DecodeIndex(q); !damaged(err) {
				t.Fatalf("byte %d bit %d: %v", at, bit, err)
			}
		}
	}
	for n := range p {
		if _, err := DecodeIndex(p[:n]); !damaged(err) {
			t.Fatalf("%d of %d bytes: %v", n, len(p), err)
		}
	}
}

// FuzzIndexBody gives the decoder bodies behind a valid header. What it accepts must encode and decode to the same again.
func FuzzIndexBody(f *testing.F) {
	f.Add(encodeBody(oddIndex()))
	f.Add(encodeBody(newSample(f, 3, plainKit).index))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 1<<16 {
			t.Skip("longer than what finds anything new")
		}
		x, err := DecodeIndex(seal(body, Version, 0))
		if err != nil {
			if !damaged(err) {
				t.Fatalf("error of another type: %T %v", err, err)
			}
			return
		}
		again, err := DecodeIndex(seal(encodeBody(x), Version, 0)) // as EncodeIndex does, at a faster level
		if err != nil || !reflect.DeepEqual(x, again) {
			t.Fatalf("index changes when written again: %v", err)
		}
		// Whatever it describes, reading it must fail in order.
		v := NewVolume(x, Bytes(body), nil)
		if _, err := v.Verify(t.Context(), nil, VerifyOptions{}); err == nil {
			t.Fatal("an index passes as its own volume")
		}
		for i := range min(len(x.Instances), 4) {
			v.Header(t.Context(), i)
			v.Rebuild(t.Context(), nil, i, io.Discard)
			v.Virtual(t.Context(), i)
			v.Frame(t.Context(), nil, i, 0, nil)
		}
	})
}

// The design asks for a lean index. Three digests of single-frame instances cannot be left out; all else must be small.
func TestIndexIsLean(t *testing.T) {
	bytesOf := func(x *Index) int {
		p, err := EncodeIndex(x)
		if err != nil {
			t.Fatal(err)
		}
		return len(p)
	}
	small, large := newSample(t, 200, jpeglsKit(t, jpegls.InterleaveNone)).index, newSample(t, 1200, jpeglsKit(t, jpegls.InterleaveNone)).index
	per := float64(bytesOf(large)-bytesOf(small)) / 1000
	t.Logf("%.1f bytes of index per single-frame instance", per)
	if per > 3*32+8 {
		t.Errorf("%.1f bytes of index per single-frame instance, want at most %d", per, 3*32+8)
	}
}
