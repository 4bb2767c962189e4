package crop

import (
	"testing"

	"github.com/radtier/radtier/internal/dcm"
)

const explicitLE, implicitLE, explicitBE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"

const (
	ctClass         = storage + "2"
	enhancedCTClass = storage + "2.1"
	wide, tall      = 24, 20
)

// image is a builder of an image of frames of wide x tall signed samples of 12 bits with junk above them.
func image(class string, frames int) *dcm.Builder {
	pix := make([]byte, 2*wide*tall*frames)
	for i := range pix {
		pix[i] = byte(i*i/7 + 13*i)
	}
	b := dcm.NewBuilder().Text(0x00080016, class).Text(0x00080018, "1.2.3.4.5").Text(0x00080060, "CT").Text(0x00080008, "ORIGINAL", "PRIMARY", "AXIAL", "NONE").
		Text(0x0020000D, "1.2.3").Text(0x0020000E, "1.2.3.4").Text(0x00200052, "1.2.9").Ints(0x00200011, 4).Ints(0x00200013, 17).
		Text(0x0008103E, "Thorax 1 mm").Text(0x00100020, "P1").
		Text(0x00280004, "MONOCHROME2").Ints(0x00280002, 1).Ints(0x00280010, tall).Ints(0x00280011, wide).
		Ints(0x00280100, 16).Ints(0x00280101, 12).Ints(0x00280102, 11).Ints(0x00280103, 1).Native(pix)
	if frames > 1 {
		b.Ints(0x00280008, frames)
	}
	return b
}

// slice is a CT slice on an oblique plane of pixels that are no squares.
func slice() *dcm.Builder {
	return image(ctClass, 1).Text(tagPosition, "-100.5", "50.25", "-7").Text(tagOrientation, "0.8", "0.6", "0", "0", "0", "-1").Text(tagSpacing, "0.7", "0.5")
}

// build scans the file of a builder.
func build(t testing.TB, b *dcm.Builder, syntax string) *source {
	t.Helper()
	data, err := b.File(syntax)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scan(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// crop makes and checks a derived instance, and returns its values.
func crop(t testing.TB, s *source, spec Spec) *dcm.Dataset {
	t.Helper()
	data, _, err := s.derive(spec)
	if err != nil {
		t.Fatalf("%+v: %v", spec, err)
	}
	f, err := dcm.Scan(dcm.Bytes(data), int64(len(data)), dcm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := dcm.ReadDataset(dcm.Bytes(data), f, dcm.Limits{MaxValue: 1 << 24})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var part = Rect{X: 10, Y: 7, W: 9, H: 6}
