package synth

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
)

// Transfer Syntax UIDs (PS3.6 Annex A).
const (
	ImplicitLE = "1.2.840.10008.1.2"
	ExplicitLE = "1.2.840.10008.1.2.1"
	Deflated   = "1.2.840.10008.1.2.1.99"
	ExplicitBE = "1.2.840.10008.1.2.2"
)

// Study is a synthetic study.
type Study struct {
	Name      string // for people, such as "chest CT"
	Modality  string
	UID       string
	Instances []Instance // in the order of series and slices
	Lesion    *Lesion    // nil if there is none
}

// Lesion is where the one lesion of a study is.
type Lesion struct {
	SeriesUID string
	FrameUID  string     // Frame of Reference UID
	Center    [3]float64 // patient coordinates in mm
	Radius    float64    // mm
	SOPUIDs   []string   // the slices that show it, in order of position
}

// Annotation is the lesion of the study as a JSON annotation (docs/annotation-format.md), final and complete, of a person; nil if there is none.
func (s *Study) Annotation() []byte {
	l := s.Lesion
	if l == nil {
		return nil
	}
	return fmt.Appendf(nil, `{
  "schema": "annotation/1",
  "study_uid": %q,
  "document_id": "synthetic:%s",
  "revision": 1,
  "system": "radtier demo",
  "created": "2026-01-05T09:00:00Z",
  "status": "final",
  "author": "person",
  "complete": true,
  "no_lesion": false,
  "lesions": [
    {
      "id": "L1",
      "codes": [{"value": "27925004", "scheme": "SCT", "meaning": "Nodule"}],
      "review": "confirmed",
      "regions": [
        {"type": "points3d", "for_uid": %q, "points": [[%g, %g, %g]], "radius_mm": %g}
      ]
    }
  ]
}
`, s.UID, strings.ReplaceAll(s.Name, " ", "-"), l.FrameUID, l.Center[0], l.Center[1], l.Center[2], l.Radius)
}

// Bytes is the size of all pixel data, as native samples.
func (s *Study) Bytes() int64 {
	var n int64
	for i := range s.Instances {
		n += s.Instances[i].PixelBytes()
	}
	return n
}

// WriteTo writes every instance to dir, which is made if need be, as files
// named by series and number. It returns the number of files and their bytes.
func (s *Study) WriteTo(dir string) (files int, size int64, err error) {
	for i := range s.Instances {
		n, err := s.Instances[i].writeFile(filepath.Join(dir, s.Instances[i].FileName()))
		if err != nil {
			return files, size, fmt.Errorf("synth: write %s: %w", s.Instances[i].SOPUID, err)
		}
		files, size = files+1, size+n
	}
	return files, size, nil
}

// Instance is one object, made when it is written.
type Instance struct {
	StudyUID, SeriesUID, SOPUID, ClassUID string
	Syntax                                string // Transfer Syntax UID
	Series, Number                        int    // Series Number, Instance Number
	Layout                                Layout
	Frames                                int

	header   func() *dcm.Builder                 // everything but Pixel Data
	frame    func(i int, dst []byte)             // fills one native frame, little endian
	encode   func(v codecs.View) ([]byte, error) // for encapsulated syntaxes
	offsets  bool                                // write a Basic Offset Table
	surplus  int                                 // bytes of Pixel Data behind the last frame
	unpadded bool                                // leave an odd Pixel Data odd
	trailer  []byte                              // behind the last element
}

// Layout is how the samples of a frame lie in native Pixel Data (PS3.3 C.7.6.3).
type Layout struct {
	Rows, Columns int
	Samples       int // per pixel, 1 or 3
	Allocated     int // bits of a word: 1, 8, 16 or 32
	Stored        int // significant bits, up to HighBit
	HighBit       int
	Signed        bool
	Planar        int // Planar Configuration
	Photometric   string
}

// FrameBytes is the size of one native frame, rounded up to whole bytes.
func (l *Layout) FrameBytes() int { return (l.Rows*l.Columns*l.Samples*l.Allocated + 7) / 8 }

// PixelBytes is the size of the instance's pixel data as native samples, without padding.
func (x *Instance) PixelBytes() int64 {
	bits := int64(x.Layout.Rows) * int64(x.Layout.Columns) * int64(x.Layout.Samples) * int64(x.Layout.Allocated)
	return (bits*int64(x.Frames) + 7) / 8
}

// FileName is where WriteTo puts the instance.
func (x *Instance) FileName() string { return fmt.Sprintf("s%03d/i%05d.dcm", x.Series, x.Number) }

// Frame returns the native little endian samples of a frame, counted from 0.
func (x *Instance) Frame(i int) []byte {
	dst := make([]byte, x.Layout.FrameBytes())
	x.frame(i, dst)
	return dst
}

// Bytes returns the instance as a Part 10 file.
func (x *Instance) Bytes() ([]byte, error) {
	var b bytes.Buffer
	if x.encode == nil {
		b.Grow(int(x.PixelBytes()) + 4096)
	}
	_, err := x.WriteTo(&b)
	return b.Bytes(), err
}

func (x *Instance) writeFile(path string) (n int64, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return 0, err
	}
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	if n, err = x.WriteTo(w); err == nil {
		err = w.Flush()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return n, err
}

// WriteTo writes the instance as a Part 10 file, one frame at a time. It implements [io.WriterTo].
func (x *Instance) WriteTo(w io.Writer) (int64, error) {
	c := &counter{w: w}
	err := x.write(c)
	return c.n, err
}

func (x *Instance) write(w *counter) error {
	b := x.header()
	if x.Syntax == Deflated {
		var px bytes.Buffer
		if err := x.native(&px, false); err != nil {
			return err
		}
		b.Native(px.Bytes())
	}
	head, err := b.File(x.Syntax)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil || x.Syntax == Deflated {
		return err
	}
	if x.encode != nil {
		err = x.encapsulated(w)
	} else {
		err = x.nativeElement(w)
	}
	if err == nil && len(x.trailer) > 0 {
		_, err = w.Write(x.trailer)
	}
	return err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// nativeElement writes Pixel Data with its element header. Its length is known beforehand.
func (x *Instance) nativeElement(w io.Writer) error {
	n := x.PixelBytes() + int64(x.surplus)
	pad := n%2 == 1 && !x.unpadded
	if pad {
		n++
	}
	if n >= 1<<32-1 {
		return fmt.Errorf("synth: native pixel data of %d bytes, at most %d fit", n, uint32(1<<32-2))
	}
	vr := "OB"
	if x.Layout.Allocated > 8 {
		vr = "OW"
	}
	if _, err := w.Write(elementHeader(x.Syntax, vr, uint32(n))); err != nil {
		return err
	}
	if err := x.native(w, x.Syntax == ExplicitBE); err != nil {
		return err
	}
	// What lies behind the last frame is not zero, so that losing it shows.
	tail := bytes.Repeat([]byte{0xA5}, x.surplus)
	if pad {
		tail = append(tail, 0)
	}
	_, err := w.Write(tail)
	return err
}

func elementHeader(syntax, vr string, length uint32) []byte {
	switch syntax {
	case ImplicitLE:
		return binary.LittleEndian.AppendUint32([]byte{0xE0, 0x7F, 0x10, 0}, length)
	case ExplicitBE:
		return binary.BigEndian.AppendUint32([]byte{0x7F, 0xE0, 0, 0x10, vr[0], vr[1], 0, 0}, length)
	}
	return binary.LittleEndian.AppendUint32([]byte{0xE0, 0x7F, 0x10, 0, vr[0], vr[1], 0, 0}, length)
}

// native writes all frames. Frames of single bits run on without padding (PS3.5 8.1.1).
func (x *Instance) native(w io.Writer, bigEndian bool) error {
	if x.Layout.Allocated == 1 {
		return x.nativeBits(w)
	}
	buf := make([]byte, x.Layout.FrameBytes())
	for i := range x.Frames {
		x.frame(i, buf)
		if bigEndian {
			swap(buf, x.Layout.Allocated/8)
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

func swap(p []byte, unit int) {
	if unit < 2 {
		return
	}
	for ; len(p) >= unit; p = p[unit:] {
		for i, j := 0, unit-1; i < j; i, j = i+1, j-1 {
			p[i], p[j] = p[j], p[i]
		}
	}
}

func (x *Instance) nativeBits(w io.Writer) error {
	out := make([]byte, x.PixelBytes())
	per := x.Layout.Rows * x.Layout.Columns * x.Layout.Samples
	buf := make([]byte, x.Layout.FrameBytes())
	at := 0
	for i := range x.Frames {
		x.frame(i, buf)
		for k := range per {
			out[at>>3] |= buf[k>>3] >> (k & 7) & 1 << (at & 7)
			at++
		}
	}
	_, err := w.Write(out)
	return err
}

// View is the view of a native frame, for codecs; 8 or 16 bits allocated only.
func (l *Layout) View(frame []byte) codecs.View {
	if l.Planar == 1 && l.Samples > 1 {
		return codecs.Planar(frame, l.Columns, l.Rows, l.Samples, l.Allocated, l.Stored, l.Signed)
	}
	return codecs.Interleaved(frame, l.Columns, l.Rows, l.Samples, l.Allocated, l.Stored, l.Signed)
}

// encapsulated writes one fragment per frame (PS3.5 A.4). With an offset table all of them are held at once.
func (x *Instance) encapsulated(w io.Writer) error {
	buf := make([]byte, x.Layout.FrameBytes())
	next := func(i int) ([]byte, error) {
		x.frame(i, buf)
		data, err := x.encode(x.Layout.View(buf))
		if err != nil {
			return nil, fmt.Errorf("frame %d: %w", i+1, err)
		}
		if len(data)%2 == 1 {
			data = append(data, 0)
		}
		return data, nil
	}
	if _, err := w.Write(elementHeader(ExplicitLE, "OB", 1<<32-1)); err != nil {
		return err
	}
	var table []byte
	var held [][]byte
	if x.offsets {
		at := 0
		for i := range x.Frames {
			data, err := next(i)
			if err != nil {
				return err
			}
			table = binary.LittleEndian.AppendUint32(table, uint32(at))
			at += 8 + len(data)
			held = append(held, bytes.Clone(data))
		}
	}
	if err := writeItem(w, table); err != nil {
		return err
	}
	for i := range x.Frames {
		var data []byte
		var err error
		if x.offsets {
			data = held[i]
		} else if data, err = next(i); err != nil {
			return err
		}
		if err := writeItem(w, data); err != nil {
			return err
		}
	}
	_, err := w.Write([]byte{0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0})
	return err
}

func writeItem(w io.Writer, data []byte) error {
	if _, err := w.Write(binary.LittleEndian.AppendUint32([]byte{0xFE, 0xFF, 0x00, 0xE0}, uint32(len(data)))); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}
