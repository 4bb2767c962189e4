package render

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"math"
	"testing"

	"github.com/radtier/radtier/codecs"
)

// row16 is an image of one row of 16-bit words.
func row16(bits int, signed bool, words ...int) codecs.View {
	var pix []byte
	for _, w := range words {
		pix = binary.LittleEndian.AppendUint16(pix, uint16(w))
	}
	return codecs.Interleaved(pix, len(words), 1, 1, 16, bits, signed)
}

func grays(t *testing.T, v codecs.View, p Params) []byte {
	t.Helper()
	img, err := Frame(v, p)
	if err != nil {
		t.Fatal(err)
	}
	return img.(*image.Gray).Pix
}

func TestInversion(t *testing.T) {
	v := row16(16, false, 0, 100)
	for _, x := range []struct {
		photometric string
		inverse     bool
		want        []byte
	}{
		{"MONOCHROME2", false, []byte{0, 255}},
		{"MONOCHROME2", true, []byte{255, 0}},
		{"MONOCHROME1", false, []byte{255, 0}},
		{"MONOCHROME1", true, []byte{255, 0}}, // DX carries both; once
	} {
		p := Params{Photometric: x.photometric, Inverse: x.inverse, Window: &Window{Center: 50, Width: 10}}
		if got := grays(t, v, p); !bytes.Equal(got, x.want) {
			t.Errorf("%s inverse %v: got %v, want %v", x.photometric, x.inverse, got, x.want)
		}
	}
}

func TestGray(t *testing.T) {
	wide := &Window{Center: 128, Width: 256} // identity for 0..255
	tests := []struct {
		name string
		view codecs.View
		p    Params
		want []byte
	}{
		{"junk above the stored bits is masked", row16(12, false, 0xF000, 0x00FF, 0xA00A), Params{Window: wide}, []byte{0, 255, 10}},
		{"12-bit words are sign-extended", row16(12, true, 0x0FFF, 0x0001, 0xF800), Params{Window: wide, Intercept: 100}, []byte{99, 101, 0}},
		{"slope before window", row16(16, true, -10, 20), Params{Window: wide, Slope: 0.5, Intercept: 10}, []byte{5, 20}},
		{"slope below 0 turns the order", row16(16, false, 0, 200), Params{Window: wide, Slope: -1, Intercept: 200}, []byte{200, 0}},
		{"LUT clamps outside", row16(16, true, -5, 10, 11, 12, 500), Params{Window: wide, ModalityLUT: &LUT{10, 8, []uint16{7, 8, 9}}}, []byte{7, 7, 8, 9, 9}},
		{"VOI LUT wins over window", row16(16, false, 0, 1, 2), Params{Window: wide, VOILUT: &LUT{0, 12, []uint16{0, 2048, 4095}}}, []byte{0, 127, 255}},
		{"padding is black", row16(16, true, -2000, 50, 250), Params{Window: wide, Padding: &Padding{-2000, -2000}}, []byte{0, 50, 250}},
		{"padding is black in inverted images", row16(16, false, 7, 8, 9, 250), Params{Window: wide, Inverse: true, Padding: &Padding{9, 8}}, []byte{248, 0, 0, 5}},
		{"padding with the sign of another VR", row16(16, true, -2000, 50), Params{Window: wide, Inverse: true, Padding: &Padding{63536, 63536}}, []byte{0, 205}},
		{"padding that 12 bits cannot hold matches nothing", row16(12, false, 63536&0xFFF, 50), Params{Window: &Window{Center: 2048, Width: 4096}, Padding: &Padding{63536, 63536}}, []byte{130, 3}},
		{"no window: spread", row16(16, false, 10, 20, 30), Params{}, []byte{0, 127, 255}},
		{"no window: padding is no statistic", row16(16, true, -2000, 10, 20, 30), Params{Padding: &Padding{-2000, -2000}}, []byte{0, 0, 127, 255}},
		{"no window: width below 1 is none", row16(16, false, 10, 20, 30), Params{Window: &Window{Center: 10, Width: 0.5}}, []byte{0, 127, 255}},
		{"no window: flat is mid grey", row16(16, false, 10, 10), Params{}, []byte{128, 128}},
		{"no window: all padding is black", row16(16, false, 10, 10), Params{Padding: &Padding{10, 10}}, []byte{0, 0}},
		{"no window: CT in HU", row16(16, true, -160, 40, 240, 1000), Params{Modality: "CT", Rescaled: true, Slope: 1}, []byte{0, 127, 255, 255}},
		{"no window: localizer of a CT", row16(16, true, 10, 20, 30), Params{Modality: "CT", Rescaled: true, Slope: 1, Localizer: true}, []byte{0, 127, 255}},
		{"no window: CT in another unit", row16(16, true, 10, 20, 30), Params{Modality: "CT", Rescaled: true, Slope: 1, RescaleType: "US"}, []byte{0, 127, 255}},
		{"8 bits", codecs.Interleaved([]byte{3, 200}, 2, 1, 1, 8, 8, false), Params{Window: wide}, []byte{3, 200}},
		{"1 bit in bytes", codecs.Interleaved([]byte{1, 0, 1}, 3, 1, 1, 8, 1, false), Params{}, []byte{255, 0, 255}},
		{"big endian", codecs.View{Pix: []byte{0, 3, 0, 200}, Width: 2, Height: 1, Components: 1, Container: 16, Bits: 16, BigEndian: true, PixelStride: 2, RowStride: 4, PlaneStride: 2}, Params{Window: wide}, []byte{3, 200}},
	}
	for _, x := range tests {
		if x.p.Photometric == "" {
			x.p.Photometric = "MONOCHROME2"
		}
		if got := grays(t, x.view, x.p); !bytes.Equal(got, x.want) {
			t.Errorf("%s: got %v, want %v", x.name, got, x.want)
		}
	}
}

func TestColour(t *testing.T) {
	tests := []struct {
		name        string
		view        codecs.View
		photometric string
		want        []byte
	}{
		{"RGB", codecs.Interleaved([]byte{1, 2, 3}, 1, 1, 3, 8, 8, false), "RGB", []byte{1, 2, 3, 255}},
		{"planar RGB", codecs.Planar([]byte{1, 4, 2, 5, 3, 6}, 2, 1, 3, 8, 8, false), "RGB", []byte{1, 2, 3, 255, 4, 5, 6, 255}},
		{"16-bit RGB", codecs.Interleaved([]byte{0, 0, 0xFF, 0x7F, 0xFF, 0xFF}, 1, 1, 3, 16, 16, false), "RGB", []byte{0, 127, 255, 255}},
		{"YBR grey", codecs.Interleaved([]byte{77, 128, 128}, 1, 1, 3, 8, 8, false), "YBR_FULL", []byte{77, 77, 77, 255}},
		{"YBR red", codecs.Interleaved([]byte{76, 85, 255}, 1, 1, 3, 8, 8, false), "YBR_FULL_422", []byte{254, 0, 0, 255}},
		{"YBR blue", codecs.Interleaved([]byte{29, 255, 107}, 1, 1, 3, 8, 8, false), "YBR_FULL", []byte{0, 0, 254, 255}},
		{"YBR partial white", codecs.Interleaved([]byte{235, 128, 128}, 1, 1, 3, 8, 8, false), "YBR_PARTIAL_422", []byte{255, 255, 255, 255}},
	}
	for _, x := range tests {
		img, err := Frame(x.view, Params{Photometric: x.photometric})
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		if got := img.(*image.NRGBA).Pix; !bytes.Equal(got, x.want) {
			t.Errorf("%s: got %v, want %v", x.name, got, x.want)
		}
	}
	var no *codecs.UnsupportedError
	if _, err := Frame(codecs.Interleaved(make([]byte, 3), 1, 1, 3, 8, 8, false), Params{Photometric: "HSV"}); !errors.As(err, &no) {
		t.Errorf("HSV: got %v, want an UnsupportedError", err)
	}
	if _, err := Frame(codecs.Interleaved(make([]byte, 4), 1, 1, 4, 8, 8, false), Params{Photometric: "CMYK"}); !errors.As(err, &no) {
		t.Errorf("CMYK: got %v, want an UnsupportedError", err)
	}
}

func TestRaw(t *testing.T) {
	wide := &Window{Center: 128, Width: 256}
	f32 := func(v ...float32) (b []byte) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	f64be := func(v ...float64) (b []byte) {
		for _, x := range v {
			b = binary.BigEndian.AppendUint64(b, math.Float64bits(x))
		}
		return b
	}
	tests := []struct {
		name string
		raw  Raw
		p    Params
		want []byte
	}{
		{"float map", Raw{Pix: f32(0, 0.5, 1), Width: 3, Height: 1, Components: 1, Allocated: 32, Float: true}, Params{Window: &Window{0.5, 1, LinearExact}}, []byte{0, 127, 255}},
		{"float without window", Raw{Pix: f32(-1, 0, 1), Width: 3, Height: 1, Components: 1, Allocated: 32, Float: true}, Params{}, []byte{0, 127, 255}},
		{"float NaN is black, also inverted", Raw{Pix: f32(float32(math.NaN()), 1, 0), Width: 3, Height: 1, Components: 1, Allocated: 32, Float: true}, Params{Inverse: true}, []byte{0, 0, 255}},
		{"float padding", Raw{Pix: f32(-999, 1, 0), Width: 3, Height: 1, Components: 1, Allocated: 32, Float: true}, Params{FloatPadding: &FloatPadding{-1000, -900}}, []byte{0, 255, 0}},
		{"big endian double", Raw{Pix: f64be(0, 4, 8), Width: 3, Height: 1, Components: 1, Allocated: 64, Float: true, BigEndian: true}, Params{}, []byte{0, 127, 255}},
		{"32-bit dose", Raw{Pix: []byte{0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 255}, Width: 3, Height: 1, Components: 1, Allocated: 32, Stored: 32, HighBit: 31}, Params{}, []byte{0, 128, 255}},
		{"32-bit signed", Raw{Pix: []byte{255, 255, 255, 255, 1, 0, 0, 0}, Width: 2, Height: 1, Components: 1, Allocated: 32, Stored: 32, HighBit: 31, Signed: true}, Params{Window: wide, Intercept: 50}, []byte{49, 51}},
		{"32-bit RGB", Raw{Pix: []byte{0, 0, 0, 0, 0, 0, 0, 128, 255, 255, 255, 255}, Width: 1, Height: 1, Components: 3, Allocated: 32, Stored: 32, HighBit: 31}, Params{Photometric: "RGB"}, []byte{0, 127, 255, 255}},
		{"one bit, frame 2 of 3 pixels", Raw{Pix: []byte{0b00101000}, FirstBit: 3, Width: 3, Height: 1, Components: 1, Allocated: 1, Stored: 1}, Params{}, []byte{255, 0, 255}},
		{"bits stored high", Raw{Pix: []byte{0x50, 0xF0, 0xA5, 0x00}, Width: 2, Height: 1, Components: 1, Allocated: 16, Stored: 12, HighBit: 15}, Params{Window: &Window{Center: 2048, Width: 4096}}, []byte{239, 0}},
		{"shared chroma", Raw{Pix: []byte{10, 20, 128, 128}, Width: 2, Height: 1, Components: 3, Allocated: 8, Stored: 8, HighBit: 7, Shared: true}, Params{Photometric: "YBR_FULL_422"}, []byte{10, 10, 10, 255, 20, 20, 20, 255}},
	}
	for _, x := range tests {
		img, err := FrameRaw(x.raw, x.p)
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		var got []byte
		switch img := img.(type) {
		case *image.Gray:
			got = img.Pix
		case *image.NRGBA:
			got = img.Pix
		}
		if !bytes.Equal(got, x.want) {
			t.Errorf("%s: got %v, want %v", x.name, got, x.want)
		}
	}
	var bad *codecs.MalformedError
	if _, err := FrameRaw(Raw{Pix: make([]byte, 3), Width: 2, Height: 1, Components: 1, Allocated: 16, Stored: 16, HighBit: 15}, Params{}); !errors.As(err, &bad) {
		t.Errorf("short frame: got %v, want a MalformedError", err)
	}
	var no *codecs.UnsupportedError
	for _, r := range []Raw{
		{Pix: make([]byte, 99), Width: 2, Height: 1, Components: 1, Allocated: 12, Stored: 12, HighBit: 11},
		{Pix: make([]byte, 99), Width: 2, Height: 1, Components: 1, Allocated: 16, Stored: 0, HighBit: 11},
		{Pix: make([]byte, 99), Width: 2, Height: 1, Components: 1, Allocated: 16, Stored: 12, HighBit: 16},
		{Pix: make([]byte, 99), Width: 0, Height: 1, Components: 1, Allocated: 16, Stored: 12, HighBit: 11},
		{Pix: make([]byte, 99), Width: 1, Height: 1, Components: 3, Allocated: 32, Float: true},
	} {
		if _, err := FrameRaw(r, Params{}); !errors.As(err, &no) {
			t.Errorf("%+v: got %v, want an UnsupportedError", r, err)
		}
	}
}
