package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// Actions of the generations of an erasure. ActionErase is a kind of side jobs, too.
const (
	ActionEraseOrder  = "erase-order"  // nobody is shown it any more
	ActionEraseCancel = "erase-cancel" // it is shown again
	ActionErase       = "erase"        // nothing of it is named any more
	ActionErased      = "erased"       // its bytes are gone
)

// OrderErasure hides what is to be erased from readers, and queues the job that erases it. The same order again queues it again, if it is not done. What may be
// the record that the law is about, which is every copy that is not known to be a secondary one, takes two people.
//
// Errors: ErrApproval, catalog.ErrHeld, catalog.ErrErasing.
func OrderErasure(ctx context.Context, db *catalog.DB, store objstore.Store, k catalog.StudyKey, e catalog.Erasure) (catalog.Job, error) {
	note := orderNote(&e)
	m, err := catalog.CommitAside(ctx, db, store, catalog.Aside{Key: k, Action: ActionEraseOrder, By: e.By, Note: note, Change: func(m *catalog.Manifest) error {
		if secondary := m.Custody != nil && m.Custody.Role == catalog.RoleSecondary; !secondary && !second(e.By, e.Approved) {
			return fmt.Errorf("%w: this copy is not known to be a secondary one", ErrApproval)
		}
		return m.OrderErasure(e, time.Now())
	}})
	if err != nil {
		return catalog.Job{}, err
	}
	return db.QueueSide(ctx, k.Tenant, k.Hash(), ActionErase, orderArgs(m.Erase))
}

// orderArgs are the args of the job of an order: another order has others.
func orderArgs(e *catalog.Erasure) string { return "ordered " + e.At.UTC().Format(time.RFC3339Nano) }

// CancelErasure takes an order back that no worker has carried out yet: catalog.ErrNotErasing if there is none.
func CancelErasure(ctx context.Context, db *catalog.DB, store objstore.Store, k catalog.StudyKey, by, reason string) (*catalog.Manifest, error) {
	return catalog.CommitAside(ctx, db, store, catalog.Aside{Key: k, Action: ActionEraseCancel, By: by, Note: reason, Change: func(m *catalog.Manifest) error { return m.CancelErasure() }})
}

// orderNote is what the audit log says of an order: how many instances, not which.
func orderNote(e *catalog.Erasure) string {
	what := "all of the study"
	if !e.Whole() {
		what = fmt.Sprintf("%d instances", len(e.SOPUIDs))
	}
	if e.Approved != "" {
		what += ", approved by " + e.Approved
	}
	return what + ": " + e.Reason
}

// second reports whether somebody other than the first person approved.
func second(by, approved string) bool {
	return approved != "" && !strings.EqualFold(strings.TrimSpace(by), strings.TrimSpace(approved))
}

// Left is what is left of a study without the instances that are erased: everything that was made from them is made anew or gone.
type Left struct {
	// On changes a manifest that names the same objects as the one it was made from. Pure.
	On        func(m *catalog.Manifest) error
	Citations []catalog.Citation // that were looked at, see catalog.CommitInput
}

// Eraser carries out erasures.
type Eraser struct {
	Mover
	Stores Stores
	Guard  Guard
	// Report, if set, is told how the removal of the bytes went. The commit is what counts: what failed a sweep does.
	Report func(error)
	// Without makes what is left of a study without some instances, under keys of the job's attempt.
	Without func(ctx context.Context, job catalog.Job, m *catalog.Manifest) (*Left, error)
}

// ErrWaits: an erasure cannot be carried out now. Its order stands, and readers are not shown what it is about.
var ErrWaits = errors.New("the erasure waits")

// Steps of an erasure at which hooks are called, beside those of the commit.
const (
	StepLeft   = "left"   // what is left was made
	StepErased = "erased" // it is committed, and the bytes are still there
)

// Erase carries out the order in the study's head: it commits a generation that names nothing of what is erased, with a certificate that lists every object of it in every tier,
// those of earlier generations and attempts included, and then removes their bytes, without a grace period. What it cannot remove at once (a hold that came
// meanwhile, a store that is away) the sweep removes later.
//
// Errors: ErrWaits, objstore.ErrArchived; those of catalog.Commit and of the stores.
func (e *Eraser) Erase(ctx context.Context, job catalog.Job) (*catalog.Manifest, error) {
	if err := e.Guard.ask(ctx); err != nil {
		return nil, err
	}
	head, _, err := catalog.Heal(ctx, e.DB, e.Tiers.Hot(), job.Tenant, job.Hash())
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, fmt.Errorf("erase: %w", catalog.ErrNoStudy)
	}
	order := head.Erase
	if order == nil || !order.Taken.IsZero() { // taken back, or done: the job ends
		return e.commit(ctx, job, "nothing is ordered any more", nil, func(*catalog.Manifest) (*catalog.Manifest, error) { return nil, catalog.ErrNothingToDo })
	}
	now := e.Now().UTC().Truncate(time.Millisecond)
	if head.HeldAt(now) {
		return nil, fmt.Errorf("%w: a hold stands", ErrWaits)
	}
	left, err := e.left(ctx, job, head)
	if err != nil {
		return nil, err
	}
	if err := e.Hooks.Step(ctx, StepLeft); err != nil {
		return nil, err
	}
	change := func(m *catalog.Manifest) error {
		if err := left.On(m); err != nil {
			return err
		}
		done := *order
		done.Taken = now
		m.Quarantined = slices.DeleteFunc(slices.Clone(m.Quarantined), func(q catalog.Quarantined) bool {
			if gone := order.Erases(q.SOPUID); gone {
				done.Quarantined = append(done.Quarantined, q)
				return true
			}
			return false
		})
		m.Erase, m.Status = &done, catalog.StatusStored
		if len(m.Quarantined) > 0 {
			m.Status = catalog.StatusPartial
		}
		m.Withdrawn = slices.DeleteFunc(slices.Clone(m.Withdrawn), func(w catalog.Withdrawn) bool { return order.Erases(w.SOPUID) })
		m.Conflicts = slices.DeleteFunc(slices.Clone(m.Conflicts), func(c catalog.Conflict) bool { return order.Erases(c.SOPUID) })
		return nil
	}
	cert, err := e.certify(ctx, job, head, order, change, now)
	if err != nil {
		return nil, err
	}
	if err := e.Hooks.Step(ctx, StepCertificate); err != nil {
		return nil, err
	}
	had := keysOf(head)
	m, err := e.commit(ctx, job, orderNote(order), left.Citations, func(m *catalog.Manifest) (*catalog.Manifest, error) {
		switch {
		case m == nil:
			return nil, catalog.ErrNoStudy
		case m.HeldAt(now):
			return nil, fmt.Errorf("%w: a hold stands", ErrWaits)
		case !maps.Equal(had, keysOf(m)) || m.Erase == nil || !reflect.DeepEqual(m.Erase.SOPUIDs, order.SOPUIDs) || !m.Erase.Taken.IsZero():
			return nil, fmt.Errorf("%w: the study changed meanwhile", ErrWaits)
		}
		if err := change(m); err != nil {
			return nil, err
		}
		m.Certificates = append(m.Certificates, *cert)
		m.Totals.StoredBytes = m.StoredBytes()
		return m, nil
	})
	if errors.Is(err, catalog.ErrBusy) { // what arrives must be in it
		err = fmt.Errorf("%w: %v", ErrWaits, err)
	}
	if err != nil {
		return nil, err
	}
	if err := e.Hooks.Step(ctx, StepErased); err != nil {
		return nil, err
	}
	_, err = SweepStudy(ctx, e.DB, e.Stores, job.StudyKey, SweepOptions{Guard: e.Guard, Now: e.Now})
	if e.Report != nil {
		e.Report(err)
	}
	return m, nil
}

// left makes what is left.
func (e *Eraser) left(ctx context.Context, job catalog.Job, head *catalog.Manifest) (*Left, error) {
	if head.Erase.Whole() {
		return &Left{On: nothingLeft}, nil
	}
	if err := e.readable(ctx, head.Packs, time.Time{}); err != nil {
		return nil, err
	}
	return e.Without(ctx, job, head)
}

// nothingLeft is what a manifest is after all of its study was erased: holds, custody and certificates.
func nothingLeft(m *catalog.Manifest) error {
	m.Packs, m.Hot, m.Regions, m.Annotations, m.Review, m.Cites = nil, nil, nil, nil, nil, nil
	m.Amendments, m.Trash, m.Restored, m.About, m.Totals = nil, nil, nil, nil, catalog.Totals{}
	return nil
}

func (e *Eraser) commit(ctx context.Context, job catalog.Job, note string, citations []catalog.Citation, change catalog.Change) (*catalog.Manifest, error) {
	return catalog.Commit(ctx, e.DB, e.Tiers.Hot(), catalog.CommitInput{Job: job.ID, Attempt: job.Attempt, Token: job.Token, Key: job.StudyKey, Owner: e.Owner, Action: ActionErase, Note: note, Hooks: e.Hooks, Quiet: true, Citations: citations, Change: change})
}

// certify lists every object of the study in every tier that the next generation does not name, and stores that list.
func (e *Eraser) certify(ctx context.Context, job catalog.Job, head *catalog.Manifest, order *catalog.Erasure, change func(*catalog.Manifest) error, now time.Time) (*catalog.Certificate, error) {
	raw, err := head.Encode()
	if err != nil {
		return nil, err
	}
	next, err := catalog.DecodeManifest(raw)
	if err != nil {
		return nil, err
	}
	if err := change(next); err != nil {
		return nil, err
	}
	stays := keysOf(next)
	d := &Deletion{Schema: DeletionSchema, Tenant: head.Tenant, StudyUID: head.StudyUID, Generation: head.Generation, At: now, By: order.By, Why: []string{order.Reason}, Erasure: order, Objects: []DeletedObject{}}
	if c := head.Custody; c != nil {
		d.Proof = c.Proof
	}
	bundle, err := readBundle(ctx, e.Tiers.Hot(), head.Hot)
	if err != nil {
		return nil, err
	}
	packs := map[string]int{}
	for n, p := range head.Packs {
		packs[p.Key] = n
	}
	sums := sumsOf(head)
	for _, t := range e.Stores.all() {
		for info, err := range t.Store.List(ctx, head.Study().Prefix(), "") {
			if err != nil {
				return nil, fmt.Errorf("list tier %s: %w", t.Name, err)
			}
			k, ok := catalog.ParseKey(info.Key)
			if !ok || stays[info.Key] || k.Job == job.ID && k.Attempt == job.Attempt || k.Kind == catalog.KindManifest || k.Kind == catalog.KindPublished || k.Kind == catalog.KindCertificate {
				continue
			}
			o := DeletedObject{Key: info.Key, Tier: t.Name, Bytes: info.Size, SHA256: sums[info.Key]}
			if n, ok := packs[info.Key]; ok {
				part := catalog.BundlePart{}
				if head.Hot != nil && n < len(head.Hot.Parts) {
					part = head.Hot.Parts[n]
				}
				if o.Instances, err = instancesOf(ctx, e.Tiers, head.Packs[n], bundle, part); err != nil {
					return nil, fmt.Errorf("pack %s: its index: %w", info.Key, err)
				}
				if !order.Whole() {
					o.Instances = slices.DeleteFunc(o.Instances, func(in DeletedInstance) bool { return !order.Erases(in.SOPUID) })
				}
			}
			d.Objects = append(d.Objects, o)
		}
	}
	for _, q := range next.Erase.Quarantined {
		d.Objects = append(d.Objects, DeletedObject{Key: q.Key, Bytes: q.Size, SHA256: q.SHA256, Instances: []DeletedInstance{{SOPUID: clean(q.SOPUID), FileSHA256: q.SHA256}}})
	}
	return putCertificate(ctx, e.Tiers.Hot(), job, d)
}

// sumsOf are the digests of the objects that a manifest names.
func sumsOf(m *catalog.Manifest) map[string]string {
	sums := map[string]string{}
	for _, p := range m.Packs {
		sums[p.Key] = p.SHA256
	}
	for _, a := range m.Annotations {
		sums[a.Key] = a.SHA256
	}
	if m.Hot != nil {
		sums[m.Hot.Key] = m.Hot.SHA256
	}
	if r := m.Regions; r != nil {
		sums[r.Key] = r.SHA256
		if r.Picture != nil {
			sums[r.Picture.Key] = r.Picture.SHA256
		}
	}
	return sums
}

// SweepStudy sweeps one study, and ends an erasure of it.
func SweepStudy(ctx context.Context, db *catalog.DB, stores Stores, k catalog.StudyKey, o SweepOptions) (SweepReport, error) {
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &sweep{db: db, stores: stores, o: o, SweepReport: SweepReport{DryRun: o.DryRun}}
	for st, err := range studies(ctx, stores.all(), k.Prefix()) {
		if err != nil {
			return s.SweepReport, err
		}
		head, list, err := catalog.Heal(ctx, db, stores.Hot.Store, k.Tenant, k.Hash())
		if err == nil {
			err = s.known(ctx, st, head, list)
		}
		if err != nil {
			return s.SweepReport, fmt.Errorf("sweep study %s: %w", k.Hash(), err)
		}
	}
	return s.SweepReport, nil
}

// erased removes the quarantined files that an erasure took, and takes the order off when nothing of it is left.
func (s *sweep) erased(ctx context.Context, head *catalog.Manifest) error {
	if s.o.DryRun {
		return nil
	}
	if head.HeldAt(s.o.Now()) { // a hold that came after the erasure keeps what is still there
		s.Held += len(head.Erase.Quarantined)
		return nil
	}
	k := head.Study()
	for _, q := range head.Erase.Quarantined {
		alone, err := s.db.QuarantineOf(ctx, k.Tenant, k.Hash(), q.SHA256)
		if err != nil {
			return err
		}
		if !alone { // another study has the same file
			continue
		}
		if err := s.o.Guard.ask(ctx); err != nil {
			return err
		}
		for _, key := range []string{q.Key, catalog.QuarantineNote(q.Key)} {
			if err := s.stores.Hot.Store.Delete(ctx, key); err != nil {
				return fmt.Errorf("delete %s: %w", key, err)
			}
		}
	}
	if err := s.db.QuarantineErase(ctx, k.Tenant, k.Hash(), head.Erase.Quarantined); err != nil {
		return err
	}
	_, err := catalog.CommitAside(ctx, s.db, s.stores.Hot.Store, catalog.Aside{Key: k, Action: ActionErased, By: head.Erase.By, Note: "all bytes are gone: " + head.Erase.Reason, Change: func(m *catalog.Manifest) error {
		if m.Erase == nil || !m.Erase.Taken.Equal(head.Erase.Taken) {
			return catalog.ErrNothingToDo
		}
		m.Erase = nil
		return nil
	}})
	return err
}
