package evidence

import (
	"testing"

	"github.com/radtier/radtier/internal/dcm"
)

const imageClass = storage + "2"

func object(class, modality string) *dcm.Builder {
	return dcm.NewBuilder().Text(0x00080016, class).Text(0x00080018, "1.2.9.1").Text(0x0020000D, "1.2.9").Text(0x0020000E, "1.2.9.0").Text(0x00080060, modality)
}

func readObject(t testing.TB, b *dcm.Builder, lim Limits) *Document {
	t.Helper()
	raw, err := b.File("1.2.840.10008.1.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return readBytes(t, raw, lim)
}

func readBytes(t testing.TB, raw []byte, lim Limits) *Document {
	t.Helper()
	f, err := dcm.Scan(dcm.Bytes(raw), int64(len(raw)), dcm.Limits{MaxDepth: 200})
	if err != nil {
		t.Fatal(err)
	}
	return Read(dcm.Bytes(raw), f, lim)
}

func code1(c Code) *dcm.Builder {
	return dcm.NewBuilder().Text(0x00080100, c.Value).Text(0x00080102, c.Scheme).Text(0x00080104, "patient's name would be here")
}

func item(rel, typ string, name Code, children ...*dcm.Builder) *dcm.Builder {
	b := dcm.NewBuilder().Text(0x0040A010, rel)
	if typ != "" {
		b.Text(0x0040A040, typ)
	}
	if name.Value != "" {
		b.Items(0x0040A043, code1(name))
	}
	if len(children) > 0 {
		b.Items(0x0040A730, children...)
	}
	return b
}

func codeItem(name, value Code) *dcm.Builder {
	return item("CONTAINS", "CODE", name).Items(0x0040A168, code1(value))
}

func imageOf(sop string, frames ...int) *dcm.Builder {
	ref := dcm.NewBuilder().Text(0x00081150, imageClass).Text(0x00081155, sop)
	if len(frames) > 0 {
		ref.Ints(0x00081160, frames...)
	}
	return item("SELECTED FROM", "IMAGE", Code{}).Items(0x00081199, ref)
}

func area2(kind, sop string, points ...float64) *dcm.Builder {
	return item("CONTAINS", "SCOORD", Code{"111030", "DCM"}, imageOf(sop)).Text(0x00700023, kind).Floats(0x00700022, points...)
}

func groupOf(parts ...*dcm.Builder) *dcm.Builder {
	return item("CONTAINS", "CONTAINER", group, parts...)
}

func reportWith(items ...*dcm.Builder) *dcm.Builder {
	return object(storage+"88.33", "SR").Text(0x0040A040, "CONTAINER").Items(0x0040A043, code1(Code{"126000", "DCM"})).
		Text(0x0040A491, "COMPLETE").Text(0x0040A493, "VERIFIED").Items(0x0040A730, items...)
}
