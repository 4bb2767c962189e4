package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// Aside is a change of what is known about a study beside its images: holds, whose record it is. The objects stay as they are.
type Aside struct {
	Key    StudyKey
	Action string // of the generation and the audit row: "hold", ...
	By     string // who answers for it
	Note   string // for the audit row: why
	// Change changes the head, which is its own copy. ErrNothingToDo says that it already is as it should be. It is called again when the head moves.
	Change func(head *Manifest) error
	Hooks  Hooks
}

// asideLease bounds the time from owning to deciding.
const asideLease = time.Minute

// CommitAside makes a generation of its own by the ordinary commit protocol, whatever else is going on with the study: who works on its
// arrivals at the time rebases. It returns the new head, or the present one if there was nothing to do.
//
// Errors: ErrNoStudy, those of Change and of Commit. One that was stopped on its way leaves a job that any worker ends when its lease is over; then
// the change was not made, or it was made whole.
func CommitAside(ctx context.Context, db *DB, store objstore.Store, a Aside) (*Manifest, error) {
	if !reviewText(a.By) || !reviewText(a.Note) {
		return nil, fmt.Errorf("%s of study %s: who and why are both needed, each UTF-8 of 1 to %d bytes without control characters", a.Action, a.Key.Hash(), MaxReviewText)
	}
	m, err := commitAside(ctx, db, store, a)
	if err != nil {
		return nil, fmt.Errorf("%s of study %s: %w", a.Action, a.Key.Hash(), err)
	}
	return m, nil
}

func commitAside(ctx context.Context, db *DB, store objstore.Store, a Aside) (*Manifest, error) {
	head, _, err := Heal(ctx, db, store, a.Key.Tenant, a.Key.Hash())
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, ErrNoStudy
	}
	draft, err := head.clone()
	if err != nil {
		return nil, err
	}
	if err := a.Change(draft); errors.Is(err, ErrNothingToDo) {
		return head, nil
	} else if err != nil {
		return nil, err
	}
	job, err := db.ownAside(ctx, a)
	if err != nil {
		return nil, err
	}
	m, err := Commit(ctx, db, store, CommitInput{Job: job.ID, Attempt: job.Attempt, Token: job.Token, Key: a.Key, Owner: a.By, Action: a.Action, Note: a.Note, Hooks: a.Hooks,
		Change: func(head *Manifest) (*Manifest, error) {
			if head == nil {
				return nil, ErrNoStudy
			}
			before := head.keys()
			if err := a.Change(head); err != nil {
				return nil, err
			}
			if !slices.Equal(before, head.keys()) {
				return nil, fmt.Errorf("action %s changed the objects of a study", a.Action)
			}
			return head, nil
		}})
	if err != nil {
		return nil, errors.Join(err, ignoreFailure(db.Release(context.WithoutCancel(ctx), job.ID, job.Attempt, Drop("not recorded"))))
	}
	return m, nil
}

// ownAside makes a side job that is owned from its beginning, so that no worker is handed it.
func (db *DB) ownAside(ctx context.Context, a Aside) (Job, error) {
	var job Job
	id, token, attempt := newID(db.now()), newID(db.now()), freshAttempt(0)
	err := db.change(ctx, func(tx conn) error {
		now := db.now()
		if err := tx.ensureStudy(ctx, a.Key, now); err != nil {
			return err
		}
		if err := tx.exec(ctx, `INSERT INTO job (id, kind, side, tenant, hash, state, attempt, owner, lease_until, token, ready_at, created, updated) VALUES (?, ?, 1, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO NOTHING`, id, a.Action, a.Key.Tenant, a.Key.Hash(), attempt, escape(a.By), toMS(now.Add(asideLease)), token, toMS(now), toMS(now), toMS(now)); err != nil {
			return err
		}
		var err error
		job, err = tx.job(ctx, id)
		return err
	})
	return job, err
}

// clone is a copy that shares nothing with m.
func (m *Manifest) clone() (*Manifest, error) {
	raw, err := m.Encode()
	if err != nil {
		return nil, err
	}
	return DecodeManifest(raw)
}

// keys lists the objects that a manifest names.
func (m *Manifest) keys() (list []string) {
	m.Objects(func(key string, _ Class, _ string, _ int64) { list = append(list, key) })
	return list
}
