package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/study"
)

// derivation is one attempt at one study.
type derivation struct {
	*Pipeline
	rank   uint64 // older studies go first on the cores
	key    catalog.StudyKey
	job    catalog.Job
	store  objstore.Store // of the hot tier
	tier   string
	class  objstore.Class
	log    *slog.Logger
	ctx    context.Context
	parent *study.Study // nil for a new study
	spool  *spool       // nil: without previews

	patient string // of the study, for comparison only; never logged or stored

	overlays atomic.Bool // an image with overlay planes came

	mu          sync.Mutex
	arrived     map[string]bool        // SOP Instance UIDs of the source files, as far as they are told
	known       map[pack.Digest]bool   // received files that are in a volume already
	sizes       map[sizedInstance]bool // the same, as far as a header tells
	quarantined []catalog.Quarantined
	progress    func(Progress)
	total       Progress
}

// Progress is how far a study is.
type Progress struct {
	Study       string `json:"study"` // hash of the study's key
	Files       int
	RawBytes    int64
	StoredBytes int64
}

// sizedInstance is what can be said of a file before it is hashed.
type sizedInstance struct {
	series, sop string
	size        int64
}

// errKnown says that the very same file is stored already.
var errKnown = errors.New("already stored")

func (d *derivation) isKnown(sum pack.Digest) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known[sum] {
		return true
	}
	d.known[sum] = true // the same file may be in the arrival twice
	return false
}

func (d *derivation) packKey(n int) string {
	return catalog.PackKey(d.key, d.job.ID, d.job.Attempt, n)
}

// item is one step of the writer: ready is closed when write and err are set.
type item struct {
	ready chan struct{}
	write func(*volumes) error
	err   error
	free  []func() // budget to give back after writing
}

func newItem(free ...func()) *item { return &item{ready: make(chan struct{}), free: free} }

// openFiles is how many small files of a study are read and worked on ahead of the writer.
const openFiles = 64

// packAll reads, encodes and writes all files and returns the volumes that hold them.
func (d *derivation) packAll(files []catalog.SourceFile) ([]*volume, error) {
	if len(files) == 0 {
		return nil, nil
	}
	// What the store holds while a volume goes to it is taken first, and from a part of the budget of its own: nobody
	// who holds bytes of files waits for it, and who holds it waits for those only, so nobody waits in a circle.
	start := time.Now()
	free, err := d.puts.Acquire(d.ctx, d.store.Capabilities().PutBytes)
	d.times.add(&d.times.Budget, start)
	if err != nil {
		return nil, err
	}
	defer free()
	g, ctx := errgroup.WithContext(d.ctx)
	queue := make(chan *item, openFiles)
	g.Go(func() error {
		defer close(queue)
		return d.produce(ctx, g, files, queue)
	})
	var out []*volume
	g.Go(func() error {
		v := newVolumes(ctx, d)
		for it := range queue {
			select {
			case <-it.ready:
			case <-ctx.Done():
				v.abort(context.Cause(ctx))
				return context.Cause(ctx)
			}
			err := it.err
			if err == nil && it.write != nil {
				err = it.write(v)
			}
			for _, free := range it.free {
				free()
			}
			if err != nil {
				v.abort(err)
				return err
			}
		}
		if ctx.Err() != nil {
			v.abort(context.Cause(ctx))
			return context.Cause(ctx)
		}
		var err error
		out, err = v.close()
		return err
	})
	err = g.Wait()
	return out, err
}

// produce starts the work on every file, in order, as the budget allows.
func (d *derivation) produce(ctx context.Context, g *errgroup.Group, files []catalog.SourceFile, queue chan<- *item) error {
	for number, src := range files {
		if src.Size > d.wholeFile {
			if err := d.streamFile(ctx, src, number, queue); err != nil {
				return err
			}
			continue
		}
		start := time.Now()
		free, err := d.budget.Acquire(ctx, weight(src.Size))
		d.times.add(&d.times.Budget, start)
		if err != nil {
			return err
		}
		it := newItem(free)
		if err := send(ctx, queue, it); err != nil {
			free()
			return err
		}
		readers := d.readersOf(src)
		if err := readers.acquire(ctx, d.rank); err != nil {
			return err
		}
		g.Go(func() error {
			defer readers.release()
			defer close(it.ready)
			p, err := d.prepareWhole(ctx, src, number)
			it.write, it.err = d.outcomeOfFile(ctx, src, number, p, err)
			return it.err
		})
	}
	return nil
}

func send(ctx context.Context, queue chan<- *item, it *item) error {
	select {
	case queue <- it:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// outcomeOfFile turns what became of a file into what the writer does.
func (d *derivation) outcomeOfFile(ctx context.Context, src catalog.SourceFile, number int, p *prepared, err error) (func(*volumes) error, error) {
	var bad *rejected
	switch {
	case errors.Is(err, errKnown):
		return func(*volumes) error { d.report(src.Size, 0); return nil }, nil
	case errors.As(err, &bad):
		return nil, d.quarantine(ctx, src, number, bad)
	case err != nil:
		return nil, fmt.Errorf("source file %d: %w", number, err)
	}
	return func(v *volumes) error {
		defer d.release(p)
		stored := int64(len(p.header))
		for _, f := range p.frames {
			stored += int64(len(f.Data) + len(f.Residue))
		}
		err := v.add(p)
		d.report(src.Size, stored)
		return err
	}, nil
}

func (d *derivation) report(raw, stored int64) {
	d.mu.Lock()
	d.total.Files++
	d.total.RawBytes += raw
	d.total.StoredBytes += stored
	now := d.total
	d.mu.Unlock()
	if d.progress != nil {
		d.progress(now)
	}
}

// quarantine stores the bytes of a file that cannot be part of the study; they may be the only copy.
func (d *derivation) quarantine(ctx context.Context, src catalog.SourceFile, number int, why *rejected) error {
	h, err := d.sources.openFile(ctx, src, number)
	if err != nil {
		return err
	}
	defer h.Close()
	q, err := PutQuarantine(ctx, d.store, d.key.Tenant, h, src.Size, why.reason)
	if err != nil {
		return fmt.Errorf("source file %d: quarantine: %w", number, err)
	}
	if err := h.check(); err != nil {
		return err
	}
	q.SOPUID = why.sop
	d.mu.Lock()
	d.quarantined = append(d.quarantined, q)
	d.mu.Unlock()
	d.log.Warn("file quarantined", "file", number, "sha256", q.SHA256, "reason", why.reason)
	d.report(src.Size, 0)
	return nil
}

// filesOf merges arrivals into one list of files in a fixed order, so that a
// repeated attempt makes the same volumes: by series, then as the series is
// numbered, then by SOP Instance UID. A file queued twice counts once, as it was pinned last.
func filesOf(arrivals []catalog.Arrival) []catalog.SourceFile {
	at := map[string]int{}
	var files []catalog.SourceFile
	for _, a := range arrivals {
		for _, f := range a.Files {
			if i, ok := at[f.Path]; ok {
				files[i] = f
				continue
			}
			at[f.Path] = len(files)
			files = append(files, f)
		}
	}
	sort.SliceStable(files, func(i, j int) bool {
		a, b := &files[i], &files[j]
		switch {
		case a.SeriesUID != b.SeriesUID:
			return a.SeriesUID < b.SeriesUID
		case a.Number != b.Number:
			return a.Number < b.Number
		case a.SOPUID != b.SOPUID:
			return a.SOPUID < b.SOPUID
		}
		return a.Path < b.Path
	})
	return files
}

// byKind parts DICOM files and JSON annotations.
func byKind(files []catalog.SourceFile) (images, annotations []catalog.SourceFile) {
	for _, f := range files {
		if f.Kind == catalog.KindOfAnnotation {
			annotations = append(annotations, f)
		} else {
			images = append(images, f)
		}
	}
	return images, annotations
}

// choosePatient finds whose study this is: that of the stored instances, else
// of the largest group of the new files. One file is read for it.
func (d *derivation) choosePatient(ctx context.Context, files []catalog.SourceFile) error {
	if d.parent != nil {
		for _, in := range d.parent.Instances() {
			if f, _, err := in.Scan(ctx); err == nil && f.PatientKey != "" {
				d.patient = f.PatientKey
				return nil
			}
		}
	}
	count := map[int]int{}
	for _, f := range files {
		count[f.Group]++
	}
	delete(count, 0) // no patient id
	best := 0
	for g, n := range count {
		if best == 0 || n > count[best] || n == count[best] && g < best {
			best = g
		}
	}
	if len(count) < 2 && d.parent == nil {
		return nil // nothing to choose between
	}
	for number, src := range files {
		if src.Group != best {
			continue
		}
		h, err := d.sources.openFile(ctx, src, number)
		if err != nil {
			return err
		}
		f, err := scanSource(h, src.Size, dcm.Limits{SkipFragments: true})
		h.Close()
		var unread *unreadError
		if errors.As(err, &unread) {
			return err
		}
		if err == nil && f.PatientKey != "" {
			d.patient = f.PatientKey
			return nil
		}
	}
	return nil
}

// adopt looks for volumes that an earlier attempt of this job left in the
// store. A volume whose every byte reads back intact, and that repeats nothing already known, is used again.
func (d *derivation) adopt(ctx context.Context) ([]*volume, error) {
	if d.job.Tries() < 2 {
		return nil, nil
	}
	named := map[string]bool{}
	if d.parent != nil {
		for _, p := range d.parent.Manifest.Packs {
			named[p.Key] = true
		}
	}
	var out []*volume
	for info, err := range d.store.List(ctx, catalog.PackPrefix(d.key, d.job.ID), "") {
		if err != nil {
			return nil, err
		}
		if named[info.Key] {
			continue
		}
		v, err := d.tryAdopt(ctx, info)
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			d.log.Info("volume of an earlier attempt not adopted", "key", info.Key, "reason", err)
			continue
		}
		d.remember(v.index)
		d.log.Info("volume of an earlier attempt adopted", "key", info.Key, "instances", v.pack.Instances)
		out = append(out, v)
	}
	return out, nil
}

func (d *derivation) tryAdopt(ctx context.Context, info objstore.Info) (*volume, error) {
	sum, err := digestOf(ctx, d.store, info.Key)
	if err != nil {
		return nil, err
	}
	vol, err := pack.OpenVolume(ctx, pack.StoreRanger(d.store, info.Key), info.Size)
	if err != nil {
		return nil, err
	}
	if vol.Index.StudyUID != d.key.UID {
		return nil, errors.New("it is of another study")
	}
	for i := range vol.Index.Instances {
		in := &vol.Index.Instances[i]
		if d.known[in.FileSHA256] {
			return nil, errors.New("it repeats stored instances")
		}
		if !d.arrived[in.SOPUID] {
			return nil, errors.New("it holds what is made of stored instances")
		}
	}
	if _, err := vol.Verify(ctx, pack.NewDecoders(d.set), pack.VerifyOptions{Decode: true}); err != nil {
		return nil, err
	}
	return &volume{index: vol.Index, pack: packOf(vol.Index, info.Key, d.tier, sum, info.Modified)}, nil
}

// remember notes that the instances of a volume are stored.
func (d *derivation) remember(x *pack.Index) {
	for i := range x.Instances {
		in := &x.Instances[i]
		d.known[in.FileSHA256] = true
		d.sizes[sizedInstance{in.SeriesUID, in.SOPUID, in.FileSize}] = true
	}
}

// result is what an attempt adds to a study.
type result struct {
	volumes     []*volume
	previews    []catalog.Pack
	quarantined []catalog.Quarantined
	bundle      *catalog.Bundle
	withdrawn   []catalog.Withdrawn
	about       *catalog.About // nil: nothing new came
	annotations []catalog.Annotation
	regions     *regioned
}

// derive does all work of an attempt that comes before the commit.
func (d *derivation) derive(files []catalog.SourceFile) (*result, error) {
	d.known, d.sizes, d.arrived = map[pack.Digest]bool{}, map[sizedInstance]bool{}, map[string]bool{}
	for _, f := range files {
		d.arrived[f.SOPUID] = true
	}
	for _, v := range d.received() {
		d.remember(v.Index)
	}
	adopted, err := d.adopt(d.ctx)
	if err != nil {
		return nil, fmt.Errorf("adopt volumes: %w", err)
	}
	images, annotations := byKind(files)
	if err := d.choosePatient(d.ctx, images); err != nil {
		return nil, err
	}
	if !d.previews.Off && preview.Able(d.set) {
		d.spool = &spool{}
		defer func() { d.spool.close() }()
	}
	made, err := d.packAll(images)
	if err != nil {
		return nil, err
	}
	res := &result{volumes: append(adopted, made...), quarantined: d.quarantined}
	if res.annotations, err = d.storeAnnotations(d.ctx, annotations); err != nil {
		return nil, err
	}
	if len(res.volumes) > 0 {
		if res.previews, err = d.makePreviews(res.volumes, len(made)); err != nil {
			return nil, fmt.Errorf("previews: %w", err)
		}
		start := time.Now()
		res.bundle, res.withdrawn, err = d.makeBundle(res.volumes, len(res.previews))
		d.times.add(&d.times.Bundle, start)
		if err != nil {
			return nil, err
		}
	}
	d.spool.close()
	d.spool = nil // regions have no previews
	if res.about, err = d.about(d.ctx, res.volumes); err != nil {
		return nil, err
	}
	if res.regions, err = d.makeRegions(d.ctx, res); err != nil {
		return nil, fmt.Errorf("regions: %w", err)
	}
	return res, nil
}
