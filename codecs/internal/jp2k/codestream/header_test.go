package codestream

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// simple is a header of an image of one tile and the usual parameters.
func simple(w, h uint32, comps int, levels uint8) Header {
	var x Header
	x.Size = Size{X1: w, Y1: h, TileW: w, TileH: h, N: comps}
	x.Params = Params{Order: RPCL, Layers: 1}
	for c := range comps {
		x.Comps[c] = Component{Bits: 12, DX: 1, DY: 1}
		x.Coding[c] = Coding{Levels: levels, BlockW: 6, BlockH: 6, Style: StyleHT, Reversible: true}
		x.Coding[c].DefaultPrecincts()
		x.Quant[c] = Quant{Guard: 1, N: 3*levels + 1}
		for i := range x.Quant[c].N {
			x.Quant[c].Steps[i] = uint16(12+i%3) << 11
		}
	}
	x.HT = Capability(true, 15)
	x.Prepare()
	return x
}

// stream writes a codestream whose tile-parts have the given bodies.
func stream(h *Header, l Layout, bodies ...string) []byte {
	var w Writer
	l.Parts = len(bodies)
	dst := w.Begin(nil, h, &l)
	for _, b := range bodies {
		dst = w.EndPart(append(w.BeginPart(dst), b...))
	}
	return w.End(dst)
}

// Headers come back as they were written.
func TestHeaderRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var r Reader
	for i := range 500 {
		h := simple(1+rng.Uint32N(65535), 1+rng.Uint32N(65535), 1+rng.IntN(4), uint8(rng.IntN(33)))
		h.X0, h.Y0 = rng.Uint32N(h.X1), rng.Uint32N(h.Y1)
		h.TileX0, h.TileY0 = rng.Uint32N(h.X0+1), rng.Uint32N(h.Y0+1)
		h.Order, h.Layers, h.MCT, h.SOP, h.EPH = Order(rng.IntN(5)), uint16(1+rng.IntN(65535)), h.N > 2, rng.IntN(2) == 0, rng.IntN(2) == 0
		for c := range h.N {
			h.Comps[c] = Component{Bits: 1 + uint8(rng.IntN(38)), Signed: rng.IntN(2) == 0, DX: 1, DY: 1}
			k, q := &h.Coding[c], &h.Quant[c]
			if rng.IntN(3) == 0 {
				k.BlockW, k.BlockH = 2+uint8(rng.IntN(4)), 2+uint8(rng.IntN(6))
				k.Style |= uint8(rng.IntN(64))
			}
			if rng.IntN(3) == 0 {
				for r := range k.Levels + 1 {
					k.Precincts[r] = uint8(1+rng.IntN(15)) | uint8(1+rng.IntN(15))<<4
				}
			}
			if rng.IntN(2) == 0 && !h.MCT {
				k.Reversible = false
				*q = Quant{Style: 1 + uint8(rng.IntN(2)), Guard: uint8(rng.IntN(8)), N: 1}
				if q.Style == QuantExpounded {
					q.N = 3*k.Levels + 1
				}
				for i := range q.N {
					q.Steps[i] = uint16(rng.Uint32())
				}
			}
			h.ROI[c] = uint8(rng.IntN(3) * rng.IntN(30))
		}
		for range rng.IntN(4) {
			h.POC[h.NPOC] = Change{ResStart: uint8(rng.IntN(3)), LayerEnd: uint16(1 + rng.IntN(9)), ResEnd: 5, CompEnd: 4, Order: Order(rng.IntN(5))}
			h.NPOC++
		}
		h.HT = HT{Present: true, Pcap: pcapHT, Ccap15: uint16(rng.Uint32()) &^ 0xC000}
		src := stream(&h, Layout{TLM: true, Comment: "made by a test"}, "")
		if err := r.Open(src, codecs.Limits{MaxPixels: 1 << 40}); err != nil {
			t.Fatalf("header %d, %+v: %v", i, h, err)
		}
		h.End = r.End
		if r.Header != h {
			t.Fatalf("header %d: got %+v, want %+v", i, r.Header, h)
		}
		if err := r.Scan(false); err != nil || len(r.Parts) != 1 || r.Stop != int64(len(src)) {
			t.Fatalf("header %d: Scan: %v, %d tile-parts, end at %d of %d", i, err, len(r.Parts), r.Stop, len(src))
		}
	}
}

func TestOpenDoesNotAllocate(t *testing.T) {
	h := simple(512, 512, 3, 5)
	src := stream(&h, Layout{TLM: true, Comment: "c"}, "a", "b")
	r := new(Reader)
	if n := testing.AllocsPerRun(10, func() {
		if err := r.Open(src, codecs.Limits{}); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Open: got %v allocations, want 0", n)
	}
}

// segmentOf makes a marker segment.
func segmentOf(marker uint16, body ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, marker)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body)+2)), body...)
}

// A.6: the parameters of a tile's own header win over those of the main header, those of a component over the default of the same header.
func TestParameterPrecedence(t *testing.T) {
	h := simple(100, 100, 3, 2)
	cod := func(levels byte) []byte {
		return segmentOf(markerCOD, 0, byte(LRCP), 0, 2, 0, levels, 4, 4, StyleHT, 1)
	}
	coc := func(c, levels byte) []byte { return segmentOf(markerCOC, c, 0, levels, 4, 4, StyleHT, 1) }
	q := []byte{8 << 3, 8 << 3, 8 << 3, 8 << 3, 8 << 3, 8 << 3, 8 << 3, 8 << 3, 8 << 3, 8 << 3}
	qcd := func(guard byte) []byte { return segmentOf(markerQCD, append([]byte{guard << 5}, q...)...) }
	qcc := func(c, guard byte) []byte { return segmentOf(markerQCC, append([]byte{c, guard << 5}, q...)...) }
	for _, row := range []struct {
		name       string
		main, tile [][]byte
		levels     [3]uint8
		guard      [3]uint8
		layers     uint16
	}{
		{"main COD", [][]byte{cod(1), qcd(1)}, nil, [3]uint8{1, 1, 1}, [3]uint8{1, 1, 1}, 2},
		{"main COC", [][]byte{cod(1), qcd(1), coc(1, 3), qcc(2, 4)}, nil, [3]uint8{1, 3, 1}, [3]uint8{1, 1, 4}, 2},
		{"main COC first", [][]byte{coc(1, 3), qcc(2, 4), cod(1), qcd(1)}, nil, [3]uint8{1, 3, 1}, [3]uint8{1, 1, 4}, 2},
		{"tile COD over main COC", [][]byte{cod(1), qcd(1), coc(1, 3), qcc(2, 4)}, [][]byte{cod(2), qcd(3)}, [3]uint8{2, 2, 2}, [3]uint8{3, 3, 3}, 2},
		{"tile COC over tile COD", [][]byte{cod(1), qcd(1), coc(1, 3), qcc(2, 4)}, [][]byte{coc(0, 3), cod(2), qcd(3), qcc(1, 2)}, [3]uint8{3, 2, 2}, [3]uint8{3, 2, 3}, 2},
		{"tile COC alone", [][]byte{cod(1), qcd(1), coc(1, 3), qcc(2, 4)}, [][]byte{coc(0, 3), qcc(1, 2)}, [3]uint8{3, 3, 1}, [3]uint8{1, 2, 4}, 2},
	} {
		src := h.Size.append(binary.BigEndian.AppendUint16(nil, markerSOC))
		src = append(src, segmentOf(markerCAP, 0, 2, 0, 0, 0, 0)...)
		for _, s := range row.main {
			src = append(src, s...)
		}
		src = append(src, 0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1)
		for _, s := range row.tile {
			src = append(src, s...)
		}
		src = append(src, 0xFF, 0x93, 0xFF, 0xD9)
		var r Reader
		var p Params
		err := r.Open(src, codecs.Limits{})
		if err == nil {
			err = r.Scan(false)
		}
		if err == nil {
			err = r.TileParams(0, &p)
		}
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		var levels, guard [3]uint8
		for c := range 3 {
			levels[c], guard[c] = p.Coding[c].Levels, p.Quant[c].Guard
		}
		if levels != row.levels || guard != row.guard || p.Layers != row.layers {
			t.Errorf("%s: got levels %v, guard bits %v, %d layers, want %v, %v, %d", row.name, levels, guard, p.Layers, row.levels, row.guard, row.layers)
		}
	}
}

// Each row breaks one thing in a codestream that is well otherwise.
func TestBrokenHeaders(t *testing.T) {
	h := simple(100, 100, 3, 2)
	good := stream(&h, Layout{TLM: true}, "abc", "def", "g")
	var r Reader
	if err := r.Open(good, codecs.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Scan(false); err != nil {
		t.Fatal(err)
	}
	at := func(marker uint16) int {
		for a := int64(2); ; {
			m, _, next, err := segment(good, a, int64(len(good)))
			if err != nil || m == marker {
				return int(a)
			}
			a = next
		}
	}
	siz, cap, cod, qcd, sot := at(markerSIZ), at(markerCAP), at(markerCOD), at(markerQCD), at(markerSOT)
	sot2 := sot + 12 + 2 + 3
	set := func(i int, b ...byte) func([]byte) []byte {
		return func(s []byte) []byte { copy(s[i:], b); return s }
	}
	insert := func(i int, b []byte) func([]byte) []byte {
		return func(s []byte) []byte { return slices.Concat(s[:i], b, s[i:]) }
	}
	for _, row := range []struct {
		name  string
		spoil func([]byte) []byte
		want  string // part of the message
	}{
		{"nothing", set(0, 0xFF), ""},
		{"no SOC", set(0, 0), "SOC"},
		{"no SIZ", set(siz, 0xFF, 0x52), "SOC and SIZ"},
		{"empty", func([]byte) []byte { return nil }, "SOC and SIZ"},
		{"SIZ of another length", set(siz+2, 0, 46), "length of SIZ"},
		{"no components", set(siz+38, 0, 0), "length of SIZ"},
		{"more components than here", func(s []byte) []byte {
			x := h.Size
			x.N = 3
			b := x.append(s[:2:2])
			b = append(b, 7, 1, 1, 7, 1, 1)
			b[5] += 6
			b[2+39] = 5
			return append(b, s[cap:]...)
		}, "5 components"},
		{"empty image", set(siz+6, 0, 0, 0, 0), "empty image"},
		{"huge image", set(siz+6, 0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF), "limit"},
		{"coordinates above 31 bits", set(siz+6, 0x80, 0, 0, 0), "2^31"},
		{"no tile width", set(siz+22, 0, 0, 0, 0), "tiles without size"},
		{"tile offset behind the image", set(siz+30, 0, 0, 0, 1), "first tile"},
		{"a million tiles", set(siz+22, 0, 0, 0, 1, 0, 0, 0, 1), "has no tile-part|more tiles"},
		{"precision 39", set(siz+40, 38), "38 bits"},
		{"sub-sampling by 0", set(siz+41, 0), "sub-sampling"},
		{"no COD", set(cod, 0xFF, 0x64), "without COD"},
		{"second COD", insert(qcd, good[cod:qcd]), "second COD"},
		{"second SIZ", insert(cod, good[siz:cap]), "second SIZ"},
		{"COD past the end", set(cod+2, 0xFF), "past the end"},
		{"COD length 1", set(cod+2, 0, 1), "past the end"},
		{"order 5", set(cod+5, 5), "progression order"},
		{"no layers", set(cod+6, 0, 0), "layers"},
		{"33 levels", set(cod+9, 33), "32 decomposition"},
		{"block 2048", set(cod+10, 9), "code-block size"},
		{"block 128 x 64", set(cod+10, 5), "code-block size"},
		{"block exponent that wraps", set(cod+10, 254), "code-block size"},
		{"reserved style", set(cod+12, 0x80), "reserved"},
		{"wavelet 2", set(cod+13, 2), "wavelet transform 2"},
		{"precincts missing", set(cod+4, 1), "length"},
		{"too few steps for the levels", set(cod+9, 3), "fewer step sizes"},
		{"quantisation style 3", set(qcd+4, 3), "quantisation style"},
		{"reversible with quantisation", set(qcd+4, 1<<5|1), "derived|quantisation"},
		{"irreversible without quantisation", set(cod+13, 0), "irreversible"},
		{"no CAP", func(s []byte) []byte { return append(s[:cap:cap], s[cod:]...) }, "CAP"},
		{"CAP not announced", set(siz+4, 0), "does not announce"},
		{"other parts", set(cap+4, 0x80), "Part 15"},
		{"Ccap15 reserved", set(cap+8, 0x40), "reserved"},
		{"HTONLY with Part 1 blocks", set(cod+12, 0), "HTONLY"},
		{"unknown marker", insert(cod, segmentOf(0xFF74, 1, 2)), "marker FF74"},
		{"no marker", insert(cod, []byte{1, 2, 3, 4}), "no marker"},
		{"SOD in the main header", insert(cod, []byte{0xFF, 0x93}), "SOD"},
		{"tile that does not exist", set(sot+4, 0, 1), "does not exist"},
		{"tile-part number", set(sot+10, 1), "missing"},
		{"tile-part twice", set(sot2+10, 0), "out of order"},
		{"Psot too small", set(sot+6, 0, 0, 0, 13), "shorter"},
		{"Psot too large", set(sot+6, 1, 0, 0, 0), "past the end"},
		{"Psot one less", set(sot+6, 0, 0, 0, 16), "no SOT"},
		{"no SOD", set(sot+12, 0xFF, 0x64), "past the end"},
		{"QCD in the second tile-part", func(s []byte) []byte {
			q := good[qcd : qcd+2+int(good[qcd+3])]
			s = insert(sot2+12, q)(s)
			s[sot2+9] += byte(len(q))
			return s
		}, "not the first"},
		{"SIZ in a tile-part", func(s []byte) []byte {
			q := segmentOf(markerSIZ, 1)
			s = insert(sot+12, q)(s)
			s[sot+9] += byte(len(q))
			return s
		}, "SIZ in a tile-part header"},
		{"RGN for component 3", insert(cod, segmentOf(markerRGN, 3, 0, 5)), "does not exist"},
		{"RGN style 1", insert(cod, segmentOf(markerRGN, 0, 1, 5)), "unknown style"},
		{"COC for component 7", insert(cod, segmentOf(markerCOC, 7, 0, 2, 4, 4, 64, 1)), "does not exist"},
		{"POC of 6 bytes", insert(cod, segmentOf(markerPOC, 0, 0, 0, 1, 3, 3)), "length of POC"},
		{"POC without levels", insert(cod, segmentOf(markerPOC, 3, 0, 0, 1, 3, 3, 0)), "empty progression"},
		{"65 changes", insert(cod, segmentOf(markerPOC, []byte(strings.Repeat("\x00\x00\x00\x01\x03\x03\x00", 65))...)), "64 progression"},
		{"PPM without lengths", insert(cod, segmentOf(markerPPM, 0, 0, 0, 0)), "PPM"},
		{"PPM longer than it is", insert(cod, segmentOf(markerPPM, 0, 0xFF, 0xFF, 0xFF, 0xFF)), "shorter than Nppm"},
		{"two PPM of one number", insert(cod, append(segmentOf(markerPPM, 0, 0, 0, 0), segmentOf(markerPPM, 0, 0)...)), "one index"},
	} {
		src := row.spoil(append([]byte(nil), good...))
		err := r.Open(src, codecs.Limits{})
		if err == nil {
			err = r.Scan(false)
		}
		if row.want == "" {
			if err != nil {
				t.Errorf("%s: got %v", row.name, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: got no error, want one with %q", row.name, row.want)
			continue
		}
		assertTyped(t, err)
		ok := false
		for _, want := range strings.Split(row.want, "|") {
			ok = ok || strings.Contains(err.Error(), want)
		}
		if !ok {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
}

// assertTyped fails unless an error is of one of the kinds that a hostile input may cause.
func assertTyped(t *testing.T, err error) {
	t.Helper()
	var malformed *codecs.MalformedError
	var unsupported *codecs.UnsupportedError
	var limit *codecs.LimitError
	if !errors.As(err, &malformed) && !errors.As(err, &unsupported) && !errors.As(err, &limit) {
		t.Fatalf("got untyped error %v", err)
	}
}

// A codestream may be cut anywhere: then it is an error, or is read as far as it goes on demand.
func TestTruncated(t *testing.T) {
	h := simple(100, 100, 3, 2)
	good := stream(&h, Layout{TLM: true}, "abc", "def", "g")
	var r Reader
	if err := r.Open(good, codecs.Limits{}); err != nil {
		t.Fatal(err)
	}
	head := int(r.End)
	for n := range len(good) {
		err := r.Open(good[:n], codecs.Limits{})
		if (err == nil) != (n >= head+2) {
			t.Errorf("main header of %d bytes in %d: got %v", head, n, err)
		}
		if err != nil {
			assertTyped(t, err)
			continue
		}
		if err := r.Scan(true); err != nil {
			t.Errorf("%d bytes on demand: %v", n, err)
		}
		for i := range r.Parts {
			if p := &r.Parts[i]; p.End > int64(n) || p.Body > p.End {
				t.Errorf("%d bytes: tile-part %d is %d to %d", n, i, p.Body, p.End)
			}
		}
		if err := r.Scan(false); err != nil {
			assertTyped(t, err)
		} else if n != int(r.Stop) {
			t.Errorf("%d bytes: whole to %d", n, r.Stop)
		}
	}
}

func TestPaddingAndUnknownLength(t *testing.T) {
	h := simple(100, 100, 1, 2)
	good := stream(&h, Layout{}, "abc")
	psot := len(good) - 2 - 3 - 2 - 12 + 6
	for _, row := range []struct {
		name     string
		zeroPsot bool
		tail     string
		end      int // of the tile-part, from the end of good
	}{
		{"as written", false, "", 2},
		{"padded", false, "\x00", 2},
		{"unknown length", true, "", 2},
		{"unknown length, padded", true, "\x00", 2},
	} {
		src := append(append([]byte(nil), good...), row.tail...)
		if row.zeroPsot {
			copy(src[psot:], []byte{0, 0, 0, 0})
		}
		var r Reader
		if err := r.Open(src, codecs.Limits{}); err != nil {
			t.Fatal(err)
		}
		if err := r.Scan(false); err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if got, want := r.Parts[0].End, int64(len(good)-row.end); got != want || r.Stop != int64(len(good)) {
			t.Errorf("%s: tile-part ends at %d, codestream at %d, want %d and %d", row.name, got, r.Stop, want, len(good))
		}
	}
}
