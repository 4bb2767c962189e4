package crop

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/roi/space"
)

// Check proves a derived instance of size bytes in made against its source: UIDs,
// samples, places in the patient, overlays, references, and that no other
// element differs than a crop may change. It shares no code with what [Make] computes and writes; frame is as for Make. What
// is wrong is a *[CheckError].
func Check(r io.ReaderAt, f *dcm.File, made io.ReaderAt, size int64, spec Spec, frame func(i int) (codecs.View, error)) error {
	if f.Image == nil || f.Pixel == nil {
		return wrong("the source has no pixel data")
	}
	g, err := dcm.Scan(made, size, dcm.Limits{})
	if err != nil {
		return wrong("it cannot be read: %v", err)
	}
	c := &checker{r: r, made: made, f: f, g: g, spec: spec}
	c.frames = spec.Frames
	if c.frames == nil {
		for n := range f.Image.Frames {
			c.frames = append(c.frames, n+1)
		}
	}
	limits := dcm.Limits{MaxValue: 64 << 20}
	if f.SOPUID == g.SOPUID || f.SeriesUID == g.SeriesUID {
		return wrong("it has a UID of its source")
	}
	if c.src, err = dcm.ReadDataset(r, f, limits); err != nil {
		return fmt.Errorf("crop: source: %w", err)
	}
	if c.out, err = dcm.ReadDataset(made, g, limits); err != nil {
		return wrong("its values cannot be read: %v", err)
	}
	c.groupsA, c.groupsB = readGroups(c.src), readGroups(c.out)
	for _, step := range []func() error{c.identity, c.image, c.geometry, c.references, c.overlays, c.others, c.clean} {
		if err := step(); err != nil {
			return err
		}
	}
	return c.samples(frame)
}

type checker struct {
	r, made  io.ReaderAt
	f, g     *dcm.File
	spec     Spec
	frames   []int // from 1
	src, out *dcm.Dataset
	groupsA  groups // of the source
	groupsB  groups
}

// groups are the functional groups of a data set, read once.
type groups struct{ shared, frames []*dcm.Dataset }

func readGroups(d *dcm.Dataset) groups { return groups{d.Items(0x52009229), d.Items(0x52009230)} }

func (c *checker) identity() error {
	f, g := c.f, c.g
	switch {
	case g.Syntax != "1.2.840.10008.1.2.1" || g.Mislabelled || g.Unterminated || g.Trailing != 0:
		return wrong("it is no clean file in Explicit VR Little Endian")
	case g.SOPUID != InstanceUID(f.SOPUID, c.spec):
		return wrong("SOP Instance UID %s", g.SOPUID)
	case g.SeriesUID != SeriesUID(f.SeriesUID, c.spec.Rect, c.spec.Rules):
		return wrong("Series Instance UID %s", g.SeriesUID)
	case g.StudyUID != f.StudyUID || g.ClassUID != f.ClassUID || g.PatientKey != f.PatientKey || g.Modality != f.Modality:
		return wrong("another study, SOP Class, patient or modality")
	}
	for _, e := range g.Meta {
		want := map[uint32]string{0x00020002: g.ClassUID, 0x00020003: g.SOPUID}[e.Tag]
		if want == "" {
			continue
		}
		b := make([]byte, e.Length)
		if _, err := c.made.ReadAt(b, e.ValueOffset); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for len(b) > 0 && b[len(b)-1] == 0 {
			b = b[:len(b)-1]
		}
		if string(b) != want {
			return wrong("the meta group names another instance")
		}
	}
	if t := c.out.Strings(0x00080008); len(t) < 2 || t[0] != "DERIVED" {
		return wrong("Image Type does not say DERIVED")
	}
	return nil
}

func (c *checker) image() error {
	a, b, r := c.f.Image, c.g.Image, c.spec.Rect
	switch {
	case b == nil || c.g.Pixel == nil || c.g.Pixel.Encapsulated || c.g.Pixel.FrameProblem != "" || c.g.Surplus() > 1:
		return wrong("its pixel data are not whole native frames")
	case b.Rows != r.H || b.Columns != r.W || b.Frames != len(c.frames):
		return wrong("%d frames of %d x %d", b.Frames, b.Columns, b.Rows)
	case a.Samples != b.Samples || a.BitsAllocated != b.BitsAllocated || a.BitsStored != b.BitsStored || a.HighBit != b.HighBit || a.Signed != b.Signed || b.Samples > 1 && b.Planar != 0:
		return wrong("samples of another kind")
	case r.X < 0 || r.Y < 0 || r.X+r.W > a.Columns || r.Y+r.H > a.Rows:
		return wrong("a rectangle outside the source")
	}
	for _, n := range c.frames {
		if n < 1 || n > a.Frames {
			return wrong("a frame outside the source")
		}
	}
	return nil
}

// samples compares every sample, and that words hold nothing else.
func (c *checker) samples(frame func(i int) (codecs.View, error)) error {
	buf := make([]byte, c.g.FrameSize())
	inside := c.embedded()
	for k, n := range c.frames {
		v, err := frame(n - 1)
		if err != nil {
			return fmt.Errorf("crop: frame %d: %w", n, err)
		}
		at := c.g.FrameRanges(k)
		if len(at) != 1 || at[0].Length != int64(len(buf)) {
			return wrong("frame %d is not there", k+1)
		}
		if got, err := c.made.ReadAt(buf, at[0].ValueOffset); got < len(buf) {
			return fmt.Errorf("crop: read derived frame %d: %w", k+1, err)
		}
		w, err := c.g.View(buf)
		if err != nil {
			return wrong("frame %d: %v", k+1, err)
		}
		if v.Width != c.f.Image.Columns || v.Height != c.f.Image.Rows || v.Components != w.Components {
			return wrong("source frame %d has another size", n)
		}
		for y := range c.spec.Rect.H {
			for x := range c.spec.Rect.W {
				for _, o := range inside {
					if wordAt(&v, c.spec.Rect.X+x, c.spec.Rect.Y+y, 0)>>o.bit&1 == 1 != o.plane.at(x, y, k) {
						return wrong("overlay at bit %d differs at frame %d, column %d, row %d", o.bit, k+1, x, y)
					}
				}
				for s := range w.Components {
					a, b := sampleAt(&v, c.spec.Rect.X+x, c.spec.Rect.Y+y, s), sampleAt(&w, x, y, s)
					if a != b {
						return wrong("frame %d, column %d, row %d, sample %d differs from the source", k+1, x, y, s)
					}
					if b != wordAt(&w, x, y, s) {
						return wrong("frame %d, column %d, row %d, sample %d has unused bits that are not its sign", k+1, x, y, s)
					}
				}
			}
		}
	}
	return nil
}

// sampleAt is the value of one sample.
func sampleAt(v *codecs.View, x, y, c int) int {
	n := wordAt(v, x, y, c) & (1<<v.Bits - 1)
	if v.Signed && n>>(v.Bits-1) == 1 {
		n -= 1 << v.Bits
	}
	return n
}

// wordAt is the value of the whole word that a sample is in.
func wordAt(v *codecs.View, x, y, c int) int {
	p := v.Pix[c*v.PlaneStride+y*v.RowStride+x*v.PixelStride:]
	n := int(p[0])
	if v.Container == 16 {
		lo, hi := 0, 1
		if v.BigEndian {
			lo, hi = 1, 0
		}
		n = int(p[lo]) + 256*int(p[hi])
	}
	if v.Signed && n >= 1<<(v.Container-1) {
		n -= 1 << v.Container
	}
	return n
}

// geometry compares where the first and the last sample kept are in the patient.
func (c *checker) geometry() error {
	for k, n := range c.frames {
		a := planesOf(c.src, c.groupsA, n-1, c.f.Image)
		b := planesOf(c.out, c.groupsB, k, c.g.Image)
		if len(a) != len(b) {
			return wrong("frame %d: %d planes in the patient, the source has %d", k+1, len(b), len(a))
		}
		for i := range a {
			p, q := a[i], b[i]
			if p == nil || q == nil {
				if p != q {
					return wrong("frame %d: a plane only in one of the two", k+1)
				}
				continue
			}
			r := c.spec.Rect
			first := p.At(float64(r.X)+0.5, float64(r.Y)+0.5).Sub(q.At(0.5, 0.5))
			last := p.At(float64(r.X+r.W)-0.5, float64(r.Y+r.H)-0.5).Sub(q.At(float64(r.W)-0.5, float64(r.H)-0.5))
			for j := range 3 {
				if math.Abs(first[j]) > 1.001e-6 || math.Abs(last[j]) > 1.001e-6 {
					return wrong("frame %d is moved by %g mm", k+1, max(first.Len(), last.Len()))
				}
			}
		}
	}
	return nil
}

// planesOf are the planes that a data set states for a frame: of the root, of
// its detectors, or of its functional groups. A plane that is none is nil.
func planesOf(d *dcm.Dataset, all groups, frame int, img *dcm.Image) (list []*space.Plane) {
	add := func(ipp, iop, spacing []float64) {
		if p, err := space.NewPlane(ipp, iop, spacing, img.Rows, img.Columns); err == nil {
			list = append(list, &p)
		} else {
			list = append(list, nil)
		}
	}
	if d.Length(0x00200032) > 0 {
		add(d.Floats(0x00200032), d.Floats(0x00200037), d.Floats(0x00280030))
	}
	for _, det := range d.Items(0x00540022) {
		if det.Length(0x00200032) > 0 {
			add(det.Floats(0x00200032), det.Floats(0x00200037), d.Floats(0x00280030))
		}
	}
	if frame < len(all.frames) {
		groups := append([]*dcm.Dataset{all.frames[frame]}, all.shared...)
		find := func(macro, tag uint32) []float64 {
			for _, g := range groups {
				if items := g.Items(macro); len(items) > 0 {
					return items[0].Floats(tag)
				}
			}
			return nil
		}
		add(find(0x00209113, 0x00200032), find(0x00209116, 0x00200037), find(0x00289110, 0x00280030))
	}
	return list
}

// references looks for the source: every frame must name the frame it was cut from.
func (c *checker) references() error {
	root := c.named(c.out)
	for _, g := range c.groupsB.shared {
		for _, d := range g.Items(0x00089124) {
			maps.Copy(root, c.named(d))
		}
	}
	for k, n := range c.frames {
		found := root[n] || root[0] && len(c.frames) == c.f.Image.Frames
		if k < len(c.groupsB.frames) {
			for _, d := range c.groupsB.frames[k].Items(0x00089124) {
				found = found || c.named(d)[n]
			}
		}
		if !found {
			return wrong("frame %d does not name its source", k+1)
		}
	}
	return nil
}

// named are the frames of the source that a data set or item names as cut from; 0 for all of them.
func (c *checker) named(d *dcm.Dataset) map[int]bool {
	frames := map[int]bool{}
	for _, it := range d.Items(0x00082112) {
		if it.String(0x00081155) != c.f.SOPUID || it.String(0x00081150) != c.f.ClassUID || it.String(0x0028135A) != "NO" {
			continue
		}
		if !it.Has(0x00081160) {
			frames[0] = true
		}
		for _, n := range it.Ints(0x00081160) {
			frames[n] = true
		}
	}
	return frames
}
