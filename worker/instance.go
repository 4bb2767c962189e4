package worker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/roi/evidence"
)

// prepared is one received file, ready to be written to a volume.
type prepared struct {
	meta   pack.Instance // without Header and Frames, which the volume writer fills
	header []byte
	frames []storedFrame
	values []storedValue
}

// storedValue is a long value; segments refer to it by its number here until the volume gives it an entry.
type storedValue struct {
	data    []byte
	rawSize int64
	coding  pack.Coding
}

// rejected is a received file that cannot be stored as an instance of this study.
type rejected struct {
	reason string
	sop    string
}

func (r *rejected) Error() string { return r.reason }

// defaultWholeFile is the largest file that is read into memory at once. Larger ones stream frame by frame.
const defaultWholeFile = 32 << 20

// weight estimates the memory that a file of that size takes from reading to writing.
func weight(size int64) int64 { return 2*size + 64<<10 }

// prepareWhole reads a file into memory and works on its frames on all cores.
// A *rejected error means that the file belongs into quarantine; ErrSourceChanged that the study waits.
func (d *derivation) prepareWhole(ctx context.Context, src catalog.SourceFile, number int) (*prepared, error) {
	start := time.Now()
	h, err := d.sources.openFile(ctx, src, number)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	raw := d.bufs.get(src.Size)
	defer d.bufs.put(raw)
	if err := h.readAll(raw); err != nil {
		return nil, err
	}
	d.times.add(&d.times.Read, start)
	start = time.Now()
	sum := pack.Digest(sha256.Sum256(raw))
	d.times.add(&d.times.Hash, start)
	if d.isKnown(sum) {
		return nil, errKnown
	}

	start = time.Now()
	f, rec, err := d.look(dcm.Bytes(raw), src.Size)
	if err != nil {
		return nil, err
	}
	pieces := f.Pieces(pack.BulkBytes)
	d.times.add(&d.times.Scan, start)
	for {
		p, err := d.prepare(ctx, f, rec, raw, pieces)
		if err == nil {
			p.meta.FileSHA256 = sum
			return p, nil
		}
		if !codecRefused(err) || rec.treatment != keep && rec.treatment != transcode {
			return nil, err
		}
		rec = rec.asReceived(err) // the codestreams are broken: keep them, they may be the only copy
	}
}

// prepare works on a file in memory by a recipe.
func (d *derivation) prepare(ctx context.Context, f *dcm.File, rec recipe, raw []byte, pieces []dcm.Piece) (*prepared, error) {
	plan := layOut(rec, pieces)
	p := &prepared{meta: d.metaOf(f, rec), frames: make([]storedFrame, len(plan.frames)), values: make([]storedValue, len(plan.values))}
	p.meta.Segments = plan.segments
	p.header = d.bufs.get(plan.headerBytes)[:0]
	for _, piece := range pieces {
		if piece.Kind == dcm.Header {
			p.header = append(p.header, raw[piece.Offset:piece.Offset+piece.Length]...)
		}
	}
	if rec.image != nil {
		rec.image.Frames = len(plan.frames)
	}
	digests := newFrameDigests(rec)
	tasks := newTasks(ctx, d.cores, d.rank)
	for i, spans := range plan.frames {
		tasks.run(func(b *core) (err error) {
			p.frames[i], err = d.storeFrame(ctx, b, rec, cut(raw, spans), i, digests)
			return err
		})
	}
	for i, s := range plan.values {
		tasks.run(func(b *core) error {
			p.values[i] = storeValue(raw[s.offset : s.offset+s.length])
			return nil
		})
	}
	if err := tasks.wait(); err != nil {
		d.release(p)
		return nil, err
	}
	p.meta.NativeSHA256, p.meta.SampleSHA256 = digests.sums()
	return p, nil
}

// look scans a file and checks that it belongs to this study.
func (d *derivation) look(r io.ReaderAt, size int64) (*dcm.File, recipe, error) {
	f, err := scanSource(r, size, dcm.Limits{})
	var unread *unreadError
	if errors.As(err, &unread) {
		return nil, recipe{}, err
	}
	if err != nil {
		return nil, recipe{}, &rejected{reason: err.Error()}
	}
	switch {
	case f.StudyUID != d.key.UID:
		return nil, recipe{}, ErrSourceChanged
	case f.SOPUID == "":
		return nil, recipe{}, &rejected{reason: "no SOP Instance UID (0008,0018): nothing could refer to the instance"}
	case d.patient != "" && f.PatientKey != "" && !dcm.SamePatient(d.patient, f.PatientKey):
		return nil, recipe{}, &rejected{reason: "another patient than the rest of the study: (0010,0020) and (0010,0021) differ", sop: f.SOPUID}
	}
	if evidence.HasOverlays(f) {
		d.overlays.Store(true)
	}
	return f, recipeFor(f, d.set, d.codecs), nil
}

func (d *derivation) metaOf(f *dcm.File, rec recipe) pack.Instance {
	return pack.Instance{SeriesUID: f.SeriesUID, SOPUID: f.SOPUID, ClassUID: f.ClassUID, Syntax: f.Syntax, Stored: rec.stored, Reason: rec.reason,
		FileSize: f.Size, Exact: rec.exact, Image: rec.image}
}

// span is a stretch of the received file.
type span struct{ offset, length int64 }

func cut(raw []byte, spans []span) [][]byte {
	out := make([][]byte, len(spans))
	for i, s := range spans {
		out[i] = raw[s.offset : s.offset+s.length]
	}
	return out
}

// plan is where the bytes of a file go.
type plan struct {
	segments    []pack.Segment
	headerBytes int64
	frames      [][]span // per frame: its native bytes, or its fragments
	values      []span
}

// valueBytes is the largest stretch of a long value that becomes one entry,
// so that a value of gigabytes takes no more memory than this.
const valueBytes = 8 << 20

// layOut turns the pieces of a file into segments, frames and values.
func layOut(rec recipe, pieces []dcm.Piece) plan {
	var p plan
	addValue := func(off, length int64) {
		for length > 0 {
			n := min(length, valueBytes)
			p.segments = append(p.segments, pack.Segment{Kind: pack.SegmentEntry, Length: n, Ref: len(p.values)})
			p.values = append(p.values, span{off, n})
			off, length = off+n, length-n
		}
	}
	for _, x := range pieces {
		switch {
		case x.Kind == dcm.Header:
			p.segments = append(p.segments, pack.Segment{Kind: pack.SegmentHeader, Length: x.Length})
			p.headerBytes += x.Length
		case x.Kind == dcm.NativeFrame && rec.treatment != noPixels && x.Length <= wholeFrame,
			x.Kind == dcm.NativeFrame && rec.treatment == encode:
			p.segments = append(p.segments, pack.Segment{Kind: pack.SegmentFrame, Length: x.Length, Ref: len(p.frames)})
			p.frames = append(p.frames, []span{{x.Offset, x.Length}})
		case x.Kind == dcm.FragmentOf && x.Frame >= 0 && rec.image != nil:
			for len(p.frames) <= x.Frame {
				p.frames = append(p.frames, nil)
			}
			var inFrame int64
			for _, s := range p.frames[x.Frame] {
				inFrame += s.length
			}
			p.segments = append(p.segments, pack.Segment{Kind: pack.SegmentFrame, Length: x.Length, Ref: x.Frame, Offset: inFrame})
			p.frames[x.Frame] = append(p.frames[x.Frame], span{x.Offset, x.Length})
		default:
			addValue(x.Offset, x.Length)
		}
	}
	return p
}

// wholeFrame is the largest frame of raw words that is stored as one entry; longer ones are cut like long values.
const wholeFrame = 256 << 20

// storeFrame makes the stored form of one frame and adds its samples to the digests. Frames of an instance come in order.
func (d *derivation) storeFrame(ctx context.Context, b *core, rec recipe, src [][]byte, number int, digests *frameDigests) (f storedFrame, err error) {
	var native, decoded []byte
	defer func() { d.bufs.put(decoded) }() // after its samples were hashed
	defer func() {                         // also after an error: the next frame waits for its turn
		start := time.Now()
		f.SampleSHA256 = digests.add(number, native, err == nil && native != nil)
		b.Times.add(&b.Times.Hash, start)
	}()
	if native = src[0]; rec.decoded && (rec.treatment == keep || rec.treatment == transcode) {
		start := time.Now()
		var exact bool
		decoded, exact, err = decodeFrame(ctx, b, rec.syntax, rec.image, src, d.bufs)
		b.Times.add(&b.Times.Rebuild, start)
		if err != nil {
			return f, err
		}
		if native = decoded; !exact {
			native = nil // their digest would be that of this decoder only
		}
	}
	switch rec.treatment {
	case encode, transcode:
		f, err = encodeNative(ctx, b, d.bufs, rec.stored, rec.image, native)
		if err == nil && f.fault != nil {
			d.log.Error("codec fault: the frame is kept as received", "frame", number, "err", f.fault)
		}
	case words:
		f = rawFrame(d.bufs, native, nil)
	default:
		known, _ := d.set.Lookup(rec.syntax)
		f = keptFrame(d.bufs, src, known.LevelEnds)
	}
	return f, err
}

// keptFrame stores the fragments of a frame as received. Where the resolution levels of a codestream in one piece end
// is noted if its syntax has them and levelEnds finds them.
func keptFrame(bufs *buffers, src [][]byte, levelEnds func(dst []int64, src []byte) ([]int64, error)) storedFrame {
	var n int64
	for _, s := range src {
		n += int64(len(s))
	}
	out := bufs.get(n)[:0]
	for _, s := range src {
		out = append(out, s...)
	}
	f := storedFrame{pooled: out, FrameData: pack.FrameData{Data: out, Coding: pack.CodingBytes, RawSize: n}}
	if levelEnds != nil && len(src) == 1 {
		if ends, err := levelEnds(nil, out); err == nil && ascending(ends, n) {
			f.LevelEnds = ends
		}
	}
	return f
}

// ascending reports whether ends are what an index may hold of an entry of n bytes.
func ascending(ends []int64, n int64) bool {
	return len(ends) <= 33 && slices.IsSorted(ends) && (len(ends) == 0 || ends[0] >= 0 && ends[len(ends)-1] <= n)
}

// decodeFrame decodes a frame of an encapsulated source into little endian words, samples interleaved. exact says that
// every decoder gives these samples; the irreversible transforms of JPEG 2000 leave the last bit to the decoder.
func decodeFrame(ctx context.Context, b *core, syntax string, img *pack.Image, src [][]byte, bufs *buffers) (samples []byte, exact bool, err error) {
	dec := b.decoder(syntax)
	info, err := dec.Probe(src)
	if err != nil {
		return nil, false, err
	}
	if rle := syntax == syntaxRLE; !rle && (info.Width != img.Columns || info.Height != img.Rows || info.Components != img.Samples) {
		return nil, false, &codecs.MalformedError{Codec: "frame", Offset: 0, What: fmt.Sprintf("codestream of %d x %d x %d in an image of %d x %d x %d",
			info.Width, info.Height, info.Components, img.Columns, img.Rows, img.Samples)}
	}
	out := bufs.get(int64(img.Rows) * int64(img.Columns) * int64(img.Samples) * int64(img.BitsAllocated/8))
	b.note(int64(len(out)))
	view := pack.FrameView(img, out, img.Signed)
	if syntax == syntaxRLE { // keeps whole words: overlays may lie above Bits Stored
		view.Bits, view.Signed = view.Container, false
	}
	if err := dec.Decode(view, src, codecs.DecodeOptions{Context: ctx}); err != nil {
		bufs.put(out)
		return nil, false, err
	}
	return out, info.Lossless || info.Near > 0, nil
}

// codecRefused tells an error about the input's codestreams from all others.
func codecRefused(err error) bool {
	var malformed *codecs.MalformedError
	var unsupported *codecs.UnsupportedError
	var limit *codecs.LimitError
	return errors.As(err, &malformed) || errors.As(err, &unsupported) || errors.As(err, &limit)
}

// storeValue stores a long value, compressed if that helps.
func storeValue(raw []byte) storedValue {
	out := pack.CompressZstd(nil, raw)
	if len(out) >= len(raw) {
		return storedValue{data: append([]byte(nil), raw...), rawSize: int64(len(raw)), coding: pack.CodingBytes}
	}
	return storedValue{data: out, rawSize: int64(len(raw)), coding: pack.CodingZstd}
}

func (d *derivation) release(p *prepared) {
	for _, f := range p.frames {
		if f.pooled != nil {
			d.bufs.put(f.pooled)
		}
	}
	d.bufs.put(p.header)
}
