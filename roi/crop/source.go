package crop

import (
	"strings"

	"github.com/radtier/radtier/internal/dcm"
)

const (
	tagSourceImage = 0x00082112
	tagEvidence    = 0x00089154
)

// reference is an item of Source Image Sequence (PS3.3 C.7.6.1.1.4). Its
// pixels are not at the same place in the frame: Spatial Locations Preserved is NO.
func (m *maker) reference(frames []int) (*dcm.Builder, error) {
	b := dcm.NewBuilder().Text(0x00081150, m.f.ClassUID).Text(0x00081155, m.f.SOPUID).Text(0x0028135A, "NO").
		Items(0x0040A170, m.purpose)
	if frames != nil {
		list := numbers(frames)
		if len(strings.Join(list, `\`)) > 0xFFFE {
			return nil, unsupported(tagNumberOfFrames, "more frame numbers than a reference holds")
		}
		b.Text(0x00081160, list...)
	}
	return b, nil
}

// subset are the kept frames, nil if they are all.
func (m *maker) subset() []int {
	if len(m.frames) == m.f.Image.Frames {
		return nil
	}
	return m.frames
}

// sources refers to the source: in the root of classic images, and for
// enhanced ones, whose frames refer to it in [maker.derivations], as evidence (PS3.3 C.7.6.16).
func (m *maker) sources() error {
	if !m.class.grouped {
		item, err := m.reference(m.subset())
		if err != nil {
			return err
		}
		return m.e.Append(tagSourceImage, item)
	}
	return m.e.Append(tagEvidence, dcm.NewBuilder().Text(tagStudy, m.f.StudyUID).
		Items(0x00081115, dcm.NewBuilder().Text(tagSeries, m.f.SeriesUID).
			Items(0x00081199, dcm.NewBuilder().Text(0x00081150, m.f.ClassUID).Text(0x00081155, m.f.SOPUID))))
}

// derivations adds to the Derivation Image macro (PS3.3 C.7.6.16.2.6) of every
// kept frame from which frame it was cut, or to the shared one, where that is.
// No standard code means cropping; the macro demands one, and 113091 is the nearest: frames extracted from a volume.
func (m *maker) derivations(shared *dcm.Edit, frames []*dcm.Edit) error {
	if !m.class.grouped {
		return nil
	}
	extracted := code("113091", "Spatially-related frames extracted from the volume")
	text := m.derivation(m.v.String(tagCharset))
	item := func(list []int) (*dcm.Builder, error) {
		ref, err := m.reference(list)
		if err != nil {
			return nil, err
		}
		return dcm.NewBuilder().Text(tagDerivation, text).
			Items(0x00089215, extracted).
			Items(tagSourceImage, ref), nil
	}
	if shared != nil && shared.Has(tagDerivationImage) {
		b, err := item(m.frames)
		if err != nil {
			return err
		}
		return shared.Append(tagDerivationImage, b)
	}
	for _, i := range m.frames {
		b, err := item([]int{i})
		if err != nil {
			return err
		}
		if err := frames[i].Append(tagDerivationImage, b); err != nil {
			return err
		}
	}
	return nil
}
