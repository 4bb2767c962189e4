package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/render"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/roi"
)

// Pipeline derives studies. One value serves all studies of a process: they share its cores, readers and budget.
type Pipeline struct {
	db      *catalog.DB
	stores  study.Stores
	set     *codecs.Set
	budget  *Budget
	puts    *Budget // a part of the bytes apart: what the store holds of the volumes that studies write
	cores   *cores
	readers *slots
	remote  *slots // objects of source buckets read at once
	sources *Sources
	bufs    *buffers
	times   *Times
	log     *slog.Logger
	now     func() time.Time
	hooks   catalog.Hooks
	phi     render.PHIPolicy

	tier        string
	class       objstore.Class
	owner       string
	build       string
	lease       time.Duration
	volumeBytes int64
	wholeFile   int64
	sequential  bool
	previews    PreviewOptions
	regions     roi.Policy
	codecs      CodecRules
	progress    func(Progress)
	shared      func(from, to string) (bool, objstore.Class)
	guard       lifecycle.Guard
	all         lifecycle.Stores
	thaws       func(objstore.Class) lifecycle.Retrieval

	started atomic.Uint64 // attempts so far
	stop    sync.Once
}

// PipelineOptions is what a pipeline needs. Zero values of the second group have defaults.
type PipelineOptions struct {
	DB     *catalog.DB
	Stores study.Stores
	Tier   string // name of the hot tier, to which packs are written
	// Sources opens source files; nil reads directories only.
	Sources *Sources
	Set     *codecs.Set
	Log     *slog.Logger

	Owner       string         // name of this process in leases
	Build       string         // version written into volumes
	Cores       int            // default GOMAXPROCS
	Readers     int            // source files read at once; default 4 per core
	BudgetBytes int64          // default 1 GiB
	Lease       time.Duration  // default 1 minute
	VolumeBytes int64          // default pack.MaxVolumeBytes
	WholeFile   int64          // files of more bytes are not held in memory but stream frame by frame; default 32 MiB
	Class       objstore.Class // storage class of packs; default the store's
	Now         func() time.Time
	Hooks       catalog.Hooks // for crash tests
	// Sequential makes a study's requests to the store one after the other, for tests that decide on the order of all that happens.
	Sequential bool
	// PHI says whether thumbnails may be made of pictures that may show a patient's name; default render.PHIMask.
	PHI      render.PHIPolicy
	Regions  roi.Policy // how much is kept around lesions; zero: roi.DefaultPolicy
	Codecs   CodecRules // which codec native frames are stored with; see CodecRules.Check
	Previews PreviewOptions
	Progress func(Progress)
	// Shared is lifecycle.Places.Shared of the tiers; nil: all of them are places of their own, with a class of their own by default.
	Shared func(from, to string) (shared bool, class objstore.Class)
	// Guard is asked before anything is deleted; see lifecycle.Clock.
	Guard lifecycle.Guard
	// All are all tiers, where an erasure looks for what a study has; zero: only the hot one.
	All lifecycle.Stores
	// Restores is how long restores of a class take; nil: as providers state.
	Restores func(objstore.Class) lifecycle.Retrieval
}

// maxPuts is how many studies write volumes at once at most to a store that holds memory for each, however large the budget is.
const maxPuts = 16

// NewPipeline starts the cores of a pipeline; Close ends them.
func NewPipeline(o PipelineOptions) *Pipeline {
	if o.Cores == 0 {
		o.Cores = runtime.GOMAXPROCS(0)
	}
	if o.Readers == 0 {
		o.Readers = 4 * o.Cores
	}
	if o.BudgetBytes == 0 {
		o.BudgetBytes = 1 << 30
	}
	if o.Lease == 0 {
		o.Lease = time.Minute
	}
	if o.VolumeBytes == 0 {
		o.VolumeBytes = pack.MaxVolumeBytes
	}
	if o.WholeFile == 0 {
		o.WholeFile = defaultWholeFile
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Regions == (roi.Policy{}) {
		o.Regions = roi.DefaultPolicy()
	}
	if o.PHI == "" {
		o.PHI = render.PHIMask
	}
	if o.Shared == nil {
		o.Shared = func(string, string) (bool, objstore.Class) { return false, "" }
	}
	if o.All.Hot.Store == nil {
		o.All.Hot = lifecycle.Tier{Name: o.Tier, Store: o.Stores.Hot()}
	}
	files, puts := o.BudgetBytes, int64(0)
	if store, err := o.Stores.Tier(o.Tier); err == nil { // otherwise every run says so
		puts = min(maxPuts*store.Capabilities().PutBytes, files/2)
		files -= puts
	}
	c := startCores(o.Cores, o.Set)
	return &Pipeline{db: o.DB, stores: o.Stores, set: o.Set, budget: NewBudget(files), puts: NewBudget(puts), cores: c, readers: newSlots(o.Readers), remote: newSlots(max(o.Readers, remoteReaders)), sources: o.Sources, bufs: &buffers{},
		times: &c.times, log: o.Log, now: o.Now, hooks: o.Hooks, phi: o.PHI, tier: o.Tier, class: o.Class, owner: o.Owner, build: writerOf(o.Build, o.Set), lease: o.Lease,
		volumeBytes: o.VolumeBytes, wholeFile: o.WholeFile, sequential: o.Sequential, previews: o.Previews, regions: o.Regions, codecs: o.Codecs, progress: o.Progress, shared: o.Shared, guard: o.Guard, all: o.All, thaws: o.Restores}
}

// writerOf names who makes frames: the build and, of each codec with kernels, those that it uses on this
// processor. Codecs have no versions of their own: they are part of the build.
func writerOf(build string, set *codecs.Set) string {
	s := build
	for _, x := range set.All() {
		if x.NewEncoder != nil && x.Kernels != nil {
			s += fmt.Sprintf("; %s %s/%s %s", x.UID, runtime.GOOS, runtime.GOARCH, x.Kernels())
		}
	}
	return s
}

// Close waits for work under way and ends the cores. No Run may be under way or follow.
func (p *Pipeline) Close() { p.stop.Do(p.cores.stop) }

// Times tells where the time of all studies so far went.
func (p *Pipeline) Times() *Times { return p.times }

// Run takes a job to its end: it owns it, derives the study, commits, and
// tells the catalog what became of it. The error says what happened; whether
// and when the job is tried again is decided already (see OutcomeOf).
func (p *Pipeline) Run(ctx context.Context, jobID string) error {
	job, err := catalog.Begin(ctx, p.db, p.stores.Hot(), jobID, p.owner, p.lease)
	if job.ID == "" {
		return err // not ours
	}
	if err == nil && job.Side && !forWorkers(job.Kind) { // whoever made it is gone before it was decided, and was told nothing
		return p.db.Release(ctx, job.ID, job.Attempt, catalog.Drop("its process ended before it was recorded"))
	}
	log := p.log.With("job", job.ID, "attempt", job.Attempt, "study", job.StudyKey.Hash())
	start := p.now()
	var m *catalog.Manifest
	if err == nil {
		m, err = p.underLease(ctx, job, log)
	}
	if err == nil {
		if job.Side {
			log.Info("side job done", "action", job.Kind, "generation", m.Generation, "args", job.Args, "seconds", p.now().Sub(start).Seconds())
			return nil
		}
		log.Info("study stored", "generation", m.Generation, "instances", m.Totals.Instances, "raw_bytes", m.Totals.RawBytes,
			"stored_bytes", m.Totals.StoredBytes, "status", m.Status, "seconds", p.now().Sub(start).Seconds())
		return nil
	}
	out := OutcomeOf(err, job.Failures+1)
	if ctx.Err() != nil && out.Kind != OutcomeDone && out.Kind != OutcomeStale {
		out = Outcome{Kind: OutcomeRequeue, Reason: "worker is shutting down"}
	}
	what := "study not stored"
	if job.Side {
		what = "side job not done"
	}
	log.Log(ctx, out.level(), what, "outcome", out.Kind.String(), "after", out.After, "err", err)
	return errors.Join(err, p.tell(context.WithoutCancel(ctx), job, out))
}

// underLease works on the job while its lease is renewed; it stops when the lease is lost.
func (p *Pipeline) underLease(ctx context.Context, job catalog.Job, log *slog.Logger) (*catalog.Manifest, error) {
	ctx, lost := context.WithCancelCause(ctx)
	beat := p.keepLease(ctx, job, lost)
	m, err := p.attempt(ctx, job, log)
	lost(nil)
	<-beat
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, catalog.ErrStale) {
		err = cause
	}
	return m, err
}

// errPanic is a fault of this program that one study brought to light; the others go on.
var errPanic = errors.New("the program panicked on this study")

// attempt does the work of one attempt.
func (p *Pipeline) attempt(ctx context.Context, job catalog.Job, log *slog.Logger) (_ *catalog.Manifest, err error) {
	defer func() {
		if v := recover(); v != nil {
			log.Error("panic", "value", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	if job.Side {
		return p.side(ctx, job, log)
	}
	arrivals, want, err := p.db.Arrivals(ctx, job.ID)
	if err != nil {
		return nil, err
	}
	parent, err := p.openHead(ctx, job.StudyKey)
	if err != nil {
		return nil, err
	}
	d := &derivation{Pipeline: p, rank: p.started.Add(1), key: job.StudyKey, job: job, store: p.stores.Hot(), tier: p.tier, class: p.class, log: log, ctx: ctx, parent: parent,
		progress: p.progress, total: Progress{Study: job.StudyKey.Hash()}}
	if err := p.hooks.Step(ctx, "owned"); err != nil {
		return nil, err
	}
	fresh, batches := d.uncovered(arrivals)
	files := filesOf(fresh)
	res, err := d.derive(files)
	if errors.Is(err, ErrSourceChanged) {
		err = p.repin(ctx, job, fresh, err)
	}
	if err != nil {
		return nil, err
	}
	if err := p.hooks.Step(ctx, "written"); err != nil {
		return nil, err
	}
	defer p.times.add(&p.times.Commit, time.Now())
	return catalog.Commit(ctx, p.db, p.stores.Hot(), catalog.CommitInput{Job: job.ID, Attempt: job.Attempt, Token: job.Token, Key: job.StudyKey, Owner: p.owner, Done: want, Batches: storedAsQueued(batches, fresh, files), Action: "derive", Citations: res.regions.citations,
		Hooks: p.hooks, Change: func(head *catalog.Manifest) (*catalog.Manifest, error) { return d.next(head, res) }})
}

// uncovered leaves out what the head covers already and what is gone since:
// the same files, pinned the same, came again, or a catalog restored from a backup forgot that they were done and
// disposed of. What is still there is read all the same: a pin does not prove the bytes. It also returns the digests of all.
func (d *derivation) uncovered(arrivals []catalog.Arrival) (fresh []catalog.Arrival, batches []string) {
	for _, a := range arrivals {
		batches = append(batches, a.Batch)
		if d.parent != nil && len(d.parent.Manifest.Quarantined) == 0 && slices.Contains(d.parent.Manifest.Batches, a.Batch) {
			a.Files = slices.DeleteFunc(slices.Clone(a.Files), func(f catalog.SourceFile) bool {
				_, err := os.Lstat(f.Path)
				return !IsBucketSource(f.Path) && errors.Is(err, os.ErrNotExist)
			})
		}
		fresh = append(fresh, a)
	}
	return fresh, batches
}

// openHead opens the study as it is now, nil if it is new. The bucket is asked, too: a catalog restored from a backup may not know its head.
func (p *Pipeline) openHead(ctx context.Context, key catalog.StudyKey) (*study.Study, error) {
	m, _, err := catalog.Heal(ctx, p.db, p.stores.Hot(), key.Tenant, key.Hash())
	if m == nil || err != nil {
		return nil, err
	}
	return study.Open(ctx, p.stores, m, p.set)
}

// errHeadMoved says that another job committed a generation meanwhile. The
// hot bundle would miss its volumes, so the attempt starts over and adopts its own.
var errHeadMoved = errors.New("the study has a newer generation")

// sameContent reports whether two generations of a study, nil for none, name the same images and documents: what was derived for one
// fits the other. Holds and the like may differ.
func sameContent(a, b *catalog.Manifest) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Generation == b.Generation ||
		slices.EqualFunc(a.Packs, b.Packs, func(p, q catalog.Pack) bool { return p.Key == q.Key }) &&
			(a.Hot == nil) == (b.Hot == nil) && (a.Hot == nil || a.Hot.Key == b.Hot.Key) &&
			(a.Regions == nil) == (b.Regions == nil) && (a.Regions == nil || a.Regions.Key == b.Regions.Key) &&
			slices.EqualFunc(a.Annotations, b.Annotations, func(p, q catalog.Annotation) bool { return p.Key == q.Key }) &&
			slices.EqualFunc(a.Quarantined, b.Quarantined, func(p, q catalog.Quarantined) bool { return p.SHA256 == q.SHA256 }) &&
			slices.EqualFunc(a.Withdrawn, b.Withdrawn, func(p, q catalog.Withdrawn) bool { return p == q }) &&
			a.Answered() == nil == (b.Answered() == nil)
}

// next is the manifest that follows head when the result is added to it.
func (d *derivation) next(head *catalog.Manifest, res *result) (*catalog.Manifest, error) {
	m := &catalog.Manifest{}
	if head != nil {
		*m = *head
	}
	var was *catalog.Manifest
	if d.parent != nil {
		was = d.parent.Manifest
	}
	if !sameContent(was, head) {
		return nil, errHeadMoved
	}
	quarantined := d.stillQuarantined(mergeQuarantined(m.Quarantined, res.quarantined), res)
	if head != nil && len(res.volumes) == 0 && len(quarantined) == len(m.Quarantined) && len(res.annotations) == 0 && !res.regions.changed && len(m.Trash) == 0 {
		return nil, catalog.ErrNothingToDo
	}
	m.Quarantined = quarantined
	m.Trash = nil // something came: it is decided anew what expires
	m.Packs = withoutRegions(m.Packs)
	for _, v := range res.volumes {
		m.Packs = append(m.Packs, v.pack)
	}
	m.Packs = append(append(m.Packs, res.previews...), res.regions.packs...)
	if res.bundle != nil {
		m.Hot = res.bundle
	}
	if m.Hot != nil { // region packs come last, and hold their index themselves
		hot := *m.Hot
		hot.Parts = append(hot.Parts[:min(len(hot.Parts), len(m.Packs)-len(res.regions.packs)):len(hot.Parts)], make([]catalog.BundlePart, len(res.regions.packs))...)
		m.Hot = &hot
	}
	if res.about != nil {
		m.About = res.about
	}
	m.Holds = withHolds(m.Holds, res.regions.holds)
	m.Regions, m.Cites = res.regions.record, res.regions.cites
	m.Annotations = mergeAnnotations(m.Annotations, res.annotations)
	m.Withdrawn = mergeWithdrawn(m.Withdrawn, res.withdrawn)
	m.Status = catalog.StatusStored
	if len(m.Quarantined) > 0 {
		m.Status = catalog.StatusPartial
	}
	d.summarise(m, res)
	return m, nil
}

// summarise fills totals and conflicts from the indexes of all volumes.
func (d *derivation) summarise(m *catalog.Manifest, res *result) {
	var indexes []*pack.Index
	for _, v := range d.received() {
		indexes = append(indexes, v.Index)
	}
	for _, v := range res.volumes {
		indexes = append(indexes, v.index)
	}
	type name struct{ series, sop string }
	versions := map[name][]*pack.Instance{}
	series := map[string]bool{}
	t := catalog.Totals{}
	for _, x := range indexes {
		for i := range x.Instances {
			in := &x.Instances[i]
			t.Instances++
			t.Frames += len(in.Frames)
			t.RawBytes += in.FileSize
			if in.Reason != "" {
				t.Passed++
			}
			series[in.SeriesUID] = true
			versions[name{in.SeriesUID, in.SOPUID}] = append(versions[name{in.SeriesUID, in.SOPUID}], in)
		}
	}
	t.Series = len(series)
	t.StoredBytes = m.StoredBytes()
	m.Totals = t

	m.Conflicts = nil
	for id, list := range versions {
		if len(list) < 2 {
			continue
		}
		c := catalog.Conflict{SeriesUID: id.series, SOPUID: id.sop, Kind: "header"}
		for _, in := range list {
			c.Files = append(c.Files, fmt.Sprintf("%x", in.FileSHA256))
			if in.SampleSHA256 != list[0].SampleSHA256 {
				c.Kind = "samples"
			}
		}
		m.Conflicts = append(m.Conflicts, c)
	}
	sort.Slice(m.Conflicts, func(i, j int) bool {
		a, b := m.Conflicts[i], m.Conflicts[j]
		if a.SeriesUID != b.SeriesUID {
			return a.SeriesUID < b.SeriesUID
		}
		return a.SOPUID < b.SOPUID
	})
}

func mergeQuarantined(have, more []catalog.Quarantined) []catalog.Quarantined {
	out := have[:len(have):len(have)]
	seen := map[string]bool{}
	for _, q := range have {
		seen[q.SHA256] = true
	}
	sort.Slice(more, func(i, j int) bool { return more[i].SHA256 < more[j].SHA256 })
	for _, q := range more {
		if !seen[q.SHA256] {
			seen[q.SHA256] = true
			out = append(out, q)
		}
	}
	return out
}

func mergeWithdrawn(have, more []catalog.Withdrawn) []catalog.Withdrawn {
	out := have[:len(have):len(have)]
	type name struct{ series, sop string }
	seen := map[name]bool{}
	for _, w := range have {
		seen[name{w.SeriesUID, w.SOPUID}] = true
	}
	for _, w := range more {
		if id := (name{w.SeriesUID, w.SOPUID}); !seen[id] {
			seen[id] = true
			out = append(out, w)
		}
	}
	return out
}

// keepLease renews the lease of a job until ctx ends. When the lease is lost, the work is cancelled with the reason.
func (p *Pipeline) keepLease(ctx context.Context, job catalog.Job, lost context.CancelCauseFunc) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(p.lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := p.db.Renew(ctx, job.ID, job.Attempt, p.lease); errors.Is(err, catalog.ErrStale) {
				if !p.decided(ctx, job) {
					lost(err)
				}
				return
			} else if err != nil && ctx.Err() == nil {
				p.log.Warn("lease not renewed; trying again", "job", job.ID, "err", err)
			}
		}
	}()
	return done
}

// decided reports whether this very attempt closed its job: there is no lease left to renew, and what it decided is yet to be published.
func (p *Pipeline) decided(ctx context.Context, job catalog.Job) bool {
	now, err := p.db.Job(ctx, job.ID)
	return err == nil && now.State == catalog.JobDone && now.Attempt == job.Attempt
}
