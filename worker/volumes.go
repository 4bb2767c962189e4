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
	pack  catalog.Pack
	index *pack.Index
}

// volumes writes prepared instances to packs, one after the other. Each pack
// streams into the store while it is written, and is read back while the next one is written.
type volumes struct {
	d      *derivation
	ctx    context.Context
	checks *errgroup.Group // puts and read-backs under way
	cur    *openVolume
	number int
	done   []*volume // in the order of their numbers; complete after close
}

type openVolume struct {
	key    string
	writer *pack.Writer
	buffer *bufio.Writer
	pipe   *io.PipeWriter
	put    chan error
	slot   *volume
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
// into the volume; an instance never spans two.
func (v *volumes) room(bytes int64, entries int) error {
	if v.cur != nil && v.cur.count > 0 &&
		(v.cur.writer.Size()+bytes > v.d.volumeBytes || v.cur.writer.Entries()+entries > pack.MaxVolumeEntries) {
		if err := v.closeCurrent(); err != nil {
			return err
		}
	}
	if v.cur != nil {
		return nil
	}
	key := v.d.packKey(v.number)
	v.number++
	r, w := io.Pipe()
	o := &openVolume{key: key, pipe: w, buffer: bufio.NewWriterSize(w, pipeBytes), put: make(chan error, 1), slot: &volume{}}
	o.writer = pack.NewWriter(o.buffer, v.d.key.UID, v.d.build)
	v.done = append(v.done, o.slot)
	v.cur = o
	go func() {
		_, err := v.d.store.Put(v.ctx, key, r, objstore.PutOptions{Class: v.d.class, Size: -1})
		if err != nil {
			err = fmt.Errorf("put %s: %w", key, err)
		}
		r.CloseWithError(err) // a failed put ends the writer too
		o.put <- err
	}()
	return nil
}

// add writes a whole prepared instance.
func (v *volumes) add(p *prepared) error {
	size := int64(len(p.header))
	for _, f := range p.frames {
		size += int64(len(f.Data) + len(f.Residue))
	}
	for _, x := range p.values {
		size += int64(len(x.data))
	}
	if err := v.room(size, 2*len(p.frames)+len(p.values)); err != nil {
		return err
	}
	if err := v.begin(); err != nil {
		return err
	}
	for _, f := range p.frames {
		if err := v.frame(f); err != nil {
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

func (v *volumes) begin() error { return v.failed(v.cur.writer.Begin()) }

func (v *volumes) frame(f storedFrame) error {
	_, err := v.cur.writer.AddFrame(f.FrameData)
	v.cur.frames++
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
		if err := <-o.put; err != nil {
			return err
		}
		if err := readBack(v.ctx, v.d.store, o.key, sum); err != nil {
			return err
		}
		o.slot.index = index
		o.slot.pack = catalog.Pack{Key: o.key, Class: catalog.ClassFull, Tier: v.d.tier, Size: sum.Size, SHA256: hex.EncodeToString(sum.SHA256[:]),
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
// bytes prove every received file again without decoding twice.
func readBack(ctx context.Context, store objstore.Store, key string, want pack.Summary) error {
	r, info, err := store.Get(ctx, key, 0, -1)
	if err != nil {
		return fmt.Errorf("read back %s: %w", key, err)
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, r, make([]byte, pipeBytes))
	if err != nil {
		return fmt.Errorf("read back %s: %w", key, err)
	}
	if n != want.Size || info.Size != want.Size || pack.Digest(h.Sum(nil)) != want.SHA256 {
		return fmt.Errorf("%s: %w (%d bytes stored, %d written)", key, errReadBack, n, want.Size)
	}
	return nil
}
