package preview

import (
	"slices"

	"github.com/radtier/radtier/internal/pack"
)

// Limits of an index, for readers of hostile bytes.
const (
	mostBody    = 256 << 20 // bytes decompressed
	mostMemory  = 512 << 20 // bytes of all records of one kind
	mostRecords = 1 << 20   // of any kind
	mostOffset  = 1 << 50
	mostSide    = 65535
	mostHeader  = 1 << 16 // bytes of a main header
)

// walk writes or reads the body. Columns of instances run over all series, columns of frames over all instances.
func (x *Index) walk(c *columns) {
	text(c, "study", 2, func(i int) *string { return []*string{&x.StudyUID, &x.Writer}[i] })
	n := count(c, "volumes", &x.Volumes, 33, mostRecords)
	text(c, "volume key", n, func(i int) *string { return &x.Volumes[i].Key })
	digests(c, "volume SHA-256", n, func(i int) *pack.Digest { return &x.Volumes[i].SHA256 })
	x.walkImages(c)
	x.walkDisplays(c)
	x.walkPlanes(c)
	x.walkTables(c)

	n = count(c, "series", &x.Series, 6, mostRecords)
	text(c, "series UID", n, func(i int) *string { return &x.Series[i].UID })
	text(c, "modality", n, func(i int) *string { return &x.Series[i].Modality })
	delta(c, "series number", n, -1<<31, 1<<31, func(i int) *int { return &x.Series[i].Number })
	plain(c, "side", n, 1<<20, func(i int) *int { return &x.Series[i].Side })
	plain(c, "full bytes", n, mostOffset, func(i int) *int64 { return &x.Series[i].FullBytes })
	lengths(c, "instances", n, 8, mostRecords, func(i int) *[]Instance { return &x.Series[i].Instances })

	var list []*Instance
	for i := range x.Series {
		for k := range x.Series[i].Instances {
			list = append(list, &x.Series[i].Instances[k])
		}
	}
	n = len(list)
	text(c, "SOP Instance UID", n, func(i int) *string { return &list[i].SOPUID })
	text(c, "SOP Class UID", n, func(i int) *string { return &list[i].ClassUID })
	delta(c, "instance number", n, -1<<31, 1<<31, func(i int) *int { return &list[i].Number })
	delta(c, "volume", n, 0, int64(len(x.Volumes))-1, func(i int) *int { return &list[i].Volume })
	delta(c, "index in volume", n, 0, mostRecords, func(i int) *int { return &list[i].Index })
	delta(c, "image", n, 0, int64(len(x.Images))-1, func(i int) *int { return &list[i].Image })
	flags(c, "instance flags", n, func(i int) []*bool { return []*bool{&list[i].PHIRisk} })
	lengths(c, "frames", n, 15, mostRecords, func(i int) *[]Frame { return &list[i].Frames })
	var frames []*Frame
	for _, in := range list {
		for k := range in.Frames {
			frames = append(frames, &in.Frames[k])
		}
	}
	x.walkFrames(c, frames)
}

func (x *Index) walkFrames(c *columns, f []*Frame) {
	n := len(f)
	plain(c, "method", n, int64(Picked), func(i int) *uint8 { return (*uint8)(&f[i].Method) })
	plain(c, "size", n, mostOffset, func(i int) *int64 { return &f[i].Size })
	// A codestream begins where the one before ends, but for the first of an entry: gaps are small numbers.
	gaps := make([]int64, n)
	if !c.reading {
		var end int64
		for i, p := range f {
			if p.Size > 0 {
				gaps[i], end = p.Offset-end, p.Offset+p.Size
			}
		}
	}
	plain(c, "gap", n, mostOffset, func(i int) *int64 { return &gaps[i] })
	if c.reading {
		var end int64
		for i, p := range f {
			if p.Size > 0 {
				p.Offset = end + gaps[i]
				end = p.Offset + p.Size
			}
			if end > mostOffset {
				c.fail("offset out of range")
				return
			}
		}
	}
	plain(c, "factor", n, mostSide, func(i int) *int { return &f[i].Factor })
	delta(c, "width", n, 0, mostSide, func(i int) *int { return &f[i].Width })
	delta(c, "height", n, 0, mostSide, func(i int) *int { return &f[i].Height })
	text(c, "reason", n, func(i int) *string { return &f[i].Reason })
	delta(c, "display", n, 0, int64(len(x.Displays))-1, func(i int) *int { return &f[i].Display })
	delta(c, "plane", n, -1, int64(len(x.Planes))-1, func(i int) *int { return &f[i].Plane })
	flags(c, "frame flags", n, func(i int) []*bool { return []*bool{&f[i].Placed, &f[i].Scaled} })
	var placed, scaled, made []*Frame
	for _, p := range f {
		if p.Placed {
			placed = append(placed, p)
		}
		if p.Scaled {
			scaled = append(scaled, p)
		}
		if p.Size > 0 {
			made = append(made, p)
		}
	}
	for axis := range 3 {
		real(c, "position", len(placed), func(i int) *float64 { return &placed[i].Position[axis] })
	}
	real(c, "scale", len(scaled), func(i int) *float64 { return &scaled[i].Scale })
	real(c, "base", len(scaled), func(i int) *float64 { return &scaled[i].Base })
	delta(c, "full offset", n, 0, mostOffset, func(i int) *int64 { return &f[i].Full[0] })
	delta(c, "full size", n, 0, mostOffset, func(i int) *int64 { return &f[i].Full[1] })
	lengths(c, "levels", n, 1, 33, func(i int) *[]int64 { return &f[i].LevelEnds })
	for _, p := range f {
		delta(c, "level ends", len(p.LevelEnds), 0, p.Full[1], func(i int) *int64 { return &p.LevelEnds[i] })
	}
	walkHeaders(c, f)
	digests(c, "SHA-256", len(made), func(i int) *pack.Digest { return &made[i].SHA256 })
}

// walkHeaders has the main headers one after another, each XORed with the one before as far as that goes: in a series they differ in few bytes.
func walkHeaders(c *columns, f []*Frame) {
	lengths(c, "main header", len(f), 1, mostHeader, func(i int) *[]byte { return &f[i].Header })
	var last []byte
	var with []*Frame
	for _, p := range f {
		n := len(p.Header)
		if n == 0 {
			continue
		}
		with = append(with, p)
		at := len(c.b)
		if c.reading {
			if n > len(c.b) {
				c.fail("body ends")
				return
			}
			copy(p.Header, c.b)
			c.b = c.b[n:]
			xor(p.Header, last)
		} else {
			c.b = append(c.b, p.Header...)
			xor(c.b[at:], last)
		}
		last = p.Header
	}
	plain(c, "tile-parts", len(with), 255, func(i int) *int { return &with[i].Parts })
}

func xor(p, q []byte) {
	for i := range min(len(p), len(q)) {
		p[i] ^= q[i]
	}
}

func (x *Index) walkImages(c *columns) {
	n := count(c, "images", &x.Images, 7, mostRecords)
	at := func(field func(m *Image) *int) func(int) *int {
		return func(i int) *int { return field(&x.Images[i]) }
	}
	plain(c, "rows", n, mostSide, at(func(m *Image) *int { return &m.Rows }))
	plain(c, "columns", n, mostSide, at(func(m *Image) *int { return &m.Columns }))
	plain(c, "samples", n, 4, at(func(m *Image) *int { return &m.Samples }))
	plain(c, "bits", n, 64, at(func(m *Image) *int { return &m.Bits }))
	flags(c, "image flags", n, func(i int) []*bool { return []*bool{&x.Images[i].Signed} })
	text(c, "photometric interpretation", n, func(i int) *string { return &x.Images[i].Photometric })
}

func (x *Index) walkDisplays(c *columns) {
	n := count(c, "displays", &x.Displays, 21, mostRecords)
	d := func(i int) *Display { return &x.Displays[i] }
	flags(c, "display flags", n, func(i int) []*bool { return []*bool{&d(i).Rescaled, &d(i).Inverse, &d(i).Padded} })
	real(c, "slope", n, func(i int) *float64 { return &d(i).Slope })
	real(c, "intercept", n, func(i int) *float64 { return &d(i).Intercept })
	text(c, "rescale type", n, func(i int) *string { return &d(i).RescaleType })
	for k := range 2 {
		delta(c, "padding", n, -1<<32, 1<<32, func(i int) *int { return &d(i).Padding[k] })
	}
	lengths(c, "windows", n, 18, 1<<10, func(i int) *[]Window { return &d(i).Windows })
	lengths(c, "tables of a display", n, 1, 1<<10, func(i int) *[]int { return &d(i).Tables })
	var windows []*Window
	var tables []*int
	for i := range x.Displays {
		for k := range d(i).Windows {
			windows = append(windows, &d(i).Windows[k])
		}
		for k := range d(i).Tables {
			tables = append(tables, &d(i).Tables[k])
		}
	}
	real(c, "window center", len(windows), func(i int) *float64 { return &windows[i].Center })
	real(c, "window width", len(windows), func(i int) *float64 { return &windows[i].Width })
	text(c, "window function", len(windows), func(i int) *string { return &windows[i].Function })
	delta(c, "table number", len(tables), 0, mostRecords, func(i int) *int { return tables[i] })
}

func (x *Index) walkPlanes(c *columns) {
	n := count(c, "planes", &x.Planes, 76, mostRecords)
	p := func(i int) *Plane { return &x.Planes[i] }
	text(c, "frame of reference", n, func(i int) *string { return &p(i).FrameOfReference })
	flags(c, "plane flags", n, func(i int) []*bool { return []*bool{&p(i).Oriented} })
	for k := range 6 {
		real(c, "orientation", n, func(i int) *float64 { return &p(i).Orientation[k] })
	}
	for k := range 2 {
		real(c, "spacing", n, func(i int) *float64 { return &p(i).Spacing[k] })
	}
	plain(c, "spacing of", n, 1<<32-1, func(i int) *uint32 { return &p(i).SpacingOf })
	real(c, "thickness", n, func(i int) *float64 { return &p(i).Thickness })
}

func (x *Index) walkTables(c *columns) {
	n := count(c, "tables", &x.Tables, 6, mostRecords)
	t := func(i int) *Table { return &x.Tables[i] }
	plain(c, "table kind", n, int64(tableKinds)-1, func(i int) *uint8 { return (*uint8)(&t(i).Kind) })
	flags(c, "table flags", n, func(i int) []*bool { return []*bool{&t(i).Segmented, &t(i).Bytes} })
	for k := range 3 {
		delta(c, "descriptor", n, -1<<31, 1<<31, func(i int) *int { return &t(i).Descriptor[k] })
	}
	lengths(c, "entries", n, 1, 1<<20, func(i int) *[]uint16 { return &t(i).Data })
	for i := range x.Tables {
		data := t(i).Data
		plain(c, "entry", len(data), 1<<16-1, func(k int) *uint16 { return &data[k] })
	}
}

// check reports the first broken rule that readers rely on beside those of the columns.
func (x *Index) check() error {
	bad := func(what string) error {
		return &pack.MalformedError{What: "preview index: " + what, Offset: -1}
	}
	for i := range x.Displays {
		for _, t := range x.Displays[i].Tables {
			if t < 0 || t >= len(x.Tables) {
				return bad("table that is not there")
			}
		}
	}
	for i := range x.Series {
		for k := range x.Series[i].Instances {
			for n := range x.Series[i].Instances[k].Frames {
				f := &x.Series[i].Instances[k].Frames[n]
				switch {
				case (f.Size > 0) != (f.Method != None):
					return bad("method of a frame without codestream, or none of one with it")
				case f.Size > 0 && (f.Width < 1 || f.Height < 1):
					return bad("small codestream without size")
				case f.Full[0]+f.Full[1] > mostOffset:
					return bad("range of a full frame")
				case !slices.IsSorted(f.LevelEnds):
					return bad("level ends")
				case f.Method == Reduced && (f.Factor >= len(f.LevelEnds)):
					return bad("levels that are not there")
				case len(f.Header) > 0 && f.Method != Reduced:
					return bad("main header of a frame that was not reduced")
				}
			}
		}
	}
	return nil
}
