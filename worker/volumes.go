package worker

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
)

// volume is one pack that is in the store and was read back.
type volume struct {
	pack   catalog.Pack
	index  *pack.Index
	blocks [][]byte       // header blocks as they were read back; nil for a volume that was adopted
	in     objstore.Store // where it is; nil: the hot tier
}

// open reads the volume through its store, without asking it for the header blocks again.
func (v *volume) open(store objstore.Store) *pack.Volume {
	if v.in != nil {
		store = v.in
	}
	var blocks func(context.Context, int) ([]byte, error)
	if v.blocks != nil {
		blocks = func(_ context.Context, i int) ([]byte, error) { return v.blocks[i], nil }
	}
	return pack.NewVolume(v.index, pack.StoreRanger(store, v.pack.Key), blocks)
}

// volumes writes prepared instances to packs, one after the other. Each pack
// streams into the store while it is written, and is read back while the next one is written.
type volumes struct {
	d      *derivation
	ctx    context.Context
	checks *errgroup.Group // puts and read-backs under way
	cur    *openVolume
	last   chan struct{} // closed when the volume before is in the store
	number int
	done   []*volume // in the order of their numbers; complete after close
}

type openVolume struct {
	key    string
	class  catalog.Class
	writer *pack.Writer
	buffer *bufio.Writer
	pipe   *io.PipeWriter
	put    chan error
	slot   *volume
	proved chan struct{} // closed when the volume was read back, or could not be
	raw    int64
	count  int
	frames int
}

func newVolumes(ctx context.Context, d *derivation) *volumes {
	checks, ctx := errgroup.WithContext(ctx)
	return &volumes{d: d, ctx: ctx, checks: checks}
}

// pipeBytes is how much of a volume is gathered before it goes to the store.
const pipeBytes = 256 << 10

// room makes sure that an instance of about that many bytes and entries fits
// into the volume, and that this is of its class; an instance never spans two.
func (v *volumes) room(class catalog.Class, bytes int64, entries int) error {
	if v.cur != nil && v.cur.count > 0 &&
		(v.cur.class != class || v.cur.writer.Size()+bytes > v.d.volumeBytes || v.cur.writer.Entries()+entries > pack.MaxVolumeEntries) {
		if err := v.closeCurrent(); err != nil {
			return err
		}
	}
	if v.cur != nil {
		return nil
	}
	if v.last != nil { // one volume of a study at a time goes to the store: its memory was taken once
		select {
		case <-v.last:
		case <-v.ctx.Done():
			return context.Cause(v.ctx)
		}
	}
	inStore, proved := make(chan struct{}), make(chan struct{})
	if v.last = inStore; v.d.sequential {
		v.last = proved
	}
	key := v.d.packKey(v.number)
	v.number++
	r, w := io.Pipe()
	o := &openVolume{key: key, class: class, proved: proved, pipe: w, buffer: bufio.NewWriterSize(w, pipeBytes), put: make(chan error, 1), slot: &volume{}}
	o.writer = pack.NewWriter(o.buffer, v.d.key.UID, v.d.build)
	v.done = append(v.done, o.slot)
	v.cur = o
	go func() {
		_, err := v.d.store.Put(v.ctx, key, r, objstore.PutOptions{Class: v.d.class, Size: -1})
		if err != nil {
			err = fmt.Errorf("put %s: %w", key, err)
		}
		r.CloseWithError(err) // a failed put ends the writer too
		close(inStore)
		o.put <- err
	}()
	return nil
}

// add writes a whole prepared instance to a volume of its class.
func (v *volumes) add(p *prepared) error { return v.addTo(classOf(p.meta.ClassUID), p) }

func (v *volumes) addTo(class catalog.Class, p *prepared) error {
	size := int64(len(p.header))
	for _, f := range p.frames {
		size += int64(len(f.Data) + len(f.Residue))
	}
	for _, x := range p.values {
		size += int64(len(x.data))
	}
	if err := v.room(class, size, 2*len(p.frames)+len(p.values)); err != nil {
		return err
	}
	if err := v.begin(); err != nil {
		return err
	}
	for _, f := range p.frames {
		if err := v.frame(f, p.meta.Image); err != nil {
			return err
		}
	}
	entries := make([]int, len(p.values))
	for i, x := range p.values {
		var err error
		if entries[i], err = v.value(x); err != nil {
			return err
		}
	}
	return v.end(p.meta, p.header, entries)
}

// copy writes an instance of another volume as it is stored, and returns how much larger the volume is for it.
func (v *volumes) copy(ctx context.Context, class catalog.Class, from *pack.Volume, i int) (int64, error) {
	size, entries := int64(0), 0
	in := &from.Index.Instances[i]
	for _, fr := range in.Frames {
		size += from.Index.Entries[fr.Entry].Size
		entries += 2
	}
	for _, s := range in.Segments {
		if s.Kind == pack.SegmentEntry {
			size += from.Index.Entries[s.Ref].Size
			entries++
		}
	}
	if err := v.room(class, size, entries); err != nil {
		return 0, err
	}
	before := v.cur.writer.Size()
	if err := v.failed(v.cur.writer.Copy(ctx, from, i)); err != nil {
		return 0, err
	}
	v.cur.count++
	v.cur.frames += len(from.Index.Instances[i].Frames)
	v.cur.raw += from.Index.Instances[i].FileSize
	return v.cur.writer.Size() - before, nil
}

// size is how many bytes the volume under way has, 0 if there is none.
func (v *volumes) size() int64 {
	if v.cur == nil {
		return 0
	}
	return v.cur.writer.Size()
}

func (v *volumes) begin() error { return v.failed(v.cur.writer.Begin()) }

// frame writes the next frame of an instance; img describes it.
func (v *volumes) frame(f storedFrame, img *pack.Image) error {
	n, err := v.cur.writer.AddFrame(f.FrameData)
	v.cur.frames++
	if err == nil && img != nil {
		v.d.spool.add(spooled{v.number - 1, v.cur.count, n}, img.Columns, img.Rows, f.LevelEnds, f.Data, v.d.previews.Limit)
	}
	return v.failed(err)
}

func (v *volumes) value(x storedValue) (int, error) {
	n, err := v.cur.writer.AddValue(x.data, x.rawSize, x.coding)
	return n, v.failed(err)
}

// end closes the instance. Its entry segments count values from 0; entries has what the volume called them.
func (v *volumes) end(meta pack.Instance, header []byte, entries []int) error {
	for i := range meta.Segments {
		if s := &meta.Segments[i]; s.Kind == pack.SegmentEntry {
			s.Ref = entries[s.Ref]
		}
	}
	v.cur.count++
	v.cur.raw += meta.FileSize
	return v.failed(v.cur.writer.End(meta, header))
}

// failed prefers the store's reason for a broken pipe.
func (v *volumes) failed(err error) error {
	if err == nil {
		return nil
	}
	v.cur.pipe.CloseWithError(err)
	select {
	case putErr := <-v.cur.put:
		v.cur.put <- putErr
		if putErr != nil {
			return putErr
		}
	case <-v.ctx.Done():
	}
	return err
}

func (v *volumes) closeCurrent() error {
	o := v.cur
	index, sum, err := o.writer.Close()
	if err == nil {
		err = o.buffer.Flush()
	}
	if err != nil {
		return v.failed(err)
	}
	v.cur = nil
	o.pipe.Close()
	v.checks.Go(func() error {
		defer close(o.proved)
		if err := <-o.put; err != nil {
			return err
		}
		blocks, err := readBack(v.ctx, v.d.store, o.key, sum, index.Blocks)
		if err != nil {
			return err
		}
		o.slot.index, o.slot.blocks = index, blocks
		o.slot.pack = catalog.Pack{Key: o.key, Class: o.class, Tier: v.d.tier, Size: sum.Size, SHA256: hex.EncodeToString(sum.SHA256[:]),
			Instances: o.count, Frames: o.frames, RawBytes: o.raw, Since: v.d.now().UTC().Truncate(time.Millisecond)}
		return nil
	})
	return nil
}

// close ends the last volume and waits until all are in the store and read back.
func (v *volumes) close() ([]*volume, error) {
	var err error
	if v.cur != nil {
		err = v.closeCurrent()
	}
	start := time.Now()
	defer v.d.times.add(&v.d.times.Stored, start)
	if waitErr := v.checks.Wait(); waitErr != nil {
		return nil, waitErr
	}
	return v.done, err
}

// abort gives up: the volume being written is not stored.
func (v *volumes) abort(cause error) {
	if v.cur != nil {
		v.cur.pipe.CloseWithError(cause)
		<-v.cur.put
		v.cur = nil
	}
	_ = v.checks.Wait() // the cause is what is reported
}

// errReadBack says that a store gave other bytes than it was given. The object is left as an orphan and the job tried again.
var errReadBack = fmt.Errorf("read-back differs from what was stored")

// readBack reads an object and compares it with the digest of what was
// written. Its frames were proved against the received bytes before, so equal
// bytes prove every received file again without decoding twice. The header
// blocks, which lie in it in order, are kept on the way.
func readBack(ctx context.Context, store objstore.Store, key string, want pack.Summary, keep []pack.Block) ([][]byte, error) {
	r, info, err := store.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("read back %s: %w", key, err)
	}
	defer r.Close()
	h := sha256.New()
	blocks := make([][]byte, len(keep))
	buf := make([]byte, pipeBytes)
	var n int64
	for i, next := 0, 0; err == nil; {
		i, err = r.Read(buf)
		h.Write(buf[:i])
		for ; next < len(keep) && keep[next].Offset < n+int64(i); next++ {
			b := keep[next]
			from, to := max(b.Offset-n, 0), min(b.Offset+b.Size-n, int64(i))
			blocks[next] = append(blocks[next], buf[from:max(from, to)]...)
			if int64(len(blocks[next])) < b.Size {
				break // the rest of it is in what is read next
			}
		}
		n += int64(i)
	}
	if err != io.EOF {
		return nil, fmt.Errorf("read back %s: %w", key, err)
	}
	if n != want.Size || info.Size != want.Size || pack.Digest(h.Sum(nil)) != want.SHA256 {
		return nil, fmt.Errorf("%s: %w (%d bytes stored, %d written)", key, errReadBack, n, want.Size)
	}
	return blocks, nil
}
