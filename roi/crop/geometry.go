package crop

import (
	"math/big"
	"slices"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/roi/space"
)

const (
	tagPosition    = 0x00200032
	tagOrientation = 0x00200037
	tagSpacing     = 0x00280030
)

// plane is where the values of one frame's plane are written: in the root, or in functional groups (PS3.3 C.7.6.16.2).
type plane struct{ position, orientation, spacing []string }

// shifted returns Image Position (Patient) of the first sample kept (PS3.3
// C.7.6.2.1.1): the position is the centre of the first pixel, so whole pixels
// along the row direction by the spacing between columns, and along the
// column direction by that between rows.
func (m *maker) shifted(p plane) ([]string, error) {
	position, ok := decimals(p.position, 3)
	if !ok {
		return nil, unsupported(tagPosition, "no position of 3 numbers")
	}
	orientation, ok := decimals(p.orientation, 6)
	if !ok {
		return nil, unsupported(tagOrientation, "a position without an orientation of 6 numbers")
	}
	spacing, ok := decimals(p.spacing, 2)
	if !ok {
		return nil, unsupported(tagSpacing, "a position without a spacing of 2 numbers")
	}
	if _, err := space.NewPlane(floats(position), floats(orientation), floats(spacing), m.f.Image.Rows, m.f.Image.Columns); err != nil {
		return nil, unsupported(tagPosition, "no plane in the patient: %v", err)
	}
	if m.spec.Rect.X == 0 && m.spec.Rect.Y == 0 {
		return p.position, nil
	}
	along := new(big.Rat).Mul(big.NewRat(int64(m.spec.Rect.X), 1), spacing[1])
	down := new(big.Rat).Mul(big.NewRat(int64(m.spec.Rect.Y), 1), spacing[0])
	out := make([]string, 3)
	for k := range out {
		v := new(big.Rat).Mul(along, orientation[k])
		v.Add(v, new(big.Rat).Mul(down, orientation[3+k]))
		if out[k], ok = decimalString(v.Add(v, position[k])); !ok {
			return nil, unsupported(tagPosition, "a position that 16 characters cannot state to 1e-6 mm")
		}
	}
	return out, nil
}

// numbersOf are Decimal Strings as they are written; none if the element has another VR, which readers would take for no number.
func numbersOf(v *dcm.Dataset, tag uint32) []string {
	if v.VR(tag) != (dcm.VR{'D', 'S'}) {
		return nil
	}
	return v.Strings(tag)
}

func floats(list []*big.Rat) []float64 {
	out := make([]float64, len(list))
	for i, v := range list {
		out[i], _ = v.Float64()
	}
	return out
}

// rootGeometry shifts the position of classic images.
func (m *maker) rootGeometry() error {
	if !m.v.Has(tagPosition) || m.v.Length(tagPosition) == 0 {
		if m.class.positioned {
			return unsupported(tagPosition, "a cross-section without a position")
		}
		return nil
	}
	to, err := m.shifted(plane{numbersOf(m.v, tagPosition), numbersOf(m.v, tagOrientation), numbersOf(m.v, tagSpacing)})
	if err != nil {
		return err
	}
	return m.setPosition(m.e, to)
}

// setPosition writes a position, unless it is the source's.
func (m *maker) setPosition(e *dcm.Edit, to []string) error {
	v, err := e.Values()
	if err != nil {
		return err
	}
	if slices.Equal(v.Strings(tagPosition), to) {
		return nil
	}
	return e.Set(dcm.NewBuilder().Text(tagPosition, to...))
}

// detectorGeometry shifts the positions of nuclear medicine detectors (PS3.3 C.8.4.11): the spacing is the root's.
func (m *maker) detectorGeometry() error {
	const detectors = 0x00540022
	items, err := m.e.Items(detectors)
	if err != nil {
		return err
	}
	for _, item := range items {
		v, err := item.Values()
		if err != nil {
			return err
		}
		if v.Length(tagPosition) <= 0 {
			continue
		}
		to, err := m.shifted(plane{numbersOf(v, tagPosition), numbersOf(v, tagOrientation), numbersOf(m.v, tagSpacing)})
		if err != nil {
			return err
		}
		if err := m.setPosition(item, to); err != nil {
			return err
		}
	}
	return nil
}
