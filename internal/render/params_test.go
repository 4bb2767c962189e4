package render

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"reflect"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
)

// built makes a data set of a few elements, with a frame of 2 x 1 words of 16 bits, and reads it back.
func built(t *testing.T, syntax string, set func(b *dcm.Builder)) (*dcm.Dataset, *dcm.Image) {
	t.Helper()
	b := dcm.NewBuilder().
		Text(0x00080016, "1.2.840.10008.5.1.4.1.1.7").Text(0x00080018, "2.25.1").
		Ints(0x00280002, 1).Text(0x00280004, "MONOCHROME2").Ints(0x00280010, 1).Ints(0x00280011, 2).
		Ints(0x00280100, 16).Ints(0x00280101, 16).Ints(0x00280102, 15).Ints(0x00280103, 0)
	set(b)
	data, err := b.Native([]byte{1, 0, 2, 0}).File(syntax)
	if err != nil {
		t.Fatal(err)
	}
	f, err := dcm.Scan(dcm.Bytes(data), int64(len(data)), dcm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ds, err := dcm.ReadDataset(dcm.Bytes(data), f, dcm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return ds, f.Image
}

var syntaxes = []string{"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"}

func TestParamsFrom(t *testing.T) {
	item := dcm.NewBuilder
	tests := []struct {
		name  string
		frame int
		set   func(b *dcm.Builder)
		want  func(p *Params) any
		is    any
	}{
		{"slope and intercept", 0, func(b *dcm.Builder) { b.Floats(0x00281052, -1024).Floats(0x00281053, 2) },
			func(p *Params) any { return []any{p.Slope, p.Intercept, p.Rescaled} }, []any{2.0, -1024.0, true}},
		{"no slope is 1", 0, func(b *dcm.Builder) {}, func(p *Params) any { return []any{p.Slope, p.Intercept, p.Rescaled} }, []any{1.0, 0.0, false}},
		{"window 1 of 2", 0, func(b *dcm.Builder) {
			b.Floats(0x00281050, 40, -600).Floats(0x00281051, 400, 1500).Text(0x00281056, "SIGMOID")
		}, func(p *Params) any { return *p.Window }, Window{40, 400, Sigmoid}},
		{"center without width", 0, func(b *dcm.Builder) { b.Floats(0x00281050, 40) }, func(p *Params) any { return p.Window == nil }, true},
		{"modality LUT wins", 0, func(b *dcm.Builder) {
			b.Floats(0x00281052, -1024).Floats(0x00281053, 1).
				Items(0x00283000, item().Ints(0x00283002, 2, 5, 16).Raw(0x00283006, "OW", []byte{1, 0, 2, 0}))
		}, func(p *Params) any { return *p.ModalityLUT }, LUT{5, 16, []uint16{1, 2}}},
		{"XA with a logarithmic relationship is shown without Modality LUT", 0, func(b *dcm.Builder) {
			b.Text(0x00080060, "XA").Text(0x00281040, "LOG").Floats(0x00281052, -1024).Floats(0x00281053, 3)
		}, func(p *Params) any { return []any{p.Slope, p.Intercept} }, []any{0.0, 0.0}},
		{"DX with it is not", 0, func(b *dcm.Builder) {
			b.Text(0x00080060, "DX").Text(0x00281040, "LOG").Floats(0x00281052, 7).Floats(0x00281053, 3)
		}, func(p *Params) any { return []any{p.Slope, p.Intercept} }, []any{3.0, 7.0}},
		{"VOI LUT", 0, func(b *dcm.Builder) {
			b.Items(0x00283010, item().Ints(0x00283002, 2, 0, 8).Raw(0x00283006, "OW", []byte{0, 0, 255, 0}))
		}, func(p *Params) any { return *p.VOILUT }, LUT{0, 8, []uint16{0, 255}}},
		{"an empty VOI LUT sequence is none", 0, func(b *dcm.Builder) { b.Items(0x00283010).Floats(0x00281050, 40).Floats(0x00281051, 400) },
			func(p *Params) any { return p.VOILUT == nil && p.Window.Valid() }, true},
		{"padding range", 0, func(b *dcm.Builder) { b.Ints(0x00280120, 10).Ints(0x00280121, 5) }, func(p *Params) any { return *p.Padding }, Padding{10, 5}},
		{"signed padding", 0, func(b *dcm.Builder) { b.Ints(0x00280103, 1).Ints(0x00280120, -2000) }, func(p *Params) any { return *p.Padding }, Padding{-2000, -2000}},
		{"pixel spacing: rows first", 0, func(b *dcm.Builder) { b.Floats(0x00280030, 3, 1.5).Ints(0x00280034, 1, 9) }, func(p *Params) any { return p.Aspect }, 2.0},
		{"pixel aspect ratio", 0, func(b *dcm.Builder) { b.Ints(0x00280034, 1, 2) }, func(p *Params) any { return p.Aspect }, 0.5},
		{"spacing of 0 says nothing", 0, func(b *dcm.Builder) { b.Floats(0x00280030, 0, 0).Floats(0x00181164, 0.4, 0.2) }, func(p *Params) any { return p.Aspect }, 2.0},
		{"shape", 0, func(b *dcm.Builder) { b.Text(0x20500020, "INVERSE") }, func(p *Params) any { return p.Inverse }, true},
		{"localizer", 0, func(b *dcm.Builder) { b.Text(0x00080008, "ORIGINAL", "PRIMARY", "LOCALIZER") }, func(p *Params) any { return p.Localizer }, true},
		{"functional groups: per frame over shared over data set", 1, func(b *dcm.Builder) {
			window := func(c float64) *dcm.Builder {
				return item().Items(0x00289132, item().Floats(0x00281050, c).Floats(0x00281051, 10))
			}
			b.Floats(0x00281050, 1).Floats(0x00281051, 1).Floats(0x00281052, 99).Floats(0x00281053, 99).
				Items(0x52009229, window(20).Items(0x00289145, item().Floats(0x00281052, -5).Floats(0x00281053, 2).Text(0x00281054, "US")).
					Items(0x00289110, item().Floats(0x00280030, 2, 1))).
				Items(0x52009230, window(30), window(40), window(50))
		}, func(p *Params) any {
			return []any{p.Window.Center, p.Slope, p.Intercept, p.RescaleType, p.Aspect}
		}, []any{40.0, 2.0, -5.0, "US", 2.0}},
		{"ultrasound regions", 0, func(b *dcm.Builder) {
			b.Text(0x00080060, "US").Items(0x00186011,
				item().Ints(0x00186018, 10).Ints(0x0018601A, 20).Ints(0x0018601C, 29).Ints(0x0018601E, 39),
				item().Ints(0x00186018, 10)) // incomplete
		}, func(p *Params) any { return p.Regions }, []image.Rectangle{image.Rect(10, 20, 30, 40)}},
	}
	for _, x := range tests {
		for _, syntax := range syntaxes {
			ds, img := built(t, syntax, x.set)
			p, err := ParamsFrom(ds, img, x.frame)
			if err != nil {
				t.Errorf("%s in %s: %v", x.name, syntax, err)
				continue
			}
			if got := x.want(&p); !reflect.DeepEqual(got, x.is) {
				t.Errorf("%s in %s: got %v, want %v", x.name, syntax, got, x.is)
			}
		}
	}
}

func TestParamsMalformed(t *testing.T) {
	for name, set := range map[string]func(b *dcm.Builder){
		"palette without tables": func(b *dcm.Builder) { b.Text(0x00280004, "PALETTE COLOR") },
		"LUT without descriptor": func(b *dcm.Builder) {
			b.Items(0x00283000, dcm.NewBuilder().Raw(0x00283006, "OW", []byte{1, 0}))
		},
		"LUT without entries": func(b *dcm.Builder) { b.Items(0x00283010, dcm.NewBuilder().Ints(0x00283002, 2, 5, 16)) },
	} {
		ds, img := built(t, syntaxes[1], set)
		var bad *codecs.MalformedError
		if _, err := ParamsFrom(ds, img, 0); !errors.As(err, &bad) {
			t.Errorf("%s: got %v, want a MalformedError", name, err)
		}
	}
}

func TestPaletteInEverySyntax(t *testing.T) {
	for _, syntax := range syntaxes {
		ds, img := built(t, syntax, func(b *dcm.Builder) {
			b.Text(0x00280004, "PALETTE COLOR")
			for c := range uint32(3) {
				var p []byte
				for v := range 4 {
					p = binary.LittleEndian.AppendUint16(p, uint16((v*16+int(c))<<8))
				}
				b.Ints(0x00281101+c, 4, 0, 16).Raw(0x00281201+c, "OW", p)
			}
		})
		p, err := ParamsFrom(ds, img, 0)
		if err != nil {
			t.Errorf("%s: %v", syntax, err)
			continue
		}
		got, err := Frame(row16(16, false, 1, 2), p)
		if err != nil {
			t.Errorf("%s: %v", syntax, err)
			continue
		}
		if want := []byte{16, 17, 18, 255, 32, 33, 34, 255}; !bytes.Equal(got.(*image.NRGBA).Pix, want) {
			t.Errorf("%s: got %v, want %v", syntax, got.(*image.NRGBA).Pix, want)
		}
	}
}

func TestPHI(t *testing.T) {
	const capture = "1.2.840.10008.5.1.4.1.1.7.4"
	for _, x := range []struct {
		modality, class, burned string
		want                    bool
	}{
		{"CT", "", "", false},
		{"CT", "", "YES", true},
		{"CT", capture, "", true},
		{"CT", capture, "NO", false},
		{"US", "", "", true},
		{"US", "", "NO", false},
		{"US", "", "YES", true},
		{"XA", "", "", true},
		{"OT", "", "", true},
		{"MR", "", "NO", false},
	} {
		ds, _ := built(t, syntaxes[1], func(b *dcm.Builder) {
			b.Text(0x00080060, x.modality).Text(0x00280301, x.burned)
			if x.class == "" {
				x.class = "1.2.840.10008.5.1.4.1.1.2"
			}
			b.Text(0x00080016, x.class)
		})
		if got := PHIRisk(ds); got != x.want {
			t.Errorf("%+v: got %v", x, got)
		}
	}
}

func TestGuard(t *testing.T) {
	white := func() *image.Gray {
		img := image.NewGray(image.Rect(0, 0, 4, 3))
		for i := range img.Pix {
			img.Pix[i] = 255
		}
		return img
	}
	us := Params{PHIRisk: true, Ultrasound: true, Regions: []image.Rectangle{image.Rect(1, 1, 3, 2), image.Rect(3, 1, 99, 99)}}
	got, err := Guard(white(), us, PHIMask)
	if want := []byte{0, 0, 0, 0, 0, 255, 255, 255, 0, 0, 0, 255}; err != nil || !bytes.Equal(got.(*image.Gray).Pix, want) {
		t.Errorf("mask: got %v, %v, want %v", got, err, want)
	}
	colour := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	copy(colour.Pix, []byte{9, 9, 9, 255, 9, 9, 9, 255})
	got, err = Guard(colour, Params{PHIRisk: true, Ultrasound: true, Regions: []image.Rectangle{image.Rect(1, 0, 2, 1)}}, PHIMask)
	if want := []byte{0, 0, 0, 255, 9, 9, 9, 255}; err != nil || !bytes.Equal(got.(*image.NRGBA).Pix, want) {
		t.Errorf("mask in colour: got %v, %v, want %v", got, err, want)
	}
	for _, x := range []struct {
		name   string
		p      Params
		policy PHIPolicy
		denied bool
	}{
		{"no risk", Params{}, PHIDeny, false},
		{"deny", us, PHIDeny, true},
		{"allow", us, PHIAllow, false},
		{"mask without regions", Params{PHIRisk: true, Ultrasound: true}, PHIMask, true},
		{"mask of a secondary capture", Params{PHIRisk: true, Regions: us.Regions}, PHIMask, true},
		{"an unknown policy denies", us, "", true},
	} {
		if _, err := Guard(white(), x.p, x.policy); errors.Is(err, ErrPHI) != x.denied || err != nil && !x.denied {
			t.Errorf("%s: got %v, denied wanted: %v", x.name, err, x.denied)
		}
	}
}
