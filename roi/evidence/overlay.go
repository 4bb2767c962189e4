package evidence

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/radtier/radtier/internal/dcm"
)

// overlays are at most this many planes of an image (PS3.5 7.6: groups 6000 to 601E).
const overlays = 16

// HasOverlays reports whether an image has overlay planes.
func HasOverlays(f *dcm.File) bool {
	for i := range f.Elements {
		if t := f.Elements[i].Tag; t>>16 >= 0x6000 && t>>16 <= 0x601E && t>>16&1 == 0 {
			return true
		}
	}
	return false
}

// ReadOverlays reads the overlay planes of an image (PS3.3 C.9.2): planes of type ROI are findings; graphics are mostly text and scales, and
// listed. nil if there are none.
func ReadOverlays(r io.ReaderAt, f *dcm.File, ds *dcm.Dataset, lim Limits) *Document {
	lim = lim.withDefaults()
	d := &Document{Kind: KindOverlay, StudyUID: f.StudyUID, SeriesUID: f.SeriesUID, SOPUID: f.SOPUID, ClassUID: f.ClassUID, Final: true}
	for n := range uint32(overlays) {
		g := 0x60000000 + n<<17
		if !ds.Has(g|0x0010) && !ds.Has(g|0x3000) && !ds.Has(g|0x0040) {
			continue
		}
		item := fmt.Sprintf("overlay %04X", g>>16)
		switch kind := ds.String(g | 0x0040); kind {
		case "G":
			d.Excluded = append(d.Excluded, Excluded{Item: item, Reason: "graphics"})
		case "R":
			f2 := Finding{Item: item}
			why := readPlane(&f2, r, f, ds, g, lim)
			if why != "" {
				d.Problems = append(d.Problems, Problem{item, g | 0x3000, why})
			}
			if len(f2.Marks) > 0 {
				d.Findings = append(d.Findings, f2)
			} else if why == "" {
				d.Excluded = append(d.Excluded, Excluded{Item: item, Reason: "a region without a set pixel"})
			}
		default:
			d.Excluded = append(d.Excluded, Excluded{Item: item, Reason: "a type that is not known", Blocks: true})
		}
	}
	if len(d.Excluded)+len(d.Findings)+len(d.Problems) == 0 {
		return nil
	}
	return d
}

// readPlane reads a plane of type ROI, frame by frame.
func readPlane(out *Finding, r io.ReaderAt, f *dcm.File, ds *dcm.Dataset, g uint32, lim Limits) (why string) {
	rows, columns := int1(ds, g|0x0010), int1(ds, g|0x0011)
	origin := ds.Ints(g | 0x0050)
	if len(origin) == 0 {
		origin = []int{1, 1}
	}
	frames, firstFrame := max(int1(ds, g|0x0015), 1), max(int1(ds, g|0x0051), 1)
	if rows < 1 || columns < 1 || len(origin) != 2 || frames > lim.Items || int64(rows)*int64(columns)*int64(frames) > 8*lim.Bytes {
		return fmt.Sprintf("%d frames of %d rows and %d columns", frames, rows, columns)
	}
	data := ds.Bytes(g | 0x3000)
	embedded := data == nil && ds.Length(g|0x3000) < 0
	bits := rows * columns
	switch {
	case embedded && !f.OverlayInPixels():
		return "no overlay data"
	case embedded && (f.Pixel == nil || f.Pixel.Encapsulated || f.Image == nil || f.Image.BitsAllocated != 16 || rows != f.Image.Rows || columns != f.Image.Columns || f.Image.Samples != 1):
		return "overlay data in pixel data that cannot be read here"
	case !embedded && int64(len(data))*8 < int64(bits)*int64(frames):
		return fmt.Sprintf("overlay data of %d bytes for %d frames of %d bits", len(data), frames, bits)
	}
	if embedded {
		frames, firstFrame = f.Image.Frames, 1
	}
	vr := ds.VR(g | 0x3000)
	swapped := f.PixelBigEndian() && string(vr[:]) == "OW"
	m := newMasks(rows)
	for n := range frames {
		m.reset()
		if embedded {
			plane, err := embeddedPlane(r, f, ds, g, n)
			if err != nil {
				return "pixel data cannot be read"
			}
			m.bytes(plane, rows, columns)
		} else {
			part := data
			if swapped {
				part = swapWords(data)
			}
			from := n * bits
			m.bits(part[from>>3:], uint(from&7), rows, columns)
		}
		if len(m.seen) == 0 {
			continue
		}
		s := m.shape(1)
		for i := range s.P { // origin is row\column of the plane's first pixel, from 1; it may lie outside of the image
			s.P[i].X += float64(origin[1] - 1)
			s.P[i].Y += float64(origin[0] - 1)
		}
		im := &Image{StudyUID: f.StudyUID, SeriesUID: f.SeriesUID, SOPUID: f.SOPUID, ClassUID: f.ClassUID}
		if f.Image != nil && f.Image.Frames > 1 {
			if frames > 1 || ds.Has(g|0x0051) {
				im.Frames = []int{firstFrame + n}
			}
		}
		out.Marks = append(out.Marks, Mark{Image: im, Shape: s})
	}
	return ""
}

// embeddedPlane takes the overlay's bit out of every word of a frame (retired, PS3.5 8.1.2): a byte for each pixel.
func embeddedPlane(r io.ReaderAt, f *dcm.File, ds *dcm.Dataset, g uint32, frame int) ([]byte, error) {
	if data := f.Inflated(); data != nil {
		r = dcm.Bytes(data)
	}
	n := f.Image.Rows * f.Image.Columns
	words := make([]byte, 2*n)
	if _, err := r.ReadAt(words, f.Pixel.ValueOffset+int64(frame)*int64(2*n)); err != nil && err != io.EOF {
		return nil, err
	}
	position := uint(int1(ds, g|0x0102)) & 15
	plane := make([]byte, n)
	for i := range plane {
		w := binary.LittleEndian.Uint16(words[2*i:])
		if f.PixelBigEndian() {
			w = binary.BigEndian.Uint16(words[2*i:])
		}
		plane[i] = byte(w >> position & 1)
	}
	return plane, nil
}

func swapWords(p []byte) []byte {
	out := make([]byte, len(p))
	for i := 0; i+1 < len(p); i += 2 {
		out[i], out[i+1] = p[i+1], p[i]
	}
	return out
}
