package codecs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
)

func TestViewCheck(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(v *codecs.View)
		want  string // type of the error, "" if the view is usable
	}{
		{"as made", func(*codecs.View) {}, ""},
		{"the last row shorter than its stride", func(v *codecs.View) { v.RowStride += 7; v.Pix = append(v.Pix, make([]byte, 7)...) }, ""},
		{"one byte too few", func(v *codecs.View) { v.Pix = v.Pix[:len(v.Pix)-1] }, "limit"},
		{"a row stride past the end", func(v *codecs.View) { v.RowStride++ }, "limit"},
		{"a huge plane stride", func(v *codecs.View) { v.PlaneStride = 1 << 40 }, "limit"},
		{"no columns", func(v *codecs.View) { v.Width = 0 }, "unsupported"},
		{"65536 rows", func(v *codecs.View) { v.Height = 65536 }, "unsupported"},
		{"5 components", func(v *codecs.View) { v.Components = 5 }, "unsupported"},
		{"words of 32 bits", func(v *codecs.View) { v.Container = 32 }, "unsupported"},
		{"17 bits", func(v *codecs.View) { v.Bits = 17 }, "unsupported"},
		{"no bits", func(v *codecs.View) { v.Bits = 0 }, "unsupported"},
		{"overlapping pixels", func(v *codecs.View) { v.PixelStride = 1 }, "unsupported"},
	} {
		v := codecs.Interleaved(make([]byte, 5*2*3*2), 5, 2, 3, 16, 12, true)
		row.spoil(&v)
		err := v.Check("test")
		var limit *codecs.LimitError
		var unsupported *codecs.UnsupportedError
		got := ""
		switch {
		case errors.As(err, &limit):
			got = "limit"
		case errors.As(err, &unsupported):
			got = "unsupported"
		}
		if got != row.want {
			t.Errorf("%s: Check of %+v: got %q (%v), want %q", row.name, v, got, err, row.want)
		}
	}
}

func TestLayoutsOfPlanarConfigurations(t *testing.T) {
	for _, row := range []struct {
		name              string
		v                 codecs.View
		pixel, row, plane int
	}{
		{"interleaved RGB of 8 bits", codecs.Interleaved(nil, 7, 5, 3, 8, 8, false), 3, 21, 1},
		{"planar RGB of 8 bits", codecs.Planar(nil, 7, 5, 3, 8, 8, false), 1, 7, 35},
		{"interleaved RGB of 16 bits", codecs.Interleaved(nil, 7, 5, 3, 16, 12, false), 6, 42, 2},
		{"planar RGB of 16 bits", codecs.Planar(nil, 7, 5, 3, 16, 12, false), 2, 14, 70},
	} {
		if v := row.v; v.PixelStride != row.pixel || v.RowStride != row.row || v.PlaneStride != row.plane {
			t.Errorf("%s: strides: got pixel %d, row %d, plane %d, want %d, %d, %d", row.name, v.PixelStride, v.RowStride, v.PlaneStride, row.pixel, row.row, row.plane)
		}
	}
}

func TestSet(t *testing.T) {
	s := codecs.NewSet(codecs.Syntax{UID: "1.2", Name: "a"}, codecs.Syntax{UID: "1.1", NewDecoder: func() codecs.Decoder { return nil }})
	if got := s.All(); len(got) != 2 || got[0].UID != "1.2" {
		t.Errorf("All: got %v, want 1.2 and 1.1 in this order", got)
	}
	if x, ok := s.Lookup("1.2"); !ok || x.Name != "a" {
		t.Errorf("Lookup(1.2): got %+v, %v", x, ok)
	}
	for uid, want := range map[string]bool{"1.1": true, "1.2": false, "1.3": false, "": false} {
		if got := s.CanDecode(uid); got != want {
			t.Errorf("CanDecode(%q): got %v, want %v", uid, got, want)
		}
	}
	defer func() {
		if p, _ := recover().(string); !strings.Contains(p, "1.2 is listed twice") {
			t.Errorf("NewSet with a UID given twice: got panic %q", p)
		}
	}()
	codecs.NewSet(codecs.Syntax{UID: "1.2"}, codecs.Syntax{UID: "1.2"})
}

func TestErrorTexts(t *testing.T) {
	for _, row := range []struct {
		err  error
		want string
	}{
		{&codecs.MalformedError{Codec: "x", Offset: 7, Clause: "C.2", What: "no end"}, "x: malformed codestream: no end at byte 7 (C.2)"},
		{&codecs.MalformedError{Codec: "x", Offset: -1, What: "no end"}, "x: malformed codestream: no end"},
		{&codecs.LimitError{Codec: "x", What: "bytes", Need: 2, Most: 1}, "x: bytes: needs 2, limit is 1"},
		{&codecs.MismatchError{Codec: "x", Component: 1, X: 2, Y: 3}, "x: decoded sample differs from its source at component 1, column 2, row 3"},
	} {
		if got := row.err.Error(); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
}
