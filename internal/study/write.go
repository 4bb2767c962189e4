package study

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/pack"
)

// ExplicitLE is the Transfer Syntax UID of Explicit VR Little Endian.
const ExplicitLE = "1.2.840.10008.1.2.1"

// WriteOriginal writes the received file. For an instance that is not kept
// byte-exactly (a re-encoded RLE source) it writes the same elements and
// samples in Explicit VR Little Endian, and exact is false.
func (s *Study) WriteOriginal(ctx context.Context, dec *pack.Decoders, in Instance, w io.Writer) (exact bool, err error) {
	err = in.Volume.Rebuild(ctx, dec, in.Index, w)
	if !errors.Is(err, pack.ErrNotExact) {
		return true, err
	}
	return false, s.WriteExplicitLE(ctx, dec, in, w)
}

// WriteExplicitLE writes the instance in Explicit VR Little Endian with native
// pixel data: every other element value-identical. Pixel data that no codec
// here decodes gives an *codecs.UnsupportedError; read it as original instead.
func (s *Study) WriteExplicitLE(ctx context.Context, dec *pack.Decoders, in Instance, w io.Writer) error {
	if !in.Exact {
		f, r, err := in.Scan(ctx)
		if err != nil {
			return err
		}
		return dcm.Rewrite(w, r, f, s.nativeTarget(ctx, dec, in))
	}
	file, err := s.received(ctx, dec, in)
	if err != nil {
		return err
	}
	defer file.Close()
	f, err := dcm.Scan(file, in.FileSize, dcm.Limits{})
	if err != nil {
		return fmt.Errorf("%s: %w", in.SOPUID, err)
	}
	if f.Pixel == nil || !f.Pixel.Encapsulated {
		return dcm.Rewrite(w, file, f, dcm.Target{Syntax: ExplicitLE})
	}
	decoder, err := s.sourceDecoder(in)
	if err != nil {
		return err
	}
	if f.Pixel.Frames == nil {
		return &codecs.UnsupportedError{Codec: "pixel data", What: f.Pixel.FrameProblem + "; read it as original"}
	}
	img := f.Image
	frameBytes := int64(img.Rows) * int64(img.Columns) * int64(img.Samples) * int64(img.BitsAllocated/8)
	return dcm.Rewrite(w, file, f, dcm.Target{Syntax: ExplicitLE, Planar0: img.Samples > 1, Photometric: decodedPhotometric(img.Photometric),
		Length: frameBytes * int64(len(f.Pixel.Frames)),
		Frame: func(i int, w io.Writer) error {
			pix, err := DecodeFragments(ctx, decoder, file, f, i, make([]byte, frameBytes))
			if err != nil {
				return err
			}
			_, err = w.Write(pix)
			return err
		}})
}

// WriteStored writes the instance as it is stored: Explicit VR Little Endian
// around the stored codestreams; an instance kept as received is written as received.
func (s *Study) WriteStored(ctx context.Context, dec *pack.Decoders, in Instance, w io.Writer) error {
	if in.Stored == in.Syntax && in.Exact && in.Reason != "" {
		_, err := s.WriteOriginal(ctx, dec, in, w)
		return err
	}
	if len(in.Frames) == 0 || in.Stored == ExplicitLE || in.Stored == in.Syntax {
		return s.WriteExplicitLE(ctx, dec, in, w)
	}
	known, ok := s.set.Lookup(in.Stored)
	if !ok {
		return &codecs.UnsupportedError{Codec: "stored form", What: "transfer syntax " + in.Stored}
	}
	f, r, err := in.Scan(ctx)
	if err != nil {
		return err
	}
	target := dcm.Target{Syntax: in.Stored, Encapsulated: true, Planar0: in.Image.Samples > 1, Photometric: storedPhotometric(in.Stored, in.Image.Photometric)}
	// A frame that its codec did not shrink is stored in another coding; it is encoded here, so that the file has one syntax.
	var encoder codecs.Encoder
	streams := make([][]byte, len(in.Frames))
	for i := range in.Frames {
		e := in.Volume.Index.Entries[in.Frames[i].Entry]
		if e.Coding.Syntax() == in.Stored {
			target.FrameLengths = append(target.FrameLengths, e.Size)
			continue
		}
		if encoder == nil {
			if known.NewEncoder == nil {
				return &codecs.UnsupportedError{Codec: "stored form", What: "no encoder for transfer syntax " + in.Stored}
			}
			encoder = known.NewEncoder()
		}
		native, err := in.Volume.Frame(ctx, dec, in.Index, i, nil)
		if err != nil {
			return err
		}
		opts := codecs.EncodeOptions{Context: ctx, RGB: in.Image.Photometric == "RGB"}
		if streams[i], _, err = encoder.Encode(nil, pack.FrameView(in.Image, native, in.Image.Signed), opts); err != nil {
			return fmt.Errorf("frame %d of %s: %w", i, in.SOPUID, err)
		}
		target.FrameLengths = append(target.FrameLengths, int64(len(streams[i])))
	}
	target.Frame = func(i int, w io.Writer) error {
		data := streams[i]
		if data == nil {
			var err error
			if data, _, err = in.Volume.FrameBytes(ctx, in.Index, i); err != nil {
				return err
			}
		}
		_, err := w.Write(data)
		return err
	}
	return dcm.Rewrite(w, r, f, target)
}

// storedPhotometric is what the stored codestreams of an image hold: the encoder of HTJ2K transforms red, green and blue
// (YBR_RCT, PS3.3 C.7.6.3.1.2); everybody else stores the components as they are. "" keeps what the data set says.
func storedPhotometric(syntax, received string) string {
	if syntax == pack.CodingHTJ2K.Syntax() && received == "RGB" {
		return "YBR_RCT"
	}
	return ""
}

// decodedPhotometric is what samples are after a decoder undid a component transform.
func decodedPhotometric(p string) string {
	if p == "YBR_RCT" || p == "YBR_ICT" {
		return "RGB"
	}
	return p
}

func (s *Study) sourceDecoder(in Instance) (codecs.Decoder, error) {
	known, ok := s.set.Lookup(in.Syntax)
	if !ok || known.NewDecoder == nil {
		return nil, &codecs.UnsupportedError{Codec: "pixel data", What: "no decoder for transfer syntax " + in.Syntax + "; read it as original"}
	}
	return known.NewDecoder(), nil
}

// nativeTarget rebuilds native pixel data from stored frames: little endian words, samples interleaved.
func (s *Study) nativeTarget(ctx context.Context, dec *pack.Decoders, in Instance) dcm.Target {
	img := *in.Image
	frameBytes := int64(img.Rows) * int64(img.Columns) * int64(img.Samples) * int64(img.BitsAllocated/8)
	return dcm.Target{Syntax: ExplicitLE, Planar0: img.Samples > 1, Length: frameBytes * int64(len(in.Frames)),
		Photometric: decodedPhotometric(img.Photometric),
		Frame: func(i int, w io.Writer) error {
			pix, err := in.Volume.Frame(ctx, dec, in.Index, i, nil)
			if err != nil {
				return err
			}
			_, err = w.Write(pix)
			return err
		}}
}

// DecodeFragments decodes frame i of an encapsulated file into dst as little
// endian words with interleaved samples. dst has the frame's native size.
func DecodeFragments(ctx context.Context, dec codecs.Decoder, r io.ReaderAt, f *dcm.File, i int, dst []byte) ([]byte, error) {
	src, err := readFragments(r, f, i)
	if err != nil {
		return nil, err
	}
	img := f.Image
	bits := img.BitsStored
	if info, err := dec.Probe(src); err == nil && info.Bits > bits { // what does not fit into Bits Stored is not cut off: words have room for it
		bits = min(info.Bits, img.BitsAllocated)
	}
	view := codecs.Interleaved(dst, img.Columns, img.Rows, img.Samples, img.BitsAllocated, bits, img.Signed)
	if err := dec.Decode(view, src, codecs.DecodeOptions{Context: ctx}); err != nil {
		return nil, fmt.Errorf("frame %d of %s: %w", i, f.SOPUID, err)
	}
	return dst, nil
}

func readFragments(r io.ReaderAt, f *dcm.File, i int) ([][]byte, error) {
	if i < 0 || i >= len(f.Pixel.Frames) {
		return nil, fmt.Errorf("%s has %d frames; there is no frame %d", f.SOPUID, len(f.Pixel.Frames), i)
	}
	var src [][]byte
	for k := f.Pixel.Frames[i][0]; k < f.Pixel.Frames[i][1]; k++ {
		fr := f.Pixel.Fragments[k]
		if m, ok := r.(dcm.Bytes); ok {
			src = append(src, m[fr.ValueOffset:fr.ValueOffset+fr.Length])
			continue
		}
		b := make([]byte, fr.Length)
		if _, err := r.ReadAt(b, fr.ValueOffset); err != nil && !(errors.Is(err, io.EOF) && fr.ValueOffset+fr.Length == f.Size) {
			return nil, err
		}
		src = append(src, b)
	}
	return src, nil
}

// inMemory is the largest received file that is rebuilt in memory; larger ones go through a temporary file.
const inMemory = 64 << 20

type receivedFile interface {
	io.ReaderAt
	io.Closer
}

type memoryFile struct{ dcm.Bytes }

func (memoryFile) Close() error { return nil }

type temporaryFile struct{ *os.File }

func (t temporaryFile) Close() error {
	err := t.File.Close()
	return errors.Join(err, os.Remove(t.Name()))
}

// Received gives random access to the received file, or to what WriteOriginal gives in its place, and its size. It lies in memory, or in a
// temporary file if it is large; Close gives it up.
func (s *Study) Received(ctx context.Context, dec *pack.Decoders, in Instance) (r interface {
	io.ReaderAt
	io.Closer
}, size int64, err error) {
	if in.Exact {
		r, err = s.received(ctx, dec, in)
		return r, in.FileSize, err
	}
	f, err := os.CreateTemp("", "radtier-instance-*")
	if err != nil {
		return nil, 0, err
	}
	if err := s.WriteExplicitLE(ctx, dec, in, f); err != nil {
		return nil, 0, errors.Join(err, temporaryFile{f}.Close())
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, temporaryFile{f}.Close())
	}
	return temporaryFile{f}, info.Size(), nil
}

// received rebuilds the file as it was received, for random access.
func (s *Study) received(ctx context.Context, dec *pack.Decoders, in Instance) (receivedFile, error) {
	if in.FileSize <= inMemory {
		buf := bytes.NewBuffer(make([]byte, 0, in.FileSize))
		if err := in.Volume.Rebuild(ctx, dec, in.Index, buf); err != nil {
			return nil, err
		}
		return memoryFile{dcm.Bytes(buf.Bytes())}, nil
	}
	f, err := os.CreateTemp("", "radtier-instance-*")
	if err != nil {
		return nil, err
	}
	if err := in.Volume.Rebuild(ctx, dec, in.Index, f); err != nil {
		return nil, errors.Join(err, temporaryFile{f}.Close())
	}
	return temporaryFile{f}, nil
}
