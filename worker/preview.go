package worker

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/study"
)

// PreviewOptions says what a study gets as previews. The zero value is the default.
type PreviewOptions struct {
	Off   bool // no preview packs
	Limit preview.Limit
}

// previewing makes the preview packs of what an attempt adds to a study.
type previewing struct {
	*derivation
	view  *study.Study // the new volumes alone
	fresh []*volume
	own   map[string]int // volume key -> its number in this attempt, for the spool
	first int            // number of the first pack
	tools sync.Pool      // of *previewTools
	packs []catalog.Pack
	cur   *previewPack
}

// previewTools is what one goroutine makes small pictures with.
type previewTools struct {
	maker *preview.Maker
	dec   *pack.Decoders
}

// previewPack is a pack that is being written.
type previewPack struct {
	key    string
	index  *preview.Index
	seen   preview.Descriptions
	writer *preview.Writer
	bytes  *spill
	count  int // instances
	frames int // with a small picture
}

// makePreviews writes the small pictures of all images in the new volumes. made
// is how many of them this attempt wrote itself: their numbers come before those of preview packs.
// Late arrivals get preview packs of their own; those that are there stay as they are.
func (d *derivation) makePreviews(volumes []*volume, made int) ([]catalog.Pack, error) {
	if d.previews.Off || !preview.Able(d.set) || len(volumes) == 0 {
		return nil, nil
	}
	start := time.Now()
	defer d.times.add(&d.times.Preview, start)
	m := &catalog.Manifest{Tenant: d.key.Tenant, StudyUID: d.key.UID}
	var open []*pack.Volume
	p := &previewing{derivation: d, fresh: volumes, own: map[string]int{}, first: made}
	for i, v := range volumes {
		m.Packs = append(m.Packs, v.pack)
		open = append(open, v.open(d.store))
		if k := i - (len(volumes) - made); k >= 0 {
			p.own[v.pack.Key] = k
		}
	}
	p.view = study.Assemble(m, open, d.set)
	p.tools.New = func() any { return &previewTools{preview.NewMaker(d.set), pack.NewDecoders(d.set)} }
	defer p.discard()
	var list []study.Instance
	for _, in := range p.view.Instances() { // sorted by series
		if len(list) > 0 && list[0].SeriesUID != in.SeriesUID {
			if err := p.series(d.ctx, list); err != nil {
				return nil, err
			}
			list = nil
		}
		list = append(list, in)
	}
	if err := p.series(d.ctx, list); err != nil {
		return nil, err
	}
	if err := p.finish(d.ctx); err != nil {
		return nil, err
	}
	return p.packs, nil
}

// shownInstance is an instance that has pictures.
type shownInstance struct {
	study.Instance
	described *preview.Described
	image     preview.Image
	frames    int
	entries   bool // every frame is an entry of the volume
}

// series makes the pictures of one series, in the order in which they are shown.
func (p *previewing) series(ctx context.Context, list []study.Instance) error {
	var shown []*shownInstance
	for _, in := range list {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		x, err := p.describe(ctx, in)
		if err != nil {
			return err
		}
		if x != nil {
			shown = append(shown, x)
		}
	}
	if len(shown) == 0 {
		return nil
	}
	preview.Order(shown, func(x *shownInstance) (*preview.Described, string) { return x.described, x.SOPUID })
	var costs []preview.Cost
	s := preview.Series{UID: shown[0].SeriesUID, Modality: shown[0].described.Modality, Number: shown[0].described.SeriesNumber}
	for _, x := range shown {
		for n := range x.Frames {
			e := x.Volume.Index.Entries[x.Frames[n].Entry]
			s.FullBytes += e.Size
			if p.cuts(x, e) {
				costs = append(costs, preview.Cost{Width: x.image.Columns, Height: x.image.Rows, LevelEnds: e.LevelEnds, Bytes: e.Size})
			}
		}
	}
	s.Side = p.previews.Limit.Choose(costs)
	return p.write(ctx, s, shown)
}

// cuts reports whether the small pictures of an instance are cut out of codestreams like this one.
func (p *previewing) cuts(x *shownInstance, e pack.Entry) bool {
	known, ok := p.set.Lookup(study.FrameSyntax(x.Instance, e))
	return ok && known.Reduce != nil && study.PreviewMethod(x.Instance.Instance, x.image.Photometric, x.image.Bits) == preview.Averaged &&
		p.previews.Limit.Levels(x.image.Columns, x.image.Rows, e.LevelEnds)
}

// describe reads the header of an instance; nil if it is no image.
func (p *previewing) describe(ctx context.Context, in study.Instance) (*shownInstance, error) {
	if in.Image == nil && in.Reason == "" && len(in.Frames) == 0 {
		return nil, nil
	}
	f, r, err := in.Scan(ctx)
	if err != nil {
		if ctx.Err() != nil || objstore.IsTransient(err) {
			return nil, err
		}
		p.log.Info("no preview of an instance", "sop", printableUID(in.SOPUID), "reason", err)
		return nil, nil
	}
	if f.Pixel == nil || f.Image == nil {
		return nil, nil
	}
	ds, err := dcm.ReadDataset(r, f, dcm.Limits{})
	if err != nil {
		p.log.Info("no preview of an instance", "sop", printableUID(in.SOPUID), "reason", err)
		return nil, nil
	}
	x := &shownInstance{Instance: in, frames: len(in.Frames), entries: true, image: study.PreviewImage(f.Image)}
	if x.frames == 0 { // native frames that are kept as long values, or codestreams that cannot be told apart
		x.frames, x.entries = 1, false
		if bits := f.FrameBits(); !f.Pixel.Encapsulated && bits > 0 && f.Image.Frames > 0 && int64(f.Image.Frames) <= f.Pixel.Length*8/bits {
			x.frames = f.Image.Frames
		}
	}
	x.described = preview.Describe(ds, x.frames)
	return x, nil
}

// write makes the pictures of a series and writes them in order; several are under way at once.
func (p *previewing) write(ctx context.Context, s preview.Series, shown []*shownInstance) error {
	g, ctx := errgroup.WithContext(ctx)
	queue := make(chan *smallFrame, previewsAhead)
	g.Go(func() error {
		defer close(queue)
		for _, x := range shown {
			for n := range x.frames {
				t := &smallFrame{in: x, n: n, ready: make(chan struct{})}
				if err := p.begin(ctx, g, t, s.Side, queue); err != nil {
					return err
				}
			}
		}
		return nil
	})
	g.Go(func() error {
		part := s
		for _, x := range shown {
			if err := p.room(ctx, &part, s); err != nil {
				return err
			}
			if err := p.instance(ctx, &part, x, queue); err != nil {
				return err
			}
		}
		return p.endSeries(&part)
	})
	err := g.Wait()
	for t := range queue { // after an error: nobody works on them any more
		t.free()
	}
	return err
}

// previewsAhead is how many small pictures of a study are begun before the one that is written next.
const previewsAhead = 64

// smallFrame is one small picture under way.
type smallFrame struct {
	in    *shownInstance
	n     int
	ready chan struct{} // closed when the rest is set
	frame preview.Frame
	small []byte
	err   error
	free  func()
}

// begin takes the memory for a small picture and starts to make it.
func (p *previewing) begin(ctx context.Context, g *errgroup.Group, t *smallFrame, side int, queue chan<- *smallFrame) error {
	weight := pictureWeight(t.in.Instance)
	var cut *pack.Entry
	if t.in.entries {
		e := t.in.Volume.Index.Entries[t.in.Frames[t.n].Entry]
		weight += e.Size
		if known, ok := p.set.Lookup(study.FrameSyntax(t.in.Instance, e)); ok && known.Reduce != nil {
			t.frame.Full, t.frame.LevelEnds = pack.Range{e.Offset, e.Size}, e.LevelEnds
		}
		if side > 0 && p.cuts(t.in, e) {
			cut = &e
			t.frame.Factor = preview.Drop(t.in.image.Columns, t.in.image.Rows, len(e.LevelEnds), side)
			if e.Coding.Syntax() == preview.Syntax { // others may turn out not to be cut
				weight = 4*preview.Prefix(e.LevelEnds, t.frame.Factor) + 16<<10
			}
		}
	}
	free, err := p.budget.Acquire(ctx, weight) // in the order in which they are written: nobody waits in a circle
	if err != nil {
		return err
	}
	t.free = sync.OnceFunc(free)
	select {
	case queue <- t:
	case <-ctx.Done():
		free()
		return context.Cause(ctx)
	}
	if err := p.readers.acquire(ctx, p.rank); err != nil { // as many at once as source files, so that a slow store does not add up
		return err
	}
	g.Go(func() error {
		defer p.readers.release()
		defer close(t.ready)
		t.err = p.make(ctx, t, cut)
		return t.err
	})
	return nil
}

// make makes a small picture. What cannot be made is said in the index; the error is that of a store, or the end of ctx.
func (p *previewing) make(ctx context.Context, t *smallFrame, cut *pack.Entry) (err error) {
	tools := p.tools.Get().(*previewTools)
	defer func() {
		if v := recover(); v != nil { // its tools are not used again
			p.log.Error("panic", "value", fmt.Sprint(v), "stack", string(debug.Stack()))
			p.none(t, errors.New("the program panicked on this frame"))
			err = nil
			return
		}
		p.tools.Put(tools)
	}()
	if cut != nil {
		err = p.reduce(ctx, tools, t)
		if err == nil || ctx.Err() != nil || objstore.IsTransient(err) {
			return err
		}
		p.log.Info("preview is made from samples", "sop", printableUID(t.in.SOPUID), "frame", t.n, "reason", err)
	}
	err = p.fromSamples(ctx, tools, t)
	if err == nil || ctx.Err() != nil || objstore.IsTransient(err) {
		return err
	}
	p.none(t, err)
	return nil
}

// none notes that a frame has no small picture.
func (p *previewing) none(t *smallFrame, why error) {
	p.log.Info("no preview of a frame", "sop", printableUID(t.in.SOPUID), "frame", t.n, "reason", why)
	f := &t.frame
	f.Method, f.Factor, f.Width, f.Height, f.Header, f.Parts, f.Scaled = preview.None, 0, 0, 0, nil, 0, false
	f.Scale, f.Base, f.Reason, t.small = 0, 0, why.Error(), nil
	f.Reason = f.Reason[:min(len(f.Reason), 500)]
}

func (p *previewing) reduce(ctx context.Context, tools *previewTools, t *smallFrame) error {
	n := preview.Prefix(t.frame.LevelEnds, t.frame.Factor)
	var prefix []byte
	found := false
	if number, own := p.own[p.fresh[t.in.Pack].pack.Key]; own {
		prefix, found = p.spool.get(spooled{number, t.in.Index, t.n}, n)
	}
	if !found {
		var err error
		if prefix, _, err = t.in.Volume.FramePrefix(ctx, t.in.Index, t.n, n); err != nil {
			return err
		}
	}
	var err error
	t.small, err = tools.maker.Reduce(nil, &t.frame, prefix, t.in.image.Columns, t.in.image.Rows)
	return err
}

func (p *previewing) fromSamples(ctx context.Context, tools *previewTools, t *smallFrame) error {
	file, r, err := t.in.Scan(ctx)
	if err != nil {
		return err
	}
	s, err := p.view.Samples(ctx, tools.dec, t.in.Instance, file, r, t.n)
	if err != nil {
		return err
	}
	f := &t.frame
	f.Method, f.Factor = s.Method, p.previews.Limit.Divisor(s.View.Width, s.View.Height)
	f.Scaled, f.Scale, f.Base = s.Scaled, s.Scale, s.Base
	t.small, err = tools.maker.Encode(ctx, nil, f, s.View, s.Photometric)
	return err
}

// instance writes the pictures of one instance as they come.
func (p *previewing) instance(ctx context.Context, part *preview.Series, x *shownInstance, queue <-chan *smallFrame) error {
	o := p.cur
	in := preview.Instance{SOPUID: x.SOPUID, ClassUID: x.ClassUID, Number: x.described.Number, Volume: x.Pack, Index: x.Index,
		Image: o.seen.Image(o.index, x.image), PHIRisk: x.described.PHIRisk, Frames: make([]preview.Frame, x.frames)}
	held := func() {} // after an error; a second time does nothing
	defer func() { held() }()
	for n := range x.frames {
		var t *smallFrame
		select {
		case t = <-queue:
		case <-ctx.Done():
		}
		if t == nil {
			return context.Cause(ctx)
		}
		held = t.free
		select {
		case <-t.ready:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if t.err != nil {
			return t.err
		}
		o.seen.Frame(o.index, &t.frame, x.described, n)
		if t.small != nil {
			if err := o.writer.Add(&t.frame, t.small); err != nil {
				return err
			}
			o.frames++
		}
		in.Frames[n] = t.frame
		t.free()
	}
	o.count++
	part.Instances = append(part.Instances, in)
	return nil
}

// room makes sure that there is a pack that can take more; a series is cut between instances only.
func (p *previewing) room(ctx context.Context, part *preview.Series, whole preview.Series) error {
	if p.cur != nil && p.cur.writer.Size() > p.volumeBytes {
		if err := p.endSeries(part); err != nil {
			return err
		}
		if err := p.finish(ctx); err != nil {
			return err
		}
		*part = whole
	}
	if p.cur != nil {
		return nil
	}
	o := &previewPack{key: p.packKey(p.first + len(p.packs)), bytes: &spill{},
		index: &preview.Index{StudyUID: p.key.UID, Writer: p.build}}
	for _, v := range p.fresh {
		sum, err := hex.DecodeString(v.pack.SHA256)
		if err != nil {
			return err
		}
		o.index.Volumes = append(o.index.Volumes, preview.Volume{Key: v.pack.Key, SHA256: pack.Digest(sum)})
	}
	o.writer = preview.NewWriter(o.bytes)
	p.cur = o
	return nil
}

func (p *previewing) endSeries(part *preview.Series) error {
	if len(part.Instances) == 0 {
		return nil
	}
	p.cur.index.Series = append(p.cur.index.Series, *part)
	part.Instances = nil
	return p.cur.writer.EndSeries()
}

// finish completes the pack, puts it into the store and reads it back. Its frames may have been read from that very store, so it goes there whole.
func (p *previewing) finish(ctx context.Context) error {
	o := p.cur
	if o == nil {
		return nil
	}
	defer p.discard()
	sum, at, err := o.writer.Close(o.index)
	if err != nil {
		return err
	}
	free, err := p.puts.Acquire(ctx, p.store.Capabilities().PutBytes)
	if err != nil {
		return err
	}
	defer free()
	body, err := o.bytes.reader()
	if err != nil {
		return err
	}
	if _, err := p.store.Put(ctx, o.key, body, objstore.PutOptions{Class: p.class, Size: sum.Size, SHA256: sum.SHA256}); err != nil {
		return fmt.Errorf("put %s: %w", o.key, err)
	}
	if _, err := readBack(ctx, p.store, o.key, sum, nil); err != nil {
		return err
	}
	index := catalog.Range(at)
	p.packs = append(p.packs, catalog.Pack{Key: o.key, Class: catalog.ClassPreview, Tier: p.tier, Size: sum.Size, SHA256: hex.EncodeToString(sum.SHA256[:]),
		Instances: o.count, Frames: o.frames, Since: p.now().UTC().Truncate(time.Millisecond), Index: &index})
	return nil
}

// discard gives up what the pack under way holds.
func (p *previewing) discard() {
	if p.cur != nil {
		p.cur.bytes.close()
		p.cur = nil
	}
}
