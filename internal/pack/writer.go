package pack

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// FrameData is one frame ready to be stored.
type FrameData struct {
	Data         []byte // codestream, zstd frame or bytes as received, as Coding says
	Coding       Coding
	RawSize      int64   // bytes of the frame as received; for a transcoded source, of its native frame
	LevelEnds    []int64 // of progressive codestreams, see Entry
	Residue      []byte  // zstd of (received XOR rebuilt), nil: none
	SignFill     bool    // see Frame
	SampleSHA256 Digest
}

// Writer streams one volume to an io.Writer, in one pass and without seeking.
// It holds one block of header bytes and the records of the index, so its
// memory does not depend on the size of the volume. Instances are written one
// after another: Begin, its frames in order and its values, End. The bytes depend on
// nothing but the calls. After an error of Begin, AddFrame, AddValue or End
// the volume is lost: every later call returns that error. A Writer serves one goroutine.
type Writer struct {
	// OnBlock, if set, is given each compressed header block once it is
	// written, in order, for the copy in the hot bundle. It keeps the slice.
	OnBlock func(block []byte)

	archive archive
	index   Index
	names   int64 // bytes of UIDs so far, for Size

	open   bool
	closed bool
	frames []Frame
	values int
	first  int // index in Entries of the open instance's first entry

	block  []byte // header bytes of the open block
	shared int    // instances in it
	err    error
}

// NewWriter starts a volume. writerBuild is stored as Index.Writer.
func NewWriter(w io.Writer, studyUID, writerBuild string) *Writer {
	wr := &Writer{archive: newArchive(w), index: Index{StudyUID: studyUID, Writer: writerBuild}}
	wr.archive.stretch = newStretches()
	return wr
}

// Size is about how many bytes the volume has if it is closed now, for callers that keep it below MaxVolumeBytes.
func (w *Writer) Size() int64 {
	records := int64(len(w.index.Entries))*64 + int64(len(w.index.Instances))*112 + w.names
	return w.archive.size + int64(len(w.block)) + int64(len(w.archive.central)) + records + 512
}

// Entries is the larger of the numbers of ZIP entries and of instances that
// the volume has if it is closed now, for callers that keep it below MaxVolumeEntries.
func (w *Writer) Entries() int { return max(w.archive.entries+2, len(w.index.Instances)) }

func (w *Writer) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}

var errOrder = errors.New("pack: writer calls out of order")

// Begin starts an instance.
func (w *Writer) Begin() error {
	switch {
	case w.err != nil:
		return w.err
	case w.open || w.closed:
		return w.fail(fmt.Errorf("%w: Begin inside an instance or after Close", errOrder))
	case len(w.index.Instances) >= maxIndexInstances:
		return w.fail(&LimitError{"instances of a volume", maxIndexInstances + 1, maxIndexInstances})
	}
	w.open, w.frames, w.values, w.first = true, nil, 0, len(w.index.Entries)
	return nil
}

// AddFrame stores the next frame of the open instance and returns its index there. The slices are not kept.
func (w *Writer) AddFrame(f FrameData) (int, error) {
	if err := w.check("AddFrame"); err != nil {
		return 0, err
	}
	n, number := len(w.frames), len(w.index.Instances)
	if !f.Coding.known() || f.Residue != nil && f.Coding.Syntax() == "" {
		return 0, w.fail(&MalformedError{fmt.Sprintf("frame %d: %s with residue %t", n, f.Coding, f.Residue != nil), -1})
	}
	fr := Frame{Residue: -1, SignFill: f.SignFill, SampleSHA256: f.SampleSHA256}
	var err error
	if fr.Entry, err = w.add(frameName(number, n, f.Coding), f.Data, f.RawSize, f.Coding); err != nil {
		return 0, err
	}
	if len(f.LevelEnds) > 0 {
		w.index.Entries[fr.Entry].LevelEnds = append([]int64(nil), f.LevelEnds...)
	}
	if f.Residue != nil {
		if fr.Residue, err = w.add(residueName(number, n), f.Residue, f.RawSize, CodingZstd); err != nil {
			return 0, err
		}
	}
	w.frames = append(w.frames, fr)
	return n, nil
}

// AddValue stores a long value, or a piece of one, of the open instance and
// returns its reference for SegmentEntry. The slice is not kept. c is CodingBytes or CodingZstd, rawSize the bytes as received.
func (w *Writer) AddValue(data []byte, rawSize int64, c Coding) (int, error) {
	if err := w.check("AddValue"); err != nil {
		return 0, err
	}
	if c != CodingBytes && c != CodingZstd {
		return 0, w.fail(&MalformedError{fmt.Sprintf("value stored as %s", c), -1})
	}
	ref, err := w.add(valueName(len(w.index.Instances), w.values, c), data, rawSize, c)
	w.values++
	return ref, err
}

func (w *Writer) check(call string) error {
	if w.err == nil && !w.open {
		return w.fail(fmt.Errorf("%w: %s outside of an instance", errOrder, call))
	}
	return w.err
}

// add writes one entry and its record.
func (w *Writer) add(name string, data []byte, rawSize int64, c Coding) (int, error) {
	if len(w.index.Entries) >= maxIndexEntries {
		return 0, w.fail(&LimitError{"entries of a volume", maxIndexEntries + 1, maxIndexEntries})
	}
	if c == CodingBytes && rawSize != int64(len(data)) {
		return 0, w.fail(&MalformedError{fmt.Sprintf("%s: %d bytes as received, raw size given as %d", name, len(data), rawSize), -1})
	}
	offset, err := w.archive.add(name, data)
	if err != nil {
		return 0, w.fail(fmt.Errorf("pack: write %s: %w", name, err))
	}
	w.index.Entries = append(w.index.Entries, Entry{Offset: offset, Size: int64(len(data)), RawSize: rawSize, Coding: c, SHA256: sha256.Sum256(data)})
	return len(w.index.Entries) - 1, nil
}

// End completes the open instance with its header bytes. inst has everything
// but Header and Frames, which the writer fills; its Segments must be the
// whole file: their lengths sum to FileSize, those of SegmentHeader to
// len(header), and every reference is to a frame or value of this instance. header is not kept.
func (w *Writer) End(inst Instance, header []byte) error {
	if err := w.check("End"); err != nil {
		return err
	}
	if len(w.block) > 0 && (len(w.block)+len(header) > BlockBytes) || w.shared == BlockInstances {
		if err := w.flush(); err != nil {
			return err
		}
	}
	inst.Header = HeaderRange{Block: len(w.index.Blocks), Offset: int64(len(w.block)), Size: int64(len(header))}
	inst.Frames = w.frames
	w.block = append(w.block, header...)
	w.shared++
	if err := w.checkInstance(&inst); err != nil {
		return w.fail(fmt.Errorf("instance %q: %w", inst.SOPUID, err))
	}
	inst.Segments = append([]Segment(nil), inst.Segments...)
	if inst.Image != nil {
		img := *inst.Image
		inst.Image = &img
		if n := len(w.index.Instances); n > 0 && w.index.Instances[n-1].Image != nil && *w.index.Instances[n-1].Image == img {
			inst.Image = w.index.Instances[n-1].Image // one recipe per series, not per instance
		}
	}
	w.index.Instances = append(w.index.Instances, inst)
	w.names += int64(len(inst.SOPUID)/4 + 8*len(inst.Segments))
	w.open = false
	return nil
}

// checkInstance applies the rules of the index to the open instance, whose block is not closed yet.
func (w *Writer) checkInstance(inst *Instance) error {
	mine := w.index.Entries[w.first:]
	used := make([]bool, len(mine))
	left := len(used)
	use := func(e int) bool {
		i := e - w.first
		if i < 0 || i >= len(used) || used[i] {
			return false
		}
		used[i] = true
		left--
		return true
	}
	if err := w.index.checkInstance(inst, HeaderRange{}, int64(len(w.block)), use); err != nil {
		return err
	}
	if left > 0 {
		return &MalformedError{fmt.Sprintf("%d stored values that no segment refers to", left), -1}
	}
	return nil
}

// flush writes the open block of header bytes.
func (w *Writer) flush() error {
	if w.shared == 0 {
		return nil
	}
	packed := compressTight(nil, w.block)
	name := blockName(len(w.index.Blocks))
	offset, err := w.archive.add(name, packed)
	if err != nil {
		return w.fail(fmt.Errorf("pack: write %s: %w", name, err))
	}
	w.index.Blocks = append(w.index.Blocks, Block{Offset: offset, Size: int64(len(packed)), RawSize: int64(len(w.block)), SHA256: sha256.Sum256(packed)})
	if w.OnBlock != nil {
		w.OnBlock(packed)
	}
	w.block, w.shared = w.block[:0], 0
	return nil
}

// Close completes the volume: the last block, the index, the central directory. It does not close the io.Writer.
func (w *Writer) Close() (*Index, Summary, error) {
	switch {
	case w.err != nil:
		return nil, Summary{}, w.err
	case w.open || w.closed:
		return nil, Summary{}, w.fail(fmt.Errorf("%w: Close inside an instance or twice", errOrder))
	}
	w.closed = true
	if err := w.flush(); err != nil {
		return nil, Summary{}, err
	}
	w.index.Digests = w.archive.stretch.digests()
	w.archive.stretch = nil
	packed, err := EncodeIndex(&w.index)
	if err != nil {
		return nil, Summary{}, w.fail(err)
	}
	if _, err := w.archive.add(indexName, packed); err != nil {
		return nil, Summary{}, w.fail(fmt.Errorf("pack: write %s: %w", indexName, err))
	}
	sum, err := w.archive.close()
	if err != nil {
		return nil, Summary{}, w.fail(fmt.Errorf("pack: write central directory: %w", err))
	}
	return &w.index, sum, nil
}
