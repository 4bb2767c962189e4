package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// Change makes the next manifest from the head, nil if there is none. It must
// be pure: when the head moves it is called again with the new one. It may change and return the head it gets, which is
// its own copy; schema, key, generation, parent, job, attempt, action, times, arrivals and intervals are filled in by
// Commit. ErrNothingToDo says that the head already is as it should be.
type Change func(head *Manifest) (*Manifest, error)

// CommitInput is what a commit needs beside the database and the store.
type CommitInput struct {
	Job     string
	Attempt int
	Token   string // Job.Token of the attempt; "" is not compared
	Key     StudyKey
	Owner   string   // for the audit row
	Action  string   // "derive", ...
	Done    int64    // arrivals up to this number are covered (from DB.Arrivals)
	Batches []string // and these are their digests
	Change  Change
	Hooks   Hooks
	// Citations are those that the attempt has looked at, from DB.Citations, asked after DB.Arrivals said what Done covers; nil: it did not look, and the head's remain. If the head does not name
	// them yet, a new generation does, also if Change finds nothing to do.
	Citations []Citation
	Note      string // for the audit row
	// Quiet refuses the commit while an arrival of the study waits or is worked on: ErrBusy. What it decides on may change by that.
	Quiet bool
}

// Commit takes an attempt through steps (c) to (f). The manifest that it
// returns is decided and published: the new one, or the head if there was nothing to do.
//
// Errors: ErrStale, ErrFork, ErrBucketBehind, ErrHeld, ErrRemoved, ErrBusy, those of Change as they are, and those of store
// and database. After ErrStale nothing may be touched. After any other error the attempt may be tried again by
// another attempt; if the commit was decided already, that one finds its job
// closed and Reconcile publishes. Nothing is ever deleted here.
func Commit(ctx context.Context, db *DB, store objstore.Store, in CommitInput) (*Manifest, error) {
	created := db.now() // fixed, so that a repeated step (c) makes the same bytes
	for {
		m, err := commitOnce(ctx, db, store, in, created)
		if err == nil {
			return m, nil
		}
		if !errors.Is(err, errMoved) {
			return nil, fmt.Errorf("commit study %s: %w", in.Key.Hash(), err)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

func commitOnce(ctx context.Context, db *DB, store objstore.Store, in CommitInput, created time.Time) (*Manifest, error) {
	head, list, err := Heal(ctx, db, store, in.Key.Tenant, in.Key.Hash())
	if err != nil {
		return nil, err
	}
	if err := in.Hooks.Step(ctx, StepHealed); err != nil {
		return nil, err
	}
	var parent *Ref
	var draft *Manifest
	if head != nil {
		if draft, err = head.clone(); err != nil {
			return nil, err
		}
		parent = &Ref{Key: head.Key()}
		if row, err := db.Head(ctx, in.Key); err != nil {
			return nil, err
		} else if row.Key != parent.Key {
			return nil, errMoved
		} else {
			parent.SHA256 = row.SHA256 // of the stored bytes, whatever this version of Encode makes of them
		}
	}
	next, err := in.Change(draft)
	if errors.Is(err, ErrNothingToDo) && head != nil && in.Citations != nil && !slices.Equal(head.CitedBy, citedBy(in.Citations)) {
		next, err = head.clone()
	}
	if errors.Is(err, ErrNothingToDo) {
		if head == nil {
			return nil, errors.New("the change found nothing to do in a study that has no generation yet: source files would be closed that are nowhere stored")
		}
		return head, db.decide(ctx, &decision{in: in, parent: parent, head: head})
	}
	if err != nil {
		return nil, err
	}
	complete(next, head, parent, in, created)
	if err := next.Validate(); err != nil {
		return nil, fmt.Errorf("the new manifest breaks its rules: %w", err)
	}
	if err := checkHolds(head, next); err != nil {
		return nil, err
	}
	if err := in.Hooks.Step(ctx, StepChanged); err != nil {
		return nil, err
	}
	ref, err := putManifest(ctx, store, next, list)
	if err != nil {
		return nil, err
	}
	if err := in.Hooks.Step(ctx, StepManifestPut); err != nil {
		return nil, err
	}
	if err := db.decide(ctx, &decision{in: in, parent: parent, head: head, next: next, ref: ref}); err != nil {
		return nil, err
	}
	if err := in.Hooks.Step(ctx, StepDecided); err != nil {
		return nil, err
	}
	if err := publish(ctx, db, store, next, ref, in.Hooks); errors.As(err, new(*ForkError)) {
		return nil, errMoved // decided in a catalog that was put back since: what it says now is true
	} else if err != nil {
		return nil, err
	}
	if err := in.Hooks.Step(ctx, StepPublished); err != nil {
		return nil, err
	}
	// What fails here is in its row, and Reconcile tries again.
	return next, ignoreFailure(cleanStudy(ctx, db, store, in.Key))
}

// ignoreFailure says at the call that an error is meant to be dropped.
func ignoreFailure(error) error { return nil }

// complete fills in what is Commit's to know.
func complete(next, head *Manifest, parent *Ref, in CommitInput, created time.Time) {
	next.Schema, next.Tenant, next.StudyUID = ManifestSchema, in.Key.Tenant, in.Key.UID
	next.Generation, next.Parent, next.FirstCreated, next.Arrivals, next.Intervals = 1, nil, created, in.Done, nil
	next.Batches = addBatches(nil, in.Batches)
	next.Job, next.Attempt, next.Action, next.Created = in.Job, in.Attempt, in.Action, created
	if in.Citations != nil {
		next.CitedBy = citedBy(in.Citations)
	} else if next.CitedBy = nil; head != nil {
		next.CitedBy = head.CitedBy
	}
	if head == nil {
		return
	}
	if created.Before(head.Created) { // clocks of two machines
		next.Created = head.Created
	}
	next.Generation, next.Parent, next.FirstCreated = head.Generation+1, parent, head.FirstCreated
	next.Arrivals = max(head.Arrivals, in.Done)
	next.Batches = addBatches(head.Batches, in.Batches)
	named := map[string]bool{}
	next.Objects(func(key string, _ Class, _ string, _ int64) { named[key] = true })
	head.objects(func(key string, class Class, tier string, bytes int64, since time.Time) {
		if !named[key] {
			to := next.Created
			if to.Before(since) {
				to = since
			}
			next.Intervals = append(next.Intervals, Interval{Key: key, Tier: tier, Class: class, Bytes: bytes, From: since, To: to})
		}
	})
}

// addBatches appends digests that are not there yet and forgets the oldest beyond MaxBatches.
func addBatches(have, more []string) []string {
	out := slices.Clone(have)
	for _, b := range more {
		if b != "" && !slices.Contains(out, b) {
			out = append(out, b)
		}
	}
	return out[max(0, len(out)-MaxBatches):]
}

// checkHolds refuses a change that leaves fewer instances of any class while a hold stands, before or after it. Regions may be
// planned anew from the full images that the hold protects.
func checkHolds(head, next *Manifest) error {
	if now := next.Created; head == nil || !head.HeldAt(now) && !next.HeldAt(now) {
		return nil
	}
	have := map[Class]int{}
	for _, p := range next.Packs {
		have[p.Class] += p.Instances
	}
	planned := head.Regions != nil && next.Regions != nil && head.Regions.Plan != next.Regions.Plan
	for _, p := range head.Packs {
		if planned && p.Class == ClassRegion {
			continue
		}
		if have[p.Class] -= p.Instances; have[p.Class] < 0 {
			return fmt.Errorf("class %s: %w", p.Class, ErrHeld)
		}
	}
	return nil
}

// putManifest is step (c). The key is new; if a put of this same attempt had
// landed before its reply was lost, what is there must be the same bytes. It is read back before anything refers to it.
func putManifest(ctx context.Context, store objstore.Store, m *Manifest, list []Stored) (Ref, error) {
	raw, err := m.Encode()
	if err != nil {
		return Ref{}, err
	}
	ref := Ref{m.Key(), digest(raw)}
	there := false
	for _, s := range list {
		there = there || s.Key == ref.Key
	}
	if !there {
		_, err := store.Put(ctx, ref.Key, bytes.NewReader(raw), objstore.PutOptions{Size: int64(len(raw)), SHA256: sha256.Sum256(raw)})
		if err != nil && !errors.Is(err, objstore.ErrExists) {
			return Ref{}, fmt.Errorf("put manifest: %w", err)
		}
	}
	back, err := objstore.ReadAll(ctx, store, ref.Key, MaxManifestBytes)
	if err != nil {
		return Ref{}, fmt.Errorf("read manifest back: %w", err)
	}
	if !bytes.Equal(back, raw) {
		return Ref{}, fmt.Errorf("manifest %s: other bytes are stored than were put; a new attempt writes it under a new key", ref.Key)
	}
	return ref, nil
}

// publish is step (e). It may be repeated, by anybody. It looks at the bucket
// first: if the catalog was put back to an earlier moment after this was decided, somebody else
// may have decided and published the same generation. Then this one is not published: a *ForkError, and nothing was acknowledged.
// Once the mark is there the catalog must say that it still knows of the decision; else it was put back, a sweep may have
// taken the manifest for one that was never decided, and errMoved is returned.
func publish(ctx context.Context, db *DB, store objstore.Store, m *Manifest, ref Ref, hooks Hooks) error {
	ok := PublishedKey(ref.Key)
	list, err := listManifests(ctx, store, m.Study().Prefix())
	if err != nil {
		return fmt.Errorf("publish %s: %w", ref.Key, err)
	}
	there := false
	for _, s := range list {
		if s.Published && s.Generation == m.Generation && s.Key != ref.Key {
			return &ForkError{m.Study().Prefix(), m.Generation, []string{s.Key, ref.Key}}
		}
		there = there || s.Published && s.Key == ref.Key
	}
	if !there {
		_, err = store.Put(ctx, ok, strings.NewReader(""), objstore.PutOptions{Size: 0, SHA256: sha256.Sum256(nil)})
		if err == nil || errors.Is(err, objstore.ErrExists) {
			_, err = store.Head(ctx, ok)
		}
	}
	if err != nil {
		return fmt.Errorf("publish %s: %w", ref.Key, err)
	}
	if err := hooks.Step(ctx, StepOKPut); err != nil {
		return err
	}
	var known int64
	err = db.change(ctx, func(tx conn) (err error) {
		known, err = tx.affected(ctx, `UPDATE study SET published = 1, status = ? WHERE tenant = ? AND hash = ? AND head_key = ?`, m.Status, m.Tenant, m.Study().Hash(), ref.Key)
		return err
	})
	if err != nil || known > 0 {
		return err
	}
	return superseded(ctx, db, store, m, ref)
}

// superseded looks at what became of a generation that was published and is not the catalog's head. If the head descends from
// it, all is well. Otherwise the catalog was put back: errMoved. Whoever sweeps looks for the mark after he decided to remove
// the manifest, so either he kept it and the next Heal adopts it, or it is gone and its mark goes too.
func superseded(ctx context.Context, db *DB, store objstore.Store, m *Manifest, ref Ref) error {
	row, err := db.reader().head(ctx, m.Tenant, m.Study().Hash())
	if err != nil && !errors.Is(err, ErrNoStudy) {
		return err
	}
	if err == nil && row.Generation > m.Generation {
		for at := row.Ref; ; {
			above, err := LoadManifest(ctx, store, at)
			if err != nil {
				return err
			}
			if above.Parent == nil || above.Generation <= m.Generation {
				break
			}
			if at = *above.Parent; at.Key == ref.Key {
				return nil
			}
		}
	}
	switch _, err := store.Head(ctx, ref.Key); {
	case errors.Is(err, objstore.ErrNotFound):
		if err := store.Delete(ctx, PublishedKey(ref.Key)); err != nil {
			return fmt.Errorf("take back the mark of %s: %w", ref.Key, err)
		}
	case err != nil:
		return err
	}
	return errMoved
}
