package codectest

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/radtier/radtier/codecs"
)

// The raw codec stores words as they are behind a header of 12 bytes: "RAW0",
// width, height, components, bits, and a checksum at the end, so that damage
// is noticed. It is right unless bug names one of the faults that mutant_test.go lists.
type raw struct {
	bug   string
	buf   []byte
	used  bool
	calls int
}

const rawName = "raw"

func rawConfig(bug string) Config {
	return Config{
		NewEncoder: func() codecs.Encoder { return &rawEncoder{raw{bug: bug}} },
		NewDecoder: func() codecs.Decoder { return &rawDecoder{raw{bug: bug}} },
		Components: []int{1, 3}, Containers: []int{8, 16}, MinBits: 2, MaxBits: 14, Signed: true,
		Info: func(v codecs.View) codecs.Info {
			return codecs.Info{Width: v.Width, Height: v.Height, Components: v.Components, Bits: v.Container, Lossless: true}
		},
	}
}

type rawEncoder struct{ raw }
type rawDecoder struct{ raw }

func rawSize(v *codecs.View) int {
	return 12 + v.Width*v.Height*v.Components*v.WordBytes() + 4
}

func (e *rawEncoder) MemoryNeeded(v codecs.View) int64 {
	if e.bug == "encoder takes more than it says" {
		return int64(v.Width)
	}
	return int64(rawSize(&v))*9/8 + 8192
}

func (e *rawEncoder) Encode(dst []byte, v codecs.View, opts codecs.EncodeOptions) ([]byte, codecs.Layout, error) {
	if e.bug != "no view check" {
		if err := v.Check(rawName); err != nil {
			return dst, codecs.Layout{}, err
		}
	}
	if (v.Bits < 2 || v.Bits > 14 || v.Components%2 == 0) && e.bug != "takes too much" {
		if e.bug == "writes before refusing" {
			dst = append(dst, "RAW0"...)
		}
		return dst, codecs.Layout{}, &codecs.UnsupportedError{Codec: rawName, What: "this view"}
	}
	out := dst
	if e.bug == "drops prefix" {
		out = dst[:0]
	}
	if cap(out)-len(out) < rawSize(&v) {
		out = append(make([]byte, 0, len(out)+rawSize(&v)), out...)
	}
	if e.bug == "allocates" {
		out = append(make([]byte, 0, len(out)+rawSize(&v)), out...)
	}
	start := len(out)
	e.calls++
	out = append(out, "RAW0"...)
	if e.bug == "not deterministic" {
		out[start+3] = byte('0' + e.calls%2)
	}
	out = binary.LittleEndian.AppendUint16(out, uint16(v.Width))
	out = binary.LittleEndian.AppendUint16(out, uint16(v.Height))
	out = append(out, byte(v.Components), byte(v.Container), 0, 0)
	for y := range v.Height {
		if opts.Context != nil && e.bug != "ignores cancellation" && opts.Context.Err() != nil {
			return dst, codecs.Layout{}, opts.Context.Err()
		}
		for x := range v.Width {
			for c := range v.Components {
				w := word(&v, c, x, y)
				if e.bug != "junk is encoded" {
					w = uint16(extend(uint32(w), v.Bits, v.Signed))
				}
				if e.bug == "loses a bit" && v.Bits == 14 {
					w &^= 1
				}
				if e.bug == "odd widths" && v.Width == 17 && x == 16 {
					w = 0
				}
				if v.Container == 16 {
					out = append(out, byte(w>>8))
				}
				out = append(out, byte(w))
			}
		}
	}
	return binary.LittleEndian.AppendUint32(out, rawSum(out[start:])), codecs.Layout{}, nil
}

func rawSum(p []byte) uint32 {
	sum := uint32(1)
	for _, b := range p {
		sum = sum*16777619 + uint32(b)
	}
	return sum
}

func rawBroken(offset int, what string) error {
	return &codecs.MalformedError{Codec: rawName, Offset: int64(offset), What: what}
}

// head returns the first bytes of the fragments, at most 12.
func (d *rawDecoder) head(src [][]byte) ([12]byte, int) {
	var h [12]byte
	n := 0
	for _, f := range src {
		n += copy(h[n:], f)
		if d.bug == "header in one fragment" {
			break
		}
	}
	return h, n
}

func (d *rawDecoder) Probe(src [][]byte) (codecs.Info, error) {
	h, n := d.head(src)
	if n < 12 || !bytes.Equal(h[:3], []byte("RAW")) {
		if d.bug == "untyped error" {
			return codecs.Info{}, context.DeadlineExceeded
		}
		return codecs.Info{}, rawBroken(n, "no header")
	}
	info := codecs.Info{Width: int(binary.LittleEndian.Uint16(h[4:])), Height: int(binary.LittleEndian.Uint16(h[6:])), Components: int(h[8]), Bits: int(h[9]), Lossless: true}
	if d.bug == "wrong geometry" {
		info.Width, info.Height = info.Height, info.Width
	}
	if info.Bits != 8 && info.Bits != 16 || info.Components < 1 || info.Components > 4 {
		return codecs.Info{}, rawBroken(8, "words of another size")
	}
	return info, nil
}

func (d *rawDecoder) MemoryNeeded(info codecs.Info, _ codecs.DecodeOptions) int64 {
	if d.bug == "decoder takes more than it says" {
		return 64
	}
	return int64(16+info.Width*info.Height*info.Components*info.Bits/8)*9/8 + 8192
}

func (d *rawDecoder) Decode(dst codecs.View, src [][]byte, opts codecs.DecodeOptions) error {
	return d.do(dst, src, opts, false)
}

func (d *rawDecoder) Compare(view codecs.View, src [][]byte, opts codecs.DecodeOptions) error {
	return d.do(view, src, opts, true)
}

func (d *rawDecoder) do(v codecs.View, src [][]byte, opts codecs.DecodeOptions, compare bool) error {
	if err := v.Check(rawName); err != nil {
		return err
	}
	if d.used && d.bug == "stays broken" {
		return rawBroken(0, "an earlier error")
	}
	info, err := d.Probe(src)
	if err != nil {
		d.used = true
		return err
	}
	if d.bug == "takes memory first" {
		d.buf = make([]byte, info.Width*info.Height*2)
	}
	if (info.Width != v.Width || info.Height != v.Height || info.Components != v.Components) && d.bug != "any size" {
		return &codecs.UnsupportedError{Codec: rawName, What: "another size"}
	}
	if info.Bits > v.Container && d.bug != "any container" {
		return &codecs.UnsupportedError{Codec: rawName, What: "words too small"}
	}
	n := int64(v.Width * v.Height * v.Components)
	if lim := opts.Limits.MaxPixels; lim != 0 && n > lim && d.bug != "no limits" {
		return &codecs.LimitError{Codec: rawName, What: "pixels", Need: n, Most: lim}
	}
	if need, lim := d.MemoryNeeded(info, opts), opts.Limits.MaxBytes; lim != 0 && need > lim && d.bug != "no limits" {
		return &codecs.LimitError{Codec: rawName, What: "bytes", Need: need, Most: lim}
	}
	whole := 12 + int(n)*info.Bits/8 + 4
	if cap(d.buf) < whole {
		d.buf = make([]byte, 0, whole)
	}
	d.buf = d.buf[:0]
	for _, f := range src {
		d.buf = append(d.buf, f[:min(len(f), whole-len(d.buf))]...)
	}
	if d.bug == "panics when short" {
		_ = d.buf[whole-1]
	}
	if len(d.buf) < whole && d.bug != "zeros when short" {
		d.used = true
		return rawBroken(len(d.buf), "ends early")
	}
	if d.bug == "zeros when short" {
		d.buf = append(d.buf, make([]byte, whole-len(d.buf))...)
	} else if p := d.buf[:whole]; rawSum(p[:whole-4]) != binary.LittleEndian.Uint32(p[whole-4:]) && d.bug != "no checksum" {
		return rawBroken(whole-4, "wrong checksum")
	}
	p := d.buf[12:]
	for y := range v.Height {
		if opts.Context != nil && d.bug != "ignores cancellation" && opts.Context.Err() != nil {
			return opts.Context.Err()
		}
		for x := range v.Width {
			for c := range v.Components {
				w := uint32(p[0])
				if p = p[1:]; info.Bits == 16 {
					w, p = w<<8|uint32(p[0]), p[1:]
				}
				if err := d.sample(&v, c, x, y, w, compare); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (d *rawDecoder) sample(v *codecs.View, c, x, y int, w uint32, compare bool) error {
	value := extend(w, v.Bits, v.Signed)
	if !compare {
		switch d.bug {
		case "not extended":
			value &= 1<<v.Bits - 1
		case "not masked":
			value = int32(w)
		case "writes into gaps":
			if x == 0 && y > 0 && v.PixelStride*v.Width < v.RowStride {
				v.Pix[offset(v, c, x, y)-1] = 0
			}
		case "ignores byte order":
			v.BigEndian = false
		}
		f := Frame{View: *v}
		f.setWord(c, x, y, uint16(value))
		return nil
	}
	if d.bug == "compares nothing" || d.bug == "misses the last row" && y == v.Height-1 {
		return nil
	}
	if extend(uint32(word(v, c, x, y)), v.Bits, v.Signed) != value {
		if d.bug == "wrong place" {
			x, y = y, x
		}
		return &codecs.MismatchError{Codec: rawName, Component: c, X: x, Y: y}
	}
	return nil
}
