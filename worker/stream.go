package worker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/pack"
)

// streamFile works on a file that is too large to be held in memory: it is
// read front to back once, and each frame and each stretch of a long value goes its way alone.
func (d *derivation) streamFile(ctx context.Context, src catalog.SourceFile, number int, queue chan<- *item) error {
	h, err := d.sources.openFile(ctx, src, number)
	if err != nil {
		return fmt.Errorf("source file %d: %w", number, err)
	}
	defer h.Close()
	f, rec, err := d.look(h, src.Size)
	if err == nil {
		rec, err = d.checkLarge(ctx, h, f, rec)
	}
	if err == nil && d.mayBeKnown(f, src.Size) {
		err = d.knownByDigest(h)
	}
	if err != nil {
		it := newItem()
		it.write, it.err = d.outcomeOfFile(ctx, src, number, nil, err)
		close(it.ready)
		return send(ctx, queue, it)
	}
	s := &streaming{d: d, ctx: ctx, src: h, file: f, rec: rec, sum: sha256.New(), queue: queue, number: number}
	return s.run()
}

// checkLarge decodes the frames of a large file that is to be transcoded,
// before anything of it is written: a broken one is kept as received.
func (d *derivation) checkLarge(ctx context.Context, r io.ReaderAt, f *dcm.File, rec recipe) (recipe, error) {
	if rec.treatment != keep && rec.treatment != transcode || !rec.decoded {
		return rec, nil
	}
	t := newTasks(ctx, d.cores, d.rank)
	for i := range f.Pixel.Frames {
		need := rec.frameBytes()
		free, err := d.budget.Acquire(ctx, 2*need)
		if err != nil {
			return rec, err
		}
		started := t.run(func(b *core) error {
			defer free()
			src, err := fragmentsOf(r, f, i)
			if err != nil {
				return err
			}
			native, _, err := decodeFrame(ctx, b, rec.syntax, rec.image, src, d.bufs)
			if err == nil {
				d.bufs.put(native)
			}
			return err
		})
		if !started {
			free()
			break
		}
	}
	if err := t.wait(); err != nil {
		if !codecRefused(err) {
			return rec, err
		}
		return rec.asReceived(err), nil
	}
	return rec, nil
}

func fragmentsOf(r io.ReaderAt, f *dcm.File, frame int) ([][]byte, error) {
	var out [][]byte
	for _, fr := range f.Pixel.Fragments[f.Pixel.Frames[frame][0]:f.Pixel.Frames[frame][1]] {
		b := make([]byte, fr.Length)
		if _, err := io.ReadFull(io.NewSectionReader(r, fr.ValueOffset, fr.Length), b); err != nil {
			return nil, withoutPath(err)
		}
		out = append(out, b)
	}
	return out, nil
}

// mayBeKnown reports whether an instance of that name and size is stored, so that hashing the file first may save all work on it.
func (d *derivation) mayBeKnown(f *dcm.File, size int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sizes[sizedInstance{f.SeriesUID, f.SOPUID, size}]
}

// noteLarge remembers a streamed file, so that the same file queued twice is hashed first and not stored twice.
func (d *derivation) noteLarge(in pack.Instance) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[in.FileSHA256] = true
	d.sizes[sizedInstance{in.SeriesUID, in.SOPUID, in.FileSize}] = true
}

func (d *derivation) knownByDigest(h *sourceFile) error {
	sum := sha256.New()
	front := h.stream()
	defer front.Close()
	if _, err := io.Copy(sum, front); err != nil {
		return h.named(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known[pack.Digest(sum.Sum(nil))] {
		return errKnown
	}
	return nil
}

// streaming is one large file on its way. Only its producer touches it, except for what items write.
type streaming struct {
	d      *derivation
	ctx    context.Context
	src    *sourceFile
	file   *dcm.File
	rec    recipe
	sum    hash.Hash
	queue  chan<- *item
	number int

	header  []byte
	frame   [][]byte // fragments of the frame being read
	free    func()   // gives back the budget of that frame
	entries []int    // what the volume called the values; written by items
}

func (s *streaming) run() error {
	pieces := s.file.Pieces(pack.BulkBytes)
	plan := layOut(s.rec, pieces)
	if s.rec.image != nil {
		s.rec.image.Frames = len(plan.frames)
	}
	estimate := s.file.Size
	if s.rec.treatment == encode {
		estimate = estimate * 2 / 3
	}
	err := s.step(func(v *volumes) error {
		if err := v.room(classOf(s.file.ClassUID), estimate, 2*len(plan.frames)+len(plan.values)); err != nil {
			return err
		}
		return v.begin()
	})
	if err != nil {
		return err
	}
	digests := newFrameDigests(s.rec)
	nextFrame := 0
	for _, seg := range plan.segments {
		switch seg.Kind {
		case pack.SegmentHeader:
			b, err := s.read(seg.Length)
			if err != nil {
				return err
			}
			s.header = append(s.header, b...)
		case pack.SegmentFrame:
			err = s.frameSegment(plan, seg, &nextFrame, digests)
		case pack.SegmentEntry:
			err = s.value(seg.Length)
		}
		if err != nil {
			return err
		}
	}
	if err := s.src.check(); err != nil {
		return err
	}
	meta := s.d.metaOf(s.file, s.rec)
	meta.Segments = plan.segments
	meta.FileSHA256 = pack.Digest(s.sum.Sum(nil))
	s.d.noteLarge(meta)
	return s.step(func(v *volumes) error {
		meta.NativeSHA256, meta.SampleSHA256 = digests.sums()
		err := v.end(meta, s.header, s.entries)
		s.d.report(s.file.Size, 0)
		return err
	})
}

// step queues something for the writer that needs no core.
func (s *streaming) step(write func(*volumes) error) error {
	it := newItem()
	it.write = write
	close(it.ready)
	return send(s.ctx, s.queue, it)
}

// read takes the next n bytes of the file and hashes them.
func (s *streaming) read(n int64) ([]byte, error) {
	start := time.Now()
	b := s.d.bufs.get(n)
	if _, err := io.ReadFull(s.src, b); err != nil {
		return nil, s.src.named(err)
	}
	s.d.times.add(&s.d.times.Read, start)
	start = time.Now()
	s.sum.Write(b)
	s.d.times.add(&s.d.times.Hash, start)
	return b, nil
}

// frameSegment reads one segment of a frame and, when it is the frame's last, sends the frame to the cores.
func (s *streaming) frameSegment(p plan, seg pack.Segment, next *int, digests *frameDigests) error {
	if len(s.frame) == 0 {
		need := s.rec.frameBytes()
		for _, x := range p.frames[seg.Ref] {
			need += 3 * x.length
		}
		var err error
		if s.free, err = s.d.budget.Acquire(s.ctx, need); err != nil {
			return err
		}
	}
	b, err := s.read(seg.Length)
	if err != nil {
		return err
	}
	s.frame = append(s.frame, b)
	if len(s.frame) < len(p.frames[seg.Ref]) {
		return nil
	}
	src, i := s.frame, *next
	s.frame, *next = nil, i+1
	it := newItem(s.free)
	if err := send(s.ctx, s.queue, it); err != nil {
		return err
	}
	it.err = errCodecPanic // until the task has come to its end
	return s.d.cores.run(s.ctx, s.d.rank, func(b *core) {
		defer close(it.ready)
		f, err := s.d.storeFrame(s.ctx, b, s.rec, src, i, digests)
		for _, x := range src {
			s.d.bufs.put(x)
		}
		it.err = err
		it.write = func(v *volumes) error {
			defer s.d.bufs.put(f.pooled)
			return v.frame(f, s.rec.image)
		}
	})
}

// value reads one stretch of a long value and sends it to the cores.
func (s *streaming) value(n int64) error {
	free, err := s.d.budget.Acquire(s.ctx, 2*n)
	if err != nil {
		return err
	}
	raw, err := s.read(n)
	if err != nil {
		free()
		return err
	}
	it := newItem(free)
	if err := send(s.ctx, s.queue, it); err != nil {
		return err
	}
	it.err = errCodecPanic
	return s.d.cores.run(s.ctx, s.d.rank, func(*core) {
		defer close(it.ready)
		x := storeValue(raw)
		s.d.bufs.put(raw)
		it.err = nil
		it.write = func(v *volumes) error {
			entry, err := v.value(x)
			s.entries = append(s.entries, entry)
			return err
		}
	})
}
