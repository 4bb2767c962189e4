package synth

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
)

// GenericOptions describes a series of any pixel layout. Zero fields mean: one
// instance of one frame of 64 x 64 pixels, MONOCHROME2, 16 bits, unsigned, Explicit VR Little Endian.
type GenericOptions struct {
	Options
	Name      string // distinguishes series of one seed: UIDs and samples follow from it
	StudyUID  string // "": derived from seed and name
	Number    int    // Series Number; 0 means 1
	Modality  string // "": OT
	Instances int
	Frames    int
	Layout    Layout
	Syntax    string

	Content     Content
	JunkBits    bool   // fill the bits above HighBit with junk, which a reader must not see but a copy must keep
	Surplus     int    // bytes of Pixel Data behind the last frame
	Unpadded    bool   // leave Pixel Data of odd length without its pad byte, as some writers do
	Trailer     []byte // bytes behind the last element, which belong to none
	OffsetTable bool   // with Encode: fill the Basic Offset Table, which holds all codestreams in memory

	// Encode makes the codestream of a frame, for encapsulated syntaxes. It
	// may be called from several goroutines if the instances are written by several.
	Encode func(v codecs.View) ([]byte, error)
	// Edit, if set, changes the header of an instance, counted from 0, before it is encoded.
	Edit func(i int, b *dcm.Builder)
}

// Content is what the samples show.
type Content uint8

const (
	Textured Content = iota // a smooth ramp with noise in its lowest bits: compresses like an image
	Noise                   // all values, equally frequent: does not compress
	Constant                // one value for all samples of a frame
)

// Generic makes a study of one series. Instances of one frame are Secondary
// Captures that dciodvfy finds valid where the layout is one that the standard allows; those of several frames are of the multi-frame classes.
func Generic(g GenericOptions) Study {
	g.fill()
	s := Study{Name: g.Name, Modality: g.Modality, UID: g.StudyUID}
	layout := g.Layout
	texture := sync.OnceValue(func() []byte { return g.texture() })
	series := g.uid("generic series " + g.Name)
	prefix := "generic instance " + g.Name + " "
	s.Instances = make([]Instance, g.Instances)
	for i := range s.Instances {
		x := &s.Instances[i]
		*x = Instance{StudyUID: s.UID, SeriesUID: series, SOPUID: g.uid(fmt.Sprint(prefix, i)), ClassUID: layout.captureClass(g.Frames),
			Syntax: g.Syntax, Series: g.Number, Number: i + 1, Layout: layout, Frames: g.Frames,
			encode: g.Encode, offsets: g.OffsetTable, surplus: g.Surplus, unpadded: g.Unpadded, trailer: g.Trailer}
		x.frame = func(f int, dst []byte) { g.samples(texture(), i*g.Frames+f, dst) }
		x.header = func() *dcm.Builder { return g.header(x, i) }
	}
	return s
}

func (g *GenericOptions) fill() {
	l := &g.Layout
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&l.Rows, 64)
	set(&l.Columns, 64)
	set(&l.Samples, 1)
	set(&l.Allocated, 16)
	set(&l.Stored, l.Allocated)
	set(&l.HighBit, l.Stored-1)
	set(&g.Instances, 1)
	set(&g.Frames, 1)
	set(&g.Number, 1)
	if l.Photometric == "" {
		l.Photometric = "MONOCHROME2"
		if l.Samples == 3 {
			l.Photometric = "RGB"
		}
	}
	if g.Modality == "" {
		g.Modality = "OT"
	}
	if g.Syntax == "" {
		g.Syntax = ExplicitLE
	}
	if g.Name == "" {
		g.Name = "generic"
	}
	if g.StudyUID == "" {
		g.StudyUID = g.uid("generic study " + g.Name)
	}
}

// captureClass is the Secondary Capture class that fits (PS3.4 B.5).
func (l *Layout) captureClass(frames int) string {
	const base = "1.2.840.10008.5.1.4.1.1.7"
	switch {
	case frames == 1:
		return base
	case l.Samples == 3:
		return base + ".4"
	case l.Allocated == 1:
		return base + ".1"
	case l.Allocated == 8:
		return base + ".2"
	}
	return base + ".3"
}

func (g *GenericOptions) header(x *Instance, i int) *dcm.Builder {
	b := dcm.NewBuilder()
	who := subject{charset: utf8, latin: "GENERIC", ideographic: "合成^测试", id: g.id("GEN"), sex: "O", born: "19700101", date: "20250315",
		institution: "合成测试医院", study: "GENERIC"}
	g.general(b, x, who, g.Modality)
	g.Layout.pixels(b)
	b.Text(0x00080008, "DERIVED", "SECONDARY").
		Text(0x00080064, "WSD").
		Text(0x0008103E, g.Name).
		Text(0x00180015, "CHEST").
		Text(0x00200020, "").
		Text(0x00280301, "NO")
	if g.Layout.Photometric == "PALETTE COLOR" {
		palette(b)
	}
	if x.Frames > 1 {
		b.Ints(0x00280008, x.Frames).
			Ints(0x00280009, 0x00181063).
			Floats(0x00181063, 40)
		if g.Layout.Samples == 1 {
			b.Floats(0x00281052, 0).Floats(0x00281053, 1).Text(0x00281054, "US").Text(0x20500020, "IDENTITY")
		}
	}
	if g.Edit != nil {
		g.Edit(i, b)
	}
	return b
}

// palette sets a palette of 256 entries of 16 bits, from blue over green to red.
func palette(b *dcm.Builder) {
	for c := range 3 {
		var p []byte
		for v := range 256 {
			level := [...]int{max(0, 2*v-255), 255 - max(2*v-255, 255-2*v), max(0, 255-2*v)}[c]
			p = binary.LittleEndian.AppendUint16(p, uint16(level*257))
		}
		b.Ints(0x00281101+uint32(c), 256, 0, 16).Raw(0x00281201+uint32(c), "OW", p)
	}
}

// texture is what frames are cut from: the bytes of one frame and a step
// more, so that every frame starts elsewhere in it and costs a copy, whatever its size.
func (g *GenericOptions) texture() []byte {
	l := &g.Layout
	r := g.random("generic texture " + g.Name)
	words := l.Rows*l.Columns*l.Samples + textureSteps
	if l.Allocated == 1 {
		p := make([]byte, l.FrameBytes()+textureSteps)
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		return p
	}
	unit := l.Allocated / 8
	p := make([]byte, words*unit)
	mask := uint64(1)<<l.Stored - 1
	up := l.HighBit - l.Stored + 1
	grain := max(1, l.Stored/3)
	row := max(1, l.Columns*l.Samples)
	for i := range words {
		var v uint64
		switch g.Content {
		case Noise:
			v = r.Uint64() & mask
		case Textured:
			v = uint64(i/row+i%row) << max(0, l.Stored-bits.Len(uint(l.Rows+row))-1)
			v = (v + r.Uint64N(1<<grain)) & mask
		}
		if l.Signed && v>>(l.Stored-1) == 1 {
			v |= ^mask // the sign fills the word, as writers do
		}
		v <<= up
		if l.HighBit < l.Allocated-1 && g.JunkBits {
			low := uint64(1)<<(l.HighBit+1) - 1
			v = v&low | r.Uint64()&^low
		}
		for k := range unit {
			p[i*unit+k] = byte(v >> (8 * k))
		}
	}
	return p
}

// textureSteps is how many frames differ before one repeats.
const textureSteps = 1 << 16

func (g *GenericOptions) samples(texture []byte, frame int, dst []byte) {
	l := &g.Layout
	if g.Content == Constant {
		clear(dst)
		v := uint32(frame) & (1<<min(l.Stored, 31) - 1) << (l.HighBit - l.Stored + 1)
		for i := 0; l.Allocated >= 8 && i+l.Allocated/8 <= len(dst); i += l.Allocated / 8 {
			for k := range min(4, l.Allocated/8) {
				dst[i+k] = byte(v >> (8 * k))
			}
		}
		return
	}
	unit := max(1, l.Allocated/8)
	copy(dst, texture[frame*7919%textureSteps*unit:])
}

// ManyInstances makes a study of n small instances (64 x 64, 16 bits), for tests of what grows with their number.
func ManyInstances(o Options, n int) Study {
	return Generic(GenericOptions{Options: o, Name: "many instances", Instances: n})
}

// HugeMultiframe makes one multi-frame instance of at least size bytes of pixel data, in frames of 512 x 512 x 16 bits. Written with WriteTo, it takes the memory of two frames.
func HugeMultiframe(o Options, size int64) Study {
	const frame = 512 * 512 * 2
	return Generic(GenericOptions{Options: o, Name: "huge multiframe", Frames: int((size + frame - 1) / frame),
		Layout: Layout{Rows: 512, Columns: 512, Stored: 12}})
}
