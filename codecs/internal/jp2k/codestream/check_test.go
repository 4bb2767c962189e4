package codestream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
)

func scanned(t *testing.T, src []byte) *Reader {
	t.Helper()
	r := new(Reader)
	if err := r.Open(src, codecs.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Scan(false); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheckRPCL(t *testing.T) {
	type change func(h *Header, l *Layout)
	none := func(*Header, *Layout) {}
	for _, row := range []struct {
		name  string
		apply change
		patch func(src []byte)
		want  string // part of the only violation, "" if there is none
	}{
		{"as it should be", none, nil, ""},
		{"LRCP", func(h *Header, l *Layout) { h.Order = LRCP }, nil, "not RPCL"},
		{"changes", func(h *Header, l *Layout) {
			h.NPOC, h.POC[0] = 1, Change{LayerEnd: 1, ResEnd: 4, CompEnd: 1, Order: RPCL}
		}, nil, "1 changes"},
		{"no TLM", func(h *Header, l *Layout) { l.TLM = false }, nil, "TLM is missing"},
		{"too few levels", func(h *Header, l *Layout) {
			h.X1, h.Y1 = 1000, 1000
		}, nil, "125 x 125"},
		{"long and narrow", func(h *Header, l *Layout) { h.X1 = 60000 }, nil, ""},
		{"irreversible", func(h *Header, l *Layout) {
			h.Coding[0].Reversible = false
			h.Quant[0].Style = QuantExpounded
		}, nil, "irreversible transform"},
		{"declared irreversible", func(h *Header, l *Layout) { h.Ccap15 |= 1 << 5 }, nil, "declared to use"},
		{"declared only", func(h *Header, l *Layout) { h.Ccap15 |= 2 << 14 }, nil, "HT code-blocks only"},
		{"TLM with a wrong length", none, func(src []byte) { src[strings.Index(string(src), "\xFF\x55")+11]++ }, "TLM says of tile-part 0"},
		{"TLM with a wrong tile", none, func(src []byte) { src[strings.Index(string(src), "\xFF\x55")+7] = 3 }, "TLM says of tile-part 0"},
		{"TLM with reserved bits", none, func(src []byte) { src[strings.Index(string(src), "\xFF\x55")+5] = 0x61 }, "sizes of TLM"},
		{"TLM with entries of 16 bits", none, func(src []byte) { src[strings.Index(string(src), "\xFF\x55")+5] = 0x10 }, "TLM lists 8 tile-parts of 4"},
	} {
		h := simple(500, 500, 1, 3)
		l := Layout{TLM: true}
		row.apply(&h, &l)
		h.TileW, h.TileH = h.X1, h.Y1
		src := stream(&h, l, "a", "bc", "def", "")
		if row.patch != nil {
			row.patch(src)
		}
		got := CheckRPCL(scanned(t, src))
		if row.want == "" && len(got) > 0 || row.want != "" && (len(got) != 1 || !strings.Contains(got[0].String(), row.want)) {
			t.Errorf("%s: got %v, want %q", row.name, got, row.want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	for _, row := range []struct {
		ccap                           uint16
		only, declared, mixed          bool
		oneSet, roi, homog, reversible bool
		bits                           int
	}{
		{0x0000, true, false, false, true, false, true, true, 8},
		{0x0005, true, false, false, true, false, true, true, 13},
		{0x8000, false, true, false, true, false, true, true, 8},
		{0xC000, false, false, true, true, false, true, true, 8},
		{0x2013, true, false, false, false, false, true, true, 27},
		{0x1014, true, false, false, true, true, true, true, 31},
		{0x081E, true, false, false, true, false, false, true, 71},
		{0x003F, true, false, false, true, false, true, false, 74},
	} {
		h := HT{Present: true, Ccap15: row.ccap}
		got := fmt.Sprint(h.Only(), h.Declared(), h.Mixed(), h.OneSet(), h.HasROI(), h.Homogeneous(), h.Reversible(), h.MagnitudeBits())
		want := fmt.Sprint(row.only, row.declared, row.mixed, row.oneSet, row.roi, row.homog, row.reversible, row.bits)
		if got != want {
			t.Errorf("Ccap15 %04X: got %s, want %s", row.ccap, got, want)
		}
	}
	for n := 1; n <= 80; n++ {
		if h := Capability(false, n); h.MagnitudeBits() < min(n, 74) || h.Reversible() || !h.Only() {
			t.Errorf("Capability(false, %d): got %d bits, %04X", n, h.MagnitudeBits(), h.Ccap15)
		}
	}
}

// What keeps a preview from being cut out is told before anything is written.
func TestPreviewRefused(t *testing.T) {
	for _, row := range []struct {
		name  string
		apply func(h *Header)
		drop  int
		want  string
	}{
		{"as it should be", func(*Header) {}, 2, ""},
		{"all levels", func(*Header) {}, 3, ""},
		{"more levels than there are", func(*Header) {}, 4, "levels to drop"},
		{"less than none", func(*Header) {}, -1, "levels to drop"},
		{"RLCP with layers", func(h *Header) { h.Order, h.Layers = RLCP, 3 }, 1, ""},
		{"LRCP", func(h *Header) { h.Order = LRCP }, 1, ""},
		{"LRCP with layers", func(h *Header) { h.Order, h.Layers = LRCP, 2 }, 1, "progression"},
		{"PCRL", func(h *Header) { h.Order = PCRL }, 1, "progression"},
		{"CPRL", func(h *Header) { h.Order = CPRL }, 1, "progression"},
		{"changes", func(h *Header) {
			h.NPOC, h.POC[0] = 1, Change{LayerEnd: 1, ResEnd: 4, CompEnd: 1, Order: RPCL}
		}, 1, "progression"},
		{"an offset", func(h *Header) { h.X0 = 1 }, 1, "offsets"},
		{"different levels", func(h *Header) { h.Coding[1].Levels-- }, 1, "decomposition levels"},
		{"a tile larger than the image", func(h *Header) { h.TileW = 10000 }, 1, ""},
	} {
		h := simple(500, 300, 2, 3)
		row.apply(&h)
		r := scanned(t, stream(&h, Layout{}, "a", "bcd", "efghi", "jklmnop"))
		ends := []int64{r.Parts[0].End, r.Parts[1].End, r.Parts[2].End, r.Parts[3].End}
		dst, err := AppendPreview([]byte("before"), r, ends, row.drop)
		if row.want != "" {
			if err == nil || !strings.Contains(err.Error(), row.want) || string(dst) != "before" {
				t.Errorf("%s: got %v and %d bytes, want %q and nothing written", row.name, err, len(dst)-6, row.want)
			} else {
				assertTyped(t, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		p := scanned(t, dst[6:])
		if len(p.Parts) != 4-row.drop || p.HasTLM() == false || len(p.checkTLM()) > 0 {
			t.Errorf("%s: got %d tile-parts, TLM %v %v, want %d and a true TLM", row.name, len(p.Parts), p.HasTLM(), p.checkTLM(), 4-row.drop)
		}
		if w, h := p.ComponentSize(0, 0); w != (500+1<<row.drop-1)>>row.drop || h != (300+1<<row.drop-1)>>row.drop {
			t.Errorf("%s: got an image of %d x %d without %d levels", row.name, w, h, row.drop)
		}
		for _, bad := range [][]int64{nil, {5, 5, 5, 5}, {ends[1], ends[0], ends[2], ends[3]}, {1 << 40, 1 << 41, 1 << 42, 1 << 43}} {
			if _, err := AppendPreview(nil, r, bad, 2); err == nil && (bad == nil || bad[0] != ends[1]) {
				t.Errorf("%s: ends %v: got no error", row.name, bad)
			}
		}
	}
}

func TestJoinRefuses(t *testing.T) {
	h := simple(500, 300, 1, 1)
	r := scanned(t, stream(&h, Layout{}, "abc", "defg"))
	o, err := r.Outline(r.Parts[0].End)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Outline(3); err == nil {
		t.Error("Outline of 3 bytes: got no error")
	}
	if _, err := Join(nil, &o, r); err == nil {
		t.Error("Join with another preview: got no error")
	}
	ends := []int64{r.Parts[0].End, r.Parts[1].End}
	src, err := AppendPreview(nil, r, ends, 1)
	if err != nil {
		t.Fatal(err)
	}
	p := scanned(t, src)
	if got, err := Join(nil, &o, p); err != nil || string(got) != string(r.src[:ends[0]]) {
		t.Errorf("Join: got %d bytes, %v, want the first %d of the original", len(got), err, ends[0])
	}
	for _, bad := range []Range{{o.Bodies[0].Start + 1, o.Bodies[0].End + 1}, {o.Bodies[0].Start + 1000, o.Bodies[0].End + 1000}, {9, 6}} {
		x := Outline{o.Heads, []Range{bad}}
		if _, err := Join(nil, &x, p); err == nil {
			t.Errorf("Join of an outline with packets at %v: got no error", bad)
		} else {
			assertTyped(t, err)
		}
	}
}

// TLM may be in several segments, in any order, and in all its forms.
func TestTLMForms(t *testing.T) {
	for _, row := range []struct {
		name string
		segs [][]byte
		want string
	}{
		{"16-bit tiles, 32-bit lengths", [][]byte{{0, 0x60, 0, 3, 0, 0, 1, 0}}, "[{3 256}]"},
		{"8-bit tiles, 32-bit lengths", [][]byte{{0, 0x50, 3, 0, 0, 1, 0}}, "[{3 256}]"},
		{"8-bit tiles, 16-bit lengths", [][]byte{{0, 0x10, 3, 1, 0, 4, 0, 9}}, "[{3 256} {4 9}]"},
		{"no tiles", [][]byte{{0, 0x40, 0, 0, 0, 7, 0, 0, 0, 8}}, "[{0 7} {1 8}]"},
		{"second segment first", [][]byte{{1, 0, 0, 8}, {0, 0, 0, 7}}, "[{0 7} {1 8}]"},
		{"3-byte tiles", [][]byte{{0, 0x30, 1, 2, 3, 0, 0}}, "sizes of TLM"},
		{"half an entry", [][]byte{{0, 0x10, 1, 2}}, "sizes of TLM"},
		{"no style", [][]byte{{0}}, "sizes of TLM"},
	} {
		h := simple(10, 10, 1, 1)
		src := stream(&h, Layout{}, "")
		end := scanned(t, src).End
		out := append([]byte(nil), src[:end]...)
		for _, s := range row.segs {
			out = append(out, segmentOf(markerTLM, s...)...)
		}
		out = append(out, src[end:]...)
		list, err := scanned(t, out).AppendTLM(nil)
		got := fmt.Sprint(list)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, row.want) {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}
