package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// Tier is a store by its configured name.
type Tier struct {
	Name  string
	Store objstore.Store
	// Clean removes what unfinished puts left and is older than that, and
	// returns how many there were. Nil if the store leaves nothing.
	Clean func(ctx context.Context, olderThan time.Duration) (int, error)
	// Uploads are the store's unfinished uploads. Nil if it keeps none.
	Uploads Uploader
}

// Stores is where a sweep looks. Manifests and hot bundles are in Hot; packs may be in any.
type Stores struct {
	Hot    Tier
	Others []Tier
}

func (s Stores) all() []Tier { return append([]Tier{s.Hot}, s.Others...) }

// DefaultGrace is long enough for every reader of an old generation to be done, and for every late put to have landed.
const DefaultGrace = 48 * time.Hour

// SweepOptions changes what a sweep does.
type SweepOptions struct {
	Guard  Guard            // asked before anything is removed
	Grace  time.Duration    // how long an orphan lies, or a superseded object is superseded, before it goes; 0 is DefaultGrace
	DryRun bool             // only report; heads are healed all the same
	Tenant string           // "" is all
	Now    func() time.Time // default time.Now
}

// Swept is an object that a sweep removed, or would remove in a dry run.
type Swept struct {
	Key    string `json:"key"`
	Tier   string `json:"tier"`
	Bytes  int64  `json:"bytes"`
	Reason string `json:"reason"`
}

// Skipped is a study that a sweep left alone, and why.
type Skipped struct {
	Study  string `json:"study"` // hash
	Reason string `json:"reason"`
}

// SweepReport is what a sweep found.
type SweepReport struct {
	DryRun     bool      `json:"dry_run"`
	Studies    int       `json:"studies"`    // looked at
	Objects    []Swept   `json:"objects"`    // in the order of removal
	Bytes      int64     `json:"bytes"`      // sum of Objects
	Young      int       `json:"young"`      // orphans and superseded objects within the grace period
	Recent     int       `json:"recent"`     // studies with nothing older than the grace period: they were not looked at
	Open       int       `json:"open"`       // orphans of jobs that may still adopt them
	Held       int       `json:"held"`       // superseded objects under a hold
	Unknown    int       `json:"unknown"`    // keys below a study that this program does not make
	Unfinished int       `json:"unfinished"` // what puts left that did not end: temporary files, uploads in parts
	Skipped    []Skipped `json:"skipped,omitempty"`
}

const (
	reasonManifest   = "manifest that was never decided; its job is over"
	reasonOrphan     = "no manifest names it; its job is over"
	reasonSuperseded = "a later generation took its place"
	reasonResumed    = "an earlier sweep was stopped while it removed this"
)

// Sweep removes objects that nothing names: orphans of jobs that are over, and
// objects that a later generation superseded. Each study's head is healed first. Within a study manifests go first,
// then packs, then hot bundles. One study's fault does not stop the others: it is in the report's Skipped.
func Sweep(ctx context.Context, db *catalog.DB, stores Stores, o SweepOptions) (SweepReport, error) {
	if o.Grace < 0 {
		return SweepReport{}, fmt.Errorf("sweep: grace is %v, must not be negative", o.Grace)
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	prefix := "t/"
	if o.Tenant != "" {
		if err := catalog.CheckTenant(o.Tenant); err != nil {
			return SweepReport{}, err
		}
		prefix += o.Tenant + "/"
	}
	s := &sweep{db: db, stores: stores, o: o, SweepReport: SweepReport{DryRun: o.DryRun}}
	if !o.DryRun {
		if err := o.Guard.ask(ctx); err != nil {
			return s.SweepReport, fmt.Errorf("sweep: %w", err)
		}
	}
	if err := s.resume(ctx); err != nil {
		return s.SweepReport, fmt.Errorf("sweep: %w", err)
	}
	for st, err := range studies(ctx, stores.all(), prefix) {
		if err == nil {
			err = s.study(ctx, st)
		}
		if err != nil {
			return s.SweepReport, fmt.Errorf("sweep: %w", err)
		}
	}
	for _, t := range stores.all() {
		if t.Uploads == nil {
			continue
		}
		if err := s.uploads(ctx, t, prefix); err != nil {
			return s.SweepReport, fmt.Errorf("sweep: %w", err)
		}
	}
	for _, t := range stores.all() {
		if t.Clean == nil || o.DryRun {
			continue
		}
		n, err := t.Clean(ctx, o.Grace)
		s.Unfinished += n
		if err != nil {
			return s.SweepReport, fmt.Errorf("sweep: clean tier %s: %w", t.Name, err)
		}
	}
	return s.SweepReport, nil
}

type sweep struct {
	SweepReport
	db     *catalog.DB
	stores Stores
	o      SweepOptions
}

func (s *sweep) skip(hash string, err error) {
	s.Skipped = append(s.Skipped, Skipped{hash, err.Error()})
}

// study sweeps one study.
func (s *sweep) study(ctx context.Context, st listed) error {
	s.Studies++
	if !s.anyOld(st) {
		s.Recent++
		return nil
	}
	head, list, err := catalog.Heal(ctx, s.db, s.stores.Hot.Store, st.key.Tenant, st.key.Hash)
	if err == nil {
		err = s.known(ctx, st, head, list)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		s.skip(st.key.Hash, err)
	}
	return nil
}

// anyOld is false where the grace period protects everything anyway: no manifest needs to be read.
func (s *sweep) anyOld(st listed) bool {
	return slices.ContainsFunc(st.objects, func(o found) bool { return s.old(o.info.Modified) })
}

func (s *sweep) old(since time.Time) bool { return s.o.Now().Sub(since) > s.o.Grace }

// known sweeps a study whose head is known. It sees to it that an erasure is carried out, and ends it.
func (s *sweep) known(ctx context.Context, st listed, head *catalog.Manifest, list []catalog.Stored) error {
	if head != nil && head.Erase != nil && !head.Erase.Taken.IsZero() { // what was put between the listing and the erasure must go, too, before the order does
		fresh, err := s.again(ctx, st)
		if err != nil {
			return err
		}
		st = fresh
	}
	before := s.Young + s.Open + s.Held
	if err := s.judge(ctx, st, head, list); err != nil {
		return err
	}
	if head != nil && head.Erase != nil && head.Erase.Taken.IsZero() && !s.o.DryRun {
		return s.ordered(ctx, head)
	}
	if head == nil || head.Erase == nil || head.Erase.Taken.IsZero() || s.Young+s.Open+s.Held > before {
		return nil
	}
	return s.erased(ctx, head)
}

// ordered queues the erasure that a head orders. Its job may be lost, unlike the order: with a catalog that was put back to an earlier moment or made again
// from the bucket, or with whoever gave the order and was stopped. An open one stays the only one.
func (s *sweep) ordered(ctx context.Context, head *catalog.Manifest) error {
	_, err := s.db.QueueSide(ctx, head.Tenant, head.Study().Hash(), ActionErase, orderArgs(head.Erase))
	return err
}

// again lists a study once more.
func (s *sweep) again(ctx context.Context, st listed) (listed, error) {
	fresh := listed{key: st.key}
	for o, err := range studies(ctx, s.stores.all(), st.key.Prefix()) {
		if err != nil {
			return listed{}, err
		}
		fresh.objects = append(fresh.objects, o.objects...)
	}
	return fresh, nil
}

// judge finds what of a study may go, asks the catalog, and removes what it grants.
func (s *sweep) judge(ctx context.Context, st listed, head *catalog.Manifest, list []catalog.Stored) error {
	needed := map[string]bool{} // manifests of the chain, and what the head names
	headKey := ""
	if head != nil {
		headKey = head.Key()
		needed[headKey] = true
		head.Objects(func(key string, _ catalog.Class, _ string, _ int64) { needed[key] = true })
	}
	for _, m := range list {
		if m.Published {
			needed[m.Key] = true
		}
	}
	var loose []found
	for _, o := range st.objects {
		switch key, ok := catalog.ParseKey(o.info.Key); {
		case !ok:
			s.Unknown++
		case key.Kind == catalog.KindPublished || needed[o.info.Key]:
		default:
			o.key = key
			loose = append(loose, o)
		}
	}
	if len(loose) == 0 {
		return nil
	}
	superseded := map[string]time.Time{}
	var erased time.Time // what was superseded or orphaned until then has no grace
	if head != nil {
		chain, err := catalog.Ancestors(ctx, s.stores.Hot.Store, list, head, true)
		if err != nil {
			return err
		}
		for i, m := range chain {
			needed[m.Key()] = true
			if m.Action == ActionErase && head.Erase != nil && !head.Erase.Taken.IsZero() && erased.IsZero() {
				erased = m.Created
			}
			if i > 0 {
				since := chain[i-1].Created
				m.Objects(func(key string, _ catalog.Class, _ string, _ int64) {
					if _, later := superseded[key]; !later && !needed[key] {
						superseded[key] = since
					}
				})
			}
		}
	}
	var ask []catalog.Removal
	for _, o := range loose {
		r := catalog.Removal{Tenant: st.key.Tenant, Hash: st.key.Hash, Key: o.info.Key, Tier: o.tier, Bytes: o.info.Size, Put: o.info.Modified}
		since, named := superseded[o.info.Key]
		switch {
		case needed[o.info.Key]:
			continue
		case named:
			r.Superseded, r.Reason = true, reasonSuperseded
			if head.HeldAt(s.o.Now()) {
				s.Held++
				continue
			}
		case o.key.Kind == catalog.KindManifest:
			since, r.Reason = o.info.Modified, reasonManifest
		default:
			since, r.Reason = o.info.Modified, reasonOrphan
		}
		if !named {
			open, err := s.db.JobOpen(ctx, o.key.Job)
			if err != nil {
				return err
			}
			if open {
				s.Open++
				continue
			}
		}
		if since.After(erased) && (!s.old(since) || !s.old(o.info.Modified)) {
			s.Young++
			continue
		}
		ask = append(ask, r)
	}
	return s.remove(ctx, st.key, headKey, ask)
}

// remove asks the catalog for objects and deletes those that it grants: manifests before what they name.
func (s *sweep) remove(ctx context.Context, study catalog.ObjectKey, headKey string, ask []catalog.Removal) error {
	if len(ask) == 0 {
		return nil
	}
	slices.SortStableFunc(ask, func(a, b catalog.Removal) int { return cmp.Compare(order(a.Key), order(b.Key)) })
	if s.o.DryRun {
		for _, r := range ask {
			s.report(r)
		}
		return nil
	}
	granted, err := s.db.MarkDeleting(ctx, study.Tenant, study.Hash, headKey, ask)
	if err != nil {
		return err
	}
	// No commit of this catalog can name these objects any more. But the catalog may have been put back to an earlier moment
	// since the bucket was listed, after a commit that did name them: such a one has its manifest in the bucket by now.
	head, _, err := catalog.Heal(ctx, s.db, s.stores.Hot.Store, study.Tenant, study.Hash)
	if err != nil || head != nil && head.Key() != headKey || head == nil && headKey != "" {
		return errors.Join(err, errOlderCatalog, s.db.Unmark(ctx, granted))
	}
	for _, r := range granted {
		if err := s.delete(ctx, r); err != nil {
			return err // the rest is in state deleting: the next sweep goes on with it
		}
	}
	return nil
}

var errOlderCatalog = errors.New("the study was committed while it was looked at, by a catalog that is not there any more: nothing of it was removed")

func order(key string) int {
	o, _ := catalog.ParseKey(key)
	return slices.Index([]catalog.ObjectKind{catalog.KindManifest, catalog.KindPack, catalog.KindHot, catalog.KindRecord, catalog.KindPicture, catalog.KindAnnotation, catalog.KindCertificate}, o.Kind)
}

func (s *sweep) report(r catalog.Removal) {
	s.Objects = append(s.Objects, Swept{r.Key, r.Tier, r.Bytes, r.Reason})
	s.Bytes += r.Bytes
}

// delete removes an object that is in state deleting.
func (s *sweep) delete(ctx context.Context, r catalog.Removal) error {
	if err := s.o.Guard.ask(ctx); err != nil {
		return err
	}
	i := slices.IndexFunc(s.stores.all(), func(t Tier) bool { return t.Name == r.Tier })
	if i < 0 {
		return fmt.Errorf("object %s is in tier %q, which is not configured", r.Key, r.Tier)
	}
	if err := s.stores.all()[i].Store.Delete(ctx, r.Key); err != nil {
		return fmt.Errorf("delete %s: %w", r.Key, err)
	}
	s.report(r)
	return s.db.MarkDeleted(ctx, r.Key)
}

// resume goes on with what an earlier sweep was stopped at. The catalog had
// granted it and no commit can have named it since; still the head is asked once more.
func (s *sweep) resume(ctx context.Context) error {
	open, err := s.db.Removals(ctx)
	if err != nil {
		return err
	}
	for _, r := range open {
		if s.o.Tenant != "" && r.Tenant != s.o.Tenant {
			continue
		}
		r.Reason = reasonResumed + ": " + r.Reason
		err := s.resumeOne(ctx, r)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			s.skip(r.Hash, err)
		}
	}
	return nil
}

var errNamed = errors.New("the head names an object that is marked as being removed; it is kept: verify the study")

func (s *sweep) resumeOne(ctx context.Context, r catalog.Removal) error {
	head, _, err := catalog.Heal(ctx, s.db, s.stores.Hot.Store, r.Tenant, r.Hash)
	if err != nil {
		return err
	}
	if head != nil {
		named := head.Key() == r.Key || head.Parent != nil && head.Parent.Key == r.Key
		head.Objects(func(key string, _ catalog.Class, _ string, _ int64) { named = named || key == r.Key })
		if named {
			return errNamed
		}
		if head.HeldAt(s.o.Now()) {
			s.Held++
			return nil
		}
	}
	if s.o.DryRun {
		s.report(r)
		return nil
	}
	return s.delete(ctx, r)
}
