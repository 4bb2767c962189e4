package interleave

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/lifecycle"
)

// inBucket returns the received files that the bucket alone gives back now: those of the published head. nil, nil if there is none.
func (w *world) inBucket(ctx context.Context) (*study.Study, map[[32]byte]study.Instance, error) {
	var infos []objstore.Info
	for info, err := range w.store.List(ctx, studyKey.Prefix()+"m/", "") {
		if err != nil {
			return nil, nil, err
		}
		infos = append(infos, info)
	}
	list, err := catalog.ManifestsOf(infos)
	if err != nil {
		return nil, nil, err
	}
	head, err := catalog.PublishedHead(list)
	if err != nil || head == nil {
		return nil, nil, err
	}
	m, err := catalog.LoadManifest(ctx, w.store, catalog.Ref{Key: head.Key})
	if err != nil {
		return nil, nil, err
	}
	s, err := study.Open(ctx, tierless{w.store}, m, all.Set())
	if err != nil {
		return nil, nil, err
	}
	files := map[[32]byte]study.Instance{}
	for _, in := range s.Instances() {
		files[in.FileSHA256] = in
	}
	return s, files, nil
}

// delivered is told of an event: from now on others rely on its generation.
func (w *world) delivered(e catalog.Event) error {
	if old, ok := w.events[e.ID]; ok && (old.Generation != e.Generation || old.Changed != e.Changed) {
		return fmt.Errorf("event %s was delivered twice with other contents", e.ID)
	}
	w.events[e.ID] = e
	s, files, err := w.inBucket(context.Background())
	switch {
	case err != nil:
		w.failed = fmt.Errorf("acknowledged, but the bucket cannot be read: %w", err)
	case s == nil || s.Manifest.Generation < e.Generation || len(files) < e.Totals.Instances:
		w.failed = fmt.Errorf("acknowledged early: event of generation %d with %d instances, which the bucket alone does not give back", e.Generation, e.Totals.Instances)
	}
	return nil
}

// acknowledged looks after every step whether a source file was removed: its bytes must be in the bucket then.
func (w *world) acknowledged() error {
	if w.failed != nil {
		return w.failed
	}
	var fresh []string
	for name := range w.f.sums {
		if _, err := os.Lstat(filepath.Join(w.dir, w.folder(name), name)); err != nil && !w.removed[name] {
			w.removed[name] = true
			fresh = append(fresh, name)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	_, files, err := w.inBucket(context.Background())
	if err != nil {
		return fmt.Errorf("a source file was removed, and the bucket cannot be read: %w", err)
	}
	for _, name := range fresh {
		if _, ok := files[w.f.sums[name]]; !ok {
			return fmt.Errorf("acknowledged early: source file %s was removed and the bucket alone does not give it back", name)
		}
	}
	return nil
}

// settle lets everything come to its end without faults: late puts land, a healthy worker does what is left, a sweep cleans up.
func (w *world) settle() error {
	w.choose = func(_ int, from []choice) choice { return from[0] }
	w.drive()
	if w.failed != nil {
		return w.failed
	}
	w.landAll()
	var last error
	if err := w.start("last", func(ctx context.Context, p *process) error { last = p.finish(ctx); return nil }); err != nil {
		return err
	}
	w.drive()
	return errors.Join(w.failed, last)
}

// forkLosesNothing: a catalog that is put back while a published mark is on its
// way can make two generations of one number. Then the study stops and a person
// looks: every file that a sender may have removed is in one of the published manifests.
func (w *world) forkLosesNothing() error {
	ctx := context.Background()
	var infos []objstore.Info
	for info, err := range w.store.List(ctx, studyKey.Prefix()+"m/", "") {
		if err != nil {
			return err
		}
		infos = append(infos, info)
	}
	list, err := catalog.ManifestsOf(infos)
	if err != nil {
		return err
	}
	have, held := map[[32]byte]bool{}, false
	for _, stored := range list {
		if !stored.Published {
			continue
		}
		m, err := catalog.LoadManifest(ctx, w.store, catalog.Ref{Key: stored.Key})
		if err != nil {
			return fmt.Errorf("a fork lost a manifest: %w", err)
		}
		held = held || isHeld(m)
		s, err := study.Open(ctx, tierless{w.store}, m, all.Set())
		if err != nil {
			return fmt.Errorf("a fork lost a generation: %w", err)
		}
		dec := s.NewDecoders()
		for _, in := range s.Instances() {
			if _, err := s.WriteOriginal(ctx, dec, in, io.Discard); err != nil {
				return fmt.Errorf("a fork lost an instance: %w", err)
			}
			have[in.FileSHA256] = true
		}
	}
	for name := range w.removed {
		if !have[w.f.sums[name]] {
			return fmt.Errorf("lost in a fork: source file %s was removed and no published manifest has it", name)
		}
	}
	if w.held && !held {
		return errors.New("lost in a fork: a hold that was acknowledged is in no published manifest")
	}
	w.f.forks.Add(1)
	return nil
}

// finish is the healthy worker at the end.
func (p *process) finish(ctx context.Context) error {
	w := p.w
	for round := 0; ; round++ {
		w.clock.Add(int64(jump))
		if err := catalog.Reconcile(ctx, p.db, p.store); err != nil {
			return fmt.Errorf("reconcile without faults: %w", err)
		}
		if round == 0 { // a sender that has no acknowledgement sends again
			if err := errors.Join(p.enqueue(ctx, "images", catalog.AfterDelete), p.enqueue(ctx, "report", catalog.AfterKeep)); err != nil {
				return err
			}
		}
		open := 0
		var failed []string
		var why string
		if err := p.db.Jobs(ctx, func(j catalog.Job) error {
			if j.State == catalog.JobFailed {
				failed = append(failed, j.ID)
			}
			open++
			why = fmt.Sprintf("job is %s: %s", j.State, j.LastError)
			return nil
		}, catalog.JobQueued, catalog.JobRunning, catalog.JobFailed, catalog.JobHeld); err != nil {
			return err
		}
		if open == 0 {
			break
		}
		if round == 8 {
			return fmt.Errorf("the study is not done after %d undisturbed rounds: %s", round, why)
		}
		for _, id := range failed { // killed too often to be believed innocent: a person gives it another chance
			if _, err := p.db.Reopen(ctx, id); err != nil && !errors.Is(err, catalog.ErrClosed) {
				return err
			}
		}
		if err := p.work(ctx, 1); err != nil {
			return err
		}
	}
	if err := p.lift(ctx); err != nil {
		return err
	}
	w.clock.Add(int64(jump))
	if err := catalog.Reconcile(ctx, p.db, p.store); err != nil {
		return err
	}
	if err := p.db.Events(ctx, w.delivered); err != nil {
		return err
	}
	if err := p.accounted(ctx); err != nil {
		return err
	}
	if err := p.sweep(ctx); err != nil {
		return err
	}
	return w.invariants(ctx, p.db)
}

// lift ends the hold, so that a sweep can clean up; one that was acknowledged must be there.
func (p *process) lift(ctx context.Context) error {
	m, err := catalog.LoadHead(ctx, p.db, p.store, studyKey)
	switch {
	case err != nil:
		return err
	case !isHeld(m) && p.w.held:
		return errors.New("lost: a hold that was acknowledged")
	case !m.HeldAt(p.w.now()):
		return nil
	}
	_, err = lifecycle.LiftHold(ctx, p.db, p.store, studyKey, holdID, "office", "settled")
	return err
}

// accounted: what lies in the bucket is what manifests name, and what a sweep would remove.
func (p *process) accounted(ctx context.Context) error {
	rest, err := lifecycle.Sweep(ctx, p.db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: p.store}},
		lifecycle.SweepOptions{Grace: time.Nanosecond, Now: p.w.now, DryRun: true})
	if err != nil {
		return err
	}
	if len(rest.Skipped)+rest.Unknown+rest.Open > 0 {
		return fmt.Errorf("the sweep cannot account for everything: %+v", rest)
	}
	orphans := map[string]int64{}
	for _, o := range rest.Objects {
		orphans[o.Key] = o.Bytes
	}
	named, err := p.w.named(ctx)
	if err != nil {
		return err
	}
	for info, err := range p.w.store.List(ctx, "", "") {
		if err != nil {
			return err
		}
		if _, isOrphan := orphans[info.Key]; !isOrphan && !named[info.Key] {
			return fmt.Errorf("stored bytes are not accounted for: %s (%d bytes) is neither named nor an orphan of the sweep", info.Key, info.Size)
		} else if isOrphan && named[info.Key] {
			return fmt.Errorf("the sweep takes %s for an orphan, and the published head names it", info.Key)
		}
	}
	return nil
}

// named returns the keys that the published head's chain and the head itself name.
func (w *world) named(ctx context.Context) (map[string]bool, error) {
	s, _, err := w.inBucket(ctx)
	if err != nil || s == nil {
		return nil, errors.Join(err, errors.New("there is no published head in the end"))
	}
	named := map[string]bool{}
	s.Manifest.Objects(func(key string, _ catalog.Class, _ string, _ int64) { named[key] = true })
	for m := s.Manifest; ; {
		named[m.Key()], named[catalog.PublishedKey(m.Key())] = true, true
		if m.Parent == nil {
			return named, nil
		}
		if m, err = catalog.LoadManifest(ctx, w.store, *m.Parent); err != nil {
			return nil, err
		}
	}
}

// invariants holds the end state against the guarantees.
func (w *world) invariants(ctx context.Context, db *catalog.DB) error {
	s, files, err := w.inBucket(ctx)
	if err != nil {
		return err
	}
	if s == nil {
		return errors.New("there is no published head in the end")
	}
	// Every received file comes back.
	dec := s.NewDecoders()
	for name, sum := range w.f.sums {
		in, ok := files[sum]
		if !ok {
			return fmt.Errorf("lost: file %s is not in the published head", name)
		}
		var buf bytes.Buffer
		if _, err := s.WriteOriginal(ctx, dec, in, &buf); err != nil {
			return fmt.Errorf("lost: file %s cannot be rebuilt: %w", name, err)
		}
		if sha256.Sum256(buf.Bytes()) != sum {
			return fmt.Errorf("lost: file %s is rebuilt with other bytes", name)
		}
	}
	if n := len(s.Instances()); n != len(w.f.sums) {
		return fmt.Errorf("%d instances are stored of %d", n, len(w.f.sums))
	}
	// Nothing is left but what is named.
	named, err := w.named(ctx)
	if err != nil {
		return err
	}
	missing := maps.Clone(named)
	for info, err := range w.store.List(ctx, "", "") {
		if err != nil {
			return err
		}
		if !named[info.Key] {
			return fmt.Errorf("stored bytes are not accounted for: after the sweep there is still %s", info.Key)
		}
		delete(missing, info.Key)
	}
	for key := range missing {
		if catalog.PublishedKey(s.Manifest.Key()) == key || !isMark(key) { // who is named as parent by a published one needs no mark
			return fmt.Errorf("dangling: %s is named and not there", key)
		}
	}
	// One event for each generation.
	if !w.amnesia {
		count := map[int64]int{}
		for _, e := range w.events {
			if e.Changed {
				count[e.Generation]++
			}
		}
		for g := int64(1); g <= s.Manifest.Generation; g++ {
			if count[g] != 1 {
				return fmt.Errorf("events: generation %d of %d has %d", g, s.Manifest.Generation, count[g])
			}
		}
		if len(count) != int(s.Manifest.Generation) {
			return fmt.Errorf("events: of generations %v, the head is %d", slices.Sorted(maps.Keys(count)), s.Manifest.Generation)
		}
	}
	return w.rebuildEqualsSQL(ctx, db)
}

func isMark(key string) bool {
	o, ok := catalog.ParseKey(key)
	return ok && o.Kind == catalog.KindPublished
}

// rows is what a rebuild brings back of a catalog.
type rows struct {
	Studies  []catalog.Study
	Holdings []catalog.HoldingTotal
}

func rowsOf(ctx context.Context, db *catalog.DB) (r rows, err error) {
	for s, err := range db.Studies(ctx, catalog.Filter{}) {
		if err != nil {
			return r, err
		}
		s.Want, s.Done = 0, 0    // arrivals are the queue's, not the bucket's
		s.Accessed = time.Time{} // is not in the bucket
		r.Studies = append(r.Studies, s)
	}
	r.Holdings, err = db.HoldingTotals(ctx)
	return r, err
}

// rebuildEqualsSQL makes a second catalog from the bucket alone and compares.
func (w *world) rebuildEqualsSQL(ctx context.Context, db *catalog.DB) error {
	path := filepath.Join(w.dir, "rebuilt.db")
	if err := os.WriteFile(path, w.f.catalog, 0o600); err != nil {
		return err
	}
	fresh, err := catalog.Open(ctx, catalog.Config{DSN: path, Now: w.now})
	if err != nil {
		return err
	}
	defer fresh.Close()
	report, err := catalog.Rebuild(ctx, fresh, w.store, catalog.RebuildOptions{})
	if err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	if len(report.Forks)+len(report.Damaged)+len(report.Missing) > 0 {
		return fmt.Errorf("rebuild found forks %v, damage %v, missing studies %v", report.Forks, report.Damaged, report.Missing)
	}
	want, err := rowsOf(ctx, db)
	if err != nil {
		return err
	}
	got, err := rowsOf(ctx, fresh)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("rebuild differs from SQL:\nrebuilt %+v\nSQL     %+v", got, want)
	}
	return nil
}
