package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// AnswerInput is what a person says about a study.
type AnswerInput struct {
	Key    StudyKey
	Kind   ReviewKind
	By     string // who answers for it
	Reason string
	Plan   string // the plan that the person saw: RegionRecord.Plan
	Hooks  Hooks
}

// ActionReview is the action of generations that record an answer.
const ActionReview = "review"

const (
	jobReview   = "review"
	answerLease = time.Minute
)

// Answer records what a person says about a study, as a generation of its own, by the ordinary commit protocol. It holds for the
// plan that the person saw and for no other: ErrPlanChanged if that is not the study's, ErrNotPlanned if there is no plan. While an arrival waits
// or a job is open it is refused with ErrBusy, because there may be evidence that the person did not see; what arrives while the answer is
// being committed is worked on after it. The same answer again changes nothing.
//
// An answer that was stopped on its way leaves a job that any worker takes up when its lease is over; it finds nothing to do, and the
// answer is not recorded.
func Answer(ctx context.Context, db *DB, store objstore.Store, in AnswerInput) (*Manifest, error) {
	review := &Review{Kind: in.Kind, By: in.By, Reason: in.Reason, At: db.now(), Plan: in.Plan}
	if err := review.check(); err != nil {
		return nil, err
	}
	m, err := answer(ctx, db, store, in, review)
	if err != nil {
		return nil, fmt.Errorf("review of study %s: %w", in.Key.Hash(), err)
	}
	return m, nil
}

func answer(ctx context.Context, db *DB, store objstore.Store, in AnswerInput, review *Review) (*Manifest, error) {
	head, _, err := Heal(ctx, db, store, in.Key.Tenant, in.Key.Hash())
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, ErrNoStudy
	}
	if done, err := review.on(head); err != nil || done {
		return head, err
	}
	job, err := db.ownReview(ctx, in.Key, in.By)
	if err != nil {
		return nil, err
	}
	m, err := Commit(ctx, db, store, CommitInput{Job: job.ID, Attempt: job.Attempt, Token: job.Token, Key: in.Key, Owner: in.By, Action: ActionReview, Done: job.Done,
		Note: string(in.Kind) + ": " + in.Reason, Hooks: in.Hooks, Change: func(head *Manifest) (*Manifest, error) {
			if head == nil {
				return nil, ErrNotPlanned
			}
			if done, err := review.on(head); err != nil {
				return nil, err
			} else if done {
				return nil, ErrNothingToDo
			}
			head.Review = review
			return head, nil
		}})
	if err != nil { // what arrived meanwhile must not wait for the lease to end; if this fails it does
		return nil, errors.Join(err, ignoreFailure(db.Release(context.WithoutCancel(ctx), job.ID, job.Attempt, Requeue("a review was not recorded"))))
	}
	return m, nil
}

// on checks whether the answer is for the plan of a head, and reports whether the head has it already.
func (r *Review) on(head *Manifest) (done bool, err error) {
	switch {
	case head.Regions == nil:
		return false, ErrNotPlanned
	case head.Regions.Plan != r.Plan:
		return false, ErrPlanChanged
	}
	a := head.Answered()
	return a != nil && a.Kind == r.Kind && a.By == r.By && a.Reason == r.Reason, nil
}

// ownReview makes a job for an answer, owned from its beginning, so that no worker is handed it.
func (db *DB) ownReview(ctx context.Context, k StudyKey, by string) (Job, error) {
	var job Job
	id, token, attempt := newID(db.now()), newID(db.now()), freshAttempt(0)
	err := db.change(ctx, func(tx conn) error {
		now := db.now()
		var want, done int64
		if err := tx.lock(ctx, `SELECT want, done FROM study WHERE tenant = ? AND hash = ?`, k.Tenant, k.Hash()).Scan(&want, &done); err != nil {
			return err
		}
		open, err := tx.lockOpenJob(ctx, k.Tenant, k.Hash())
		switch {
		case err == nil && tx.again && open.ID == id:
			job = open
			return nil
		case err == nil || want > done:
			return ErrBusy
		case !errors.Is(err, ErrNoJob):
			return err
		}
		if err := tx.exec(ctx, `INSERT INTO job (id, kind, tenant, hash, state, attempt, owner, lease_until, token, ready_at, created, updated) VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?)`,
			id, jobReview, k.Tenant, k.Hash(), attempt, escape(by), toMS(now.Add(answerLease)), token, toMS(now), toMS(now), toMS(now)); err != nil {
			return err
		}
		job, err = tx.job(ctx, id)
		return err
	})
	return job, err
}
