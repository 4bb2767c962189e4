package crop

import (
	"encoding/binary"

	"github.com/radtier/radtier/internal/dcm"
)

const (
	tagRegions = 0x00186011
	regionX0   = 0x00186018 // UL, from 0, inclusive, as the three that follow
	regionY0   = 0x0018601A
	regionX1   = 0x0018601C
	regionY1   = 0x0018601E
	referenceX = 0x00186020 // SL, from the region's first column
	referenceY = 0x00186022
)

// ultrasoundRegions moves and clips the regions that calibrate an ultrasound
// frame (PS3.3 C.8.5.5), and removes those outside. Regions of real files can exceed the frame.
func (m *maker) ultrasoundRegions() error {
	if !m.e.Has(tagRegions) {
		return nil
	}
	items, err := m.e.Items(tagRegions)
	if err != nil {
		return err
	}
	keep := make([]bool, len(items))
	any := false
	for i, item := range items {
		if keep[i], err = m.region(item); err != nil {
			return err
		}
		any = any || keep[i]
	}
	if !any {
		m.e.DeleteTags(tagRegions)
		return nil
	}
	return m.e.Keep(tagRegions, func(i int) bool { return keep[i] })
}

func (m *maker) region(item *dcm.Edit) (keep bool, err error) {
	v, err := item.Values()
	if err != nil {
		return false, err
	}
	number := func(tag uint32) (int, error) {
		if list := v.Ints(tag); len(list) == 1 {
			return list[0], nil
		}
		return 0, unsupported(tag, "a region without its border")
	}
	var box [4]int
	for i, tag := range []uint32{regionX0, regionY0, regionX1, regionY1} {
		if box[i], err = number(tag); err != nil {
			return false, err
		}
	}
	// What these count from, region or frame, is not settled between writers.
	for tag := uint32(0x00186038); tag <= 0x00186043; tag++ {
		if item.Has(tag) {
			return false, unsupported(tag, "a region with positions of a Doppler sample volume or TM line")
		}
	}
	r := m.spec.Rect
	x0, x1 := max(box[0], r.X), min(box[2], r.X+r.W-1)
	y0, y1 := max(box[1], r.Y), min(box[3], r.Y+r.H-1)
	if x0 > x1 || y0 > y1 {
		return false, nil
	}
	b := dcm.NewBuilder().Ints(regionX0, x0-r.X).Ints(regionY0, y0-r.Y).Ints(regionX1, x1-r.X).Ints(regionY1, y1-r.Y)
	for _, ref := range []struct {
		tag  uint32
		clip int
	}{{referenceX, x0 - box[0]}, {referenceY, y0 - box[1]}} {
		if !item.Has(ref.tag) || ref.clip == 0 {
			continue
		}
		at, err := number(ref.tag)
		if err != nil {
			return false, err
		}
		if at -= ref.clip; at < -1<<31 {
			return false, unsupported(ref.tag, "a reference pixel far away")
		}
		b.Raw(ref.tag, "SL", binary.LittleEndian.AppendUint32(nil, uint32(int32(at))))
	}
	return true, item.Set(b)
}
