package crop

import (
	"fmt"
	"time"

	"github.com/radtier/radtier/internal/dcm"
)

const (
	tagImageType         = 0x00080008
	tagSOP               = 0x00080018
	tagStudy             = 0x0020000D
	tagSeries            = 0x0020000E
	tagSeriesDescription = 0x0008103E
	tagDerivation        = 0x00082111
	tagTimezone          = 0x00080201
	tagCharset           = 0x00080005
	firstSeriesNumber    = 9000
	suffix               = " [ROI]"
	coding               = "DCM"
)

// identity gives the instance its own names, type and time, and says what was done to it.
func (m *maker) identity() error {
	m.made.SOPUID = InstanceUID(m.f.SOPUID, m.spec)
	m.made.SeriesUID = SeriesUID(m.f.SeriesUID, m.spec.Rect, m.spec.Rules)
	at := m.spec.Created.In(zone(m.v.String(tagTimezone)))
	b := dcm.NewBuilder().Text(tagSOP, m.made.SOPUID).Text(tagSeries, m.made.SeriesUID).Ints(0x00200011, firstSeriesNumber+m.spec.Number).
		Text(tagImageType, derived(m.v.Strings(tagImageType))...).
		Text(0x00080012, at.Format("20060102")).Text(0x00080013, at.Format("150405"))
	charset := m.v.String(tagCharset)
	b.Text(tagSeriesDescription, described(m.v.String(tagSeriesDescription), charset))
	if !m.class.grouped { // enhanced images say it for each frame
		b.Text(tagDerivation, m.derivation(charset))
	}
	if err := m.e.Set(b); err != nil {
		return err
	}
	// Contributing Equipment Sequence (PS3.3 C.12.1).
	return m.e.Append(0x0018A001, dcm.NewBuilder().Items(0x0040A170, code("109103", "Modifying Equipment")).
		Text(0x00080070, "radtier").Text(0x00181020, m.spec.Build).
		Text(0x0018A002, m.spec.Created.UTC().Format("20060102150405")+"+0000").Text(0x0018A003, "Region of the image cut out without loss"))
}

// described is Series Description with our mark: 64 characters (PS3.5 6.2),
// and 64 bytes where the source's had no more, since many readers count those.
func described(s, charset string) string {
	if s == "" {
		return suffix[1:]
	}
	most := len(s)
	if most <= 64 {
		most = 64 - len(suffix)
	}
	return start(s, charset, 64-len(suffix), most) + suffix
}

// derived is Image Type or Frame Type of a derived image (PS3.3 C.7.6.1.1.2).
func derived(list []string) []string {
	switch len(list) {
	case 0, 1:
		return []string{"DERIVED", "PRIMARY"}
	}
	out := append([]string{}, list...)
	out[0] = "DERIVED"
	return out
}

// derivation is Derivation Description: the source's, as far as it fits, and what was done.
func (m *maker) derivation(charset string) string {
	r, img := m.spec.Rect, m.f.Image
	text := fmt.Sprintf("Region %d x %d from column %d, row %d (from 0) of %d x %d", r.W, r.H, r.X, r.Y, img.Columns, img.Rows)
	if img.Frames > 1 {
		text += fmt.Sprintf(", %d of %d frames", len(m.frames), img.Frames)
	}
	text += ", samples unchanged; rules " + m.spec.Rules
	if old := m.v.String(tagDerivation); old != "" && len(text) < 1000 {
		text = start(old, charset, 1024-len(text)-2, 1024-len(text)-2) + "; " + text
	}
	return text
}

// zone is the offset of Timezone Offset From UTC, UTC without one.
func zone(s string) *time.Location {
	if t, err := time.Parse("-0700", s); err == nil {
		_, offset := t.Zone()
		return time.FixedZone("", offset)
	}
	return time.UTC
}

// code is an item of a code sequence of DICOM's own codes.
func code(value, meaning string) *dcm.Builder {
	return dcm.NewBuilder().Text(0x00080100, value).Text(0x00080102, coding).Text(0x00080104, meaning)
}
