package synth

import (
	"fmt"
	"strings"

	"github.com/radtier/radtier/internal/dcm"
)

// subject is the person and visit of a study. Texts are in the charset given.
type subject struct {
	charset     string // Specific Character Set (0008,0005)
	latin       string // PN, alphabetic
	ideographic string // PN, ideographic, in the charset
	id          string
	sex         string
	born        string // DA
	institution string // LO, in the charset
	study       string // Study Description, in the charset
	date        string // DA of the study
}

// Specific character sets of the demo studies.
const (
	gb18030 = "GB18030"
	utf8    = "ISO_IR 192"
)

// general sets the Patient, General Study, General Series and General
// Equipment modules, and what of SOP Common is the same in all objects (PS3.3 C.7.1 to C.7.5, C.12.1).
func (o Options) general(b *dcm.Builder, x *Instance, s subject, modality string) {
	m := o.marker()
	tagged := func(text string) string { return strings.TrimSpace(m + " " + text) }
	name := func(family, given string) string { return tagged(family) + "^" + given }
	patient := name("SYNTHETIC", s.latin)
	if s.ideographic != "" {
		patient += "=" + s.ideographic
	}
	b.Text(0x00080005, s.charset).
		Text(0x00080016, x.ClassUID).
		Text(0x00080018, x.SOPUID).
		Text(0x00080012, s.date).
		Text(0x00080013, "101500").
		Text(0x00080020, s.date).
		Text(0x00080030, "100000").
		Text(0x00080050, short(m, s.id)).
		Text(0x00080060, modality).
		Text(0x00080070, "Radtier").
		Text(0x00080080, tagged(s.institution)).
		Text(0x00080081, tagged("SYNTHETIC STREET 1")).
		Text(0x00080090, name("REFERRER", "SYNTHETIC")).
		Text(0x00081010, "SYNTH1").
		Text(0x00081030, tagged(s.study)).
		Text(0x00081050, name("PERFORMER", "SYNTHETIC")).
		Text(0x00081070, name("OPERATOR", "SYNTHETIC")).
		Text(0x00081090, "Synthetic Generator").
		Text(0x00100010, patient).
		Text(0x00100020, tagged(s.id)).
		Text(0x00100021, tagged("SYNTHETIC")).
		Text(0x00100030, s.born).
		Text(0x00100040, s.sex).
		Text(0x00101001, name("SYNTHETIC", "OTHER")).
		Text(0x00104000, tagged("No person: made by a program.")).
		Text(0x00181000, "0001").
		Text(0x00181020, "1.0").
		Text(0x0020000D, x.StudyUID).
		Text(0x0020000E, x.SeriesUID).
		Text(0x00200010, short(m, s.id)).
		Ints(0x00200011, x.Series).
		Ints(0x00200013, x.Number)
}

// short fits an identifier into the 16 characters of SH.
func short(marker, id string) string {
	s := marker + id
	return s[:min(len(s), 16)]
}

// pixels sets the Image Pixel module (PS3.3 C.7.6.3) without Pixel Data.
func (l *Layout) pixels(b *dcm.Builder) {
	signed := 0
	if l.Signed {
		signed = 1
	}
	b.Ints(0x00280002, l.Samples).
		Text(0x00280004, l.Photometric).
		Ints(0x00280010, l.Rows).
		Ints(0x00280011, l.Columns).
		Ints(0x00280100, l.Allocated).
		Ints(0x00280101, l.Stored).
		Ints(0x00280102, l.HighBit).
		Ints(0x00280103, signed)
	if l.Samples > 1 {
		b.Ints(0x00280006, l.Planar)
	}
}

// code is an item of the Code Sequence macro (PS3.3 8.8).
func code(value, scheme, meaning string) *dcm.Builder {
	return dcm.NewBuilder().Text(0x00080100, value).Text(0x00080102, scheme).Text(0x00080104, meaning)
}

// id is a patient identifier that shows where it comes from.
func (o Options) id(kind string) string { return fmt.Sprintf("SYN%s%03d", kind, o.Seed%1000) }
