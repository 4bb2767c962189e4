package crop

import (
	"math/big"
	"slices"
	"strconv"

	"github.com/radtier/radtier/internal/dcm"
)

const (
	tagNumberOfFrames = 0x00280008
	tagIncrement      = 0x00280009
	tagFrameTime      = 0x00181063
	tagTimeVector     = 0x00181065
)

// frameAttributes keeps what the root says of single frames true for the kept ones (PS3.3 C.7.6.5, C.7.6.6).
func (m *maker) frameAttributes() error {
	if len(m.frames) == m.f.Image.Frames {
		return nil
	}
	if err := m.e.Set(dcm.NewBuilder().Ints(tagNumberOfFrames, len(m.frames))); err != nil {
		return err
	}
	for _, tag := range []uint32{
		0x00286010, // Representative Frame Number
		0x00286020, // Frame Numbers of Interest
		0x00286040, // R Wave Pointer
	} {
		if err := m.renumber(tag); err != nil {
			return err
		}
	}
	if m.v.Has(0x00286100) {
		return unsupported(0x00286100, "some frames of an image with mask subtraction")
	}
	// The part of a clip to be shown, and how long it is, are of another clip: Start Trim, Stop Trim, Effective Duration.
	m.e.DeleteTags(0x00082142, 0x00082143, 0x00180072)
	return m.increments()
}

// renumber maps frame numbers to those of the kept frames. If one of them is
// gone, so is the attribute: what describes the numbers one by one would not fit any more.
func (m *maker) renumber(tag uint32) error {
	list := m.v.Ints(tag)
	if len(list) == 0 {
		m.e.DeleteTags(tag)
		return nil
	}
	out := make([]int, len(list))
	for i, n := range list {
		at, ok := slices.BinarySearch(m.frames, n-1)
		if !ok {
			m.e.DeleteTags(tag)
			if tag == 0x00286020 {
				m.e.DeleteTags(0x00286022) // Frame of Interest Description
			}
			return nil
		}
		out[i] = at + 1
	}
	return m.e.Set(dcm.NewBuilder().Ints(tag, out...))
}

// increments subsets the vectors that Frame Increment Pointer names.
func (m *maker) increments() error {
	raw, err := m.e.Bytes(tagIncrement)
	if err != nil {
		return err
	}
	var pointed []uint32
	for ; len(raw) >= 4; raw = raw[4:] {
		pointed = append(pointed, uint32(raw[1])<<24|uint32(raw[0])<<16|uint32(raw[3])<<8|uint32(raw[2]))
	}
	for _, tag := range pointed {
		switch tag {
		case tagFrameTime, tagTimeVector:
			if err := m.times(); err != nil {
				return err
			}
		case 0x00182001, 0x00182002, 0x00182003, 0x00182005, 0x00182006: // vectors of Secondary Capture: page number, label, angles, position, orientation
			if err := m.vector(tag); err != nil {
				return err
			}
		default:
			if !m.class.grouped {
				return unsupported(tagIncrement, "some frames of an image with increments that are not known here")
			}
		}
	}
	if !m.class.grouped && !slices.Contains(pointed, tagTimeVector) && m.v.Has(tagTimeVector) {
		m.e.DeleteTags(tagTimeVector)
	}
	return nil
}

// vector keeps the values of the kept frames; orientation has 6 to a frame, position 3.
func (m *maker) vector(tag uint32) error {
	list, n := m.v.Strings(tag), m.f.Image.Frames
	if n == 0 || len(list) == 0 || len(list)%n != 0 {
		return unsupported(tag, "%d values for %d frames", len(list), n)
	}
	per := len(list) / n
	var out []string
	for _, i := range m.frames {
		out = append(out, list[i*per:(i+1)*per]...)
	}
	return m.e.Set(dcm.NewBuilder().Raw(tag, m.v.VR(tag).String(), join(out)))
}

func join(list []string) (p []byte) {
	for i, s := range list {
		if i > 0 {
			p = append(p, '\\')
		}
		p = append(p, s...)
	}
	return p
}

// times makes the intervals between the kept frames, in ms: equal ones stay Frame Time, others become a Frame Time Vector.
func (m *maker) times() error {
	n := m.f.Image.Frames
	at := make([]*big.Rat, n) // of each frame since the first
	if step, ok := decimals(m.v.Strings(tagFrameTime), 1); ok && !m.pointsAt(tagTimeVector) {
		for i := range at {
			at[i] = new(big.Rat).Mul(step[0], big.NewRat(int64(i), 1))
		}
	} else {
		list, ok := decimals(m.v.Strings(tagTimeVector), n)
		if !ok {
			return unsupported(tagTimeVector, "no times of %d frames", n)
		}
		sum := new(big.Rat)
		for i := range at {
			if i > 0 {
				sum = new(big.Rat).Add(sum, list[i])
			}
			at[i] = sum
		}
	}
	steps := make([]*big.Rat, len(m.frames))
	steps[0] = new(big.Rat)
	equal := true
	for k := 1; k < len(m.frames); k++ {
		steps[k] = new(big.Rat).Sub(at[m.frames[k]], at[m.frames[k-1]])
		equal = equal && steps[k].Cmp(steps[1]) == 0
	}
	if equal && !m.pointsAt(tagTimeVector) {
		if len(steps) == 1 {
			return nil
		}
		s, ok := decimalString(steps[1])
		if !ok {
			return unsupported(tagFrameTime, "a time that 16 characters cannot state")
		}
		return m.e.Set(dcm.NewBuilder().Text(tagFrameTime, s))
	}
	list := make([]string, len(steps))
	for i, s := range steps {
		var ok bool
		if list[i], ok = decimalString(s); !ok {
			return unsupported(tagTimeVector, "a time that 16 characters cannot state")
		}
	}
	m.e.DeleteTags(tagFrameTime)
	return m.e.Set(dcm.NewBuilder().Text(tagTimeVector, list...).Raw(tagIncrement, "AT", []byte{0x18, 0, 0x65, 0x10}))
}

func (m *maker) pointsAt(tag uint32) bool {
	raw, err := m.e.Bytes(tagIncrement)
	return err == nil && len(raw) == 4 && uint32(raw[1])<<24|uint32(raw[0])<<16|uint32(raw[3])<<8|uint32(raw[2]) == tag
}

// numbers are frame numbers from 1 as text.
func numbers(frames []int) []string {
	out := make([]string, len(frames))
	for i, n := range frames {
		out[i] = strconv.Itoa(n + 1)
	}
	return out
}
