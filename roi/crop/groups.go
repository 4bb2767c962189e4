package crop

import (
	"slices"

	"github.com/radtier/radtier/internal/dcm"
)

// Functional groups (PS3.3 C.7.6.16): shared ones hold for all frames, the items of the others are the frames.
const (
	tagShared           = 0x52009229
	tagPerFrame         = 0x52009230
	tagPlanePosition    = 0x00209113
	tagPlaneOrientation = 0x00209116
	tagPixelMeasures    = 0x00289110
	tagDerivationImage  = 0x00089124
	tagFrameType        = 0x00089007
	tagFrameShutter     = 0x00189472
)

// functionalGroups keeps the items of the kept frames, and moves what they say of places.
func (m *maker) functionalGroups() error {
	if !m.e.Has(tagPerFrame) && !m.e.Has(tagShared) {
		if m.class.grouped {
			return unsupported(tagPerFrame, "a %s image without functional groups", m.class.name)
		}
		return nil
	}
	if m.f.Image.Frames > mostGroups {
		return unsupported(tagPerFrame, "functional groups of %d frames", m.f.Image.Frames)
	}
	sharedItems, err := m.e.Items(tagShared)
	if err != nil {
		return err
	}
	frames, err := m.e.Items(tagPerFrame)
	if err != nil {
		return err
	}
	if len(sharedItems) > 1 || len(frames) != m.f.Image.Frames {
		return unsupported(tagPerFrame, "%d items for %d frames, %d items shared", len(frames), m.f.Image.Frames, len(sharedItems))
	}
	kept := map[int]bool{}
	for _, i := range m.frames {
		kept[i] = true
	}
	if err := m.e.Keep(tagPerFrame, func(i int) bool { return kept[i] }); err != nil {
		return err
	}
	var shared *dcm.Edit
	if len(sharedItems) == 1 {
		shared = sharedItems[0]
	}
	if err := m.planes(shared, frames); err != nil {
		return err
	}
	if shared != nil {
		if err := m.group(shared); err != nil {
			return err
		}
	}
	for _, i := range m.frames {
		if err := m.group(frames[i]); err != nil {
			return err
		}
	}
	return m.derivations(shared, frames)
}

// macro returns the item of a functional group of a frame: its own, else the shared one; nil if there is none.
func macro(tag uint32, shared, frame *dcm.Edit) (*dcm.Edit, error) {
	for _, g := range []*dcm.Edit{frame, shared} {
		if g == nil {
			continue
		}
		items, err := g.Items(tag)
		if err != nil {
			return nil, err
		}
		if len(items) > 0 {
			return items[0], nil
		}
	}
	return nil, nil
}

// macroNumbers returns the Decimal Strings of an attribute of a functional group of a frame.
func macroNumbers(macroTag, tag uint32, shared, frame *dcm.Edit) ([]string, error) {
	item, err := macro(macroTag, shared, frame)
	if item == nil || err != nil {
		return nil, err
	}
	v, err := item.Values()
	if err != nil {
		return nil, err
	}
	return numbersOf(v, tag), nil
}

// planes shifts the position of every kept frame. A position may be shared, and then so must be where it moves to.
func (m *maker) planes(shared *dcm.Edit, frames []*dcm.Edit) error {
	moved := map[*dcm.Edit][]string{} // by the item that holds the position
	for _, i := range m.frames {
		item, err := macro(tagPlanePosition, shared, frames[i])
		if err != nil {
			return err
		}
		var p plane
		stated := false
		if item != nil {
			v, err := item.Values()
			if err != nil {
				return err
			}
			p.position, stated = numbersOf(v, tagPosition), v.Length(tagPosition) > 0
		}
		if !stated {
			if m.class.grouped {
				return unsupported(tagPlanePosition, "frame %d without a position", i+1)
			}
			continue
		}
		if p.orientation, err = macroNumbers(tagPlaneOrientation, tagOrientation, shared, frames[i]); err != nil {
			return err
		}
		if p.spacing, err = macroNumbers(tagPixelMeasures, tagSpacing, shared, frames[i]); err != nil {
			return err
		}
		to, err := m.shifted(p)
		if err != nil {
			return err
		}
		if before, ok := moved[item]; ok {
			if !slices.Equal(before, to) {
				return unsupported(tagPlanePosition, "one position for frames of several orientations")
			}
			continue
		}
		moved[item] = to
		if err := m.setPosition(item, to); err != nil {
			return err
		}
	}
	return nil
}

// group changes what a shared or per-frame group says of type and place of frames.
func (m *maker) group(g *dcm.Edit) error {
	for _, tag := range g.Tags() {
		if tag>>16&1 == 1 || !g.IsSequence(tag) {
			continue
		}
		items, err := g.Items(tag)
		if err != nil {
			return err
		}
		for _, item := range items {
			if item.Has(tagFrameType) {
				v, err := item.Values()
				if err != nil {
					return err
				}
				if err := item.Set(dcm.NewBuilder().Text(tagFrameType, derived(v.Strings(tagFrameType))...)); err != nil {
					return err
				}
			}
			if tag == tagFrameShutter {
				if err := m.edges(item, shutter); err != nil {
					return err
				}
				if !item.Has(shutter.shape) { // an empty macro is none
					g.DeleteTags(tag)
				}
			}
		}
	}
	return nil
}
