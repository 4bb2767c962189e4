package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// ActionRestore is the kind of side jobs that bring a class back to a warmer tier, and the action of their generations.
const ActionRestore = "restore"

// RestoreArgs say what is to be brought back. They are the args of its job.
type RestoreArgs struct {
	Class  catalog.Class `json:"class"`
	To     string        `json:"to"`    // tier
	Until  time.Time     `json:"until"` // until then no policy moves it down again
	By     string        `json:"by"`
	Reason string        `json:"reason"`
}

// String is what a job's row keeps.
func (a RestoreArgs) String() string {
	raw, err := json.Marshal(a)
	if err != nil {
		panic("lifecycle: args of a restore hold nothing that JSON cannot: " + err.Error())
	}
	return string(raw)
}

// ParseRestore reads the args of a restore's job.
func ParseRestore(text string) (a RestoreArgs, err error) {
	if err = json.Unmarshal([]byte(text), &a); err == nil && (a.Class == "" || a.To == "" || a.Until.IsZero() || a.By == "" || a.Reason == "") {
		err = errors.New("class, to, until, by and reason are needed")
	}
	if err != nil {
		return a, fmt.Errorf("the job of a restore says %.200q: %w", text, err)
	}
	return a, nil
}

// readableDays is for how many days a provider is asked to keep its temporary copy: enough to copy it, also after an outage.
const readableDays = 3

// Restore brings all packs of a class to a tier: those in archive classes are asked for first, once each, and until all can be read the attempt ends with
// objstore.ErrArchived, so that it holds no worker while the provider works. Then they are copied to new keys, verified, and named by a generation that also notes until when they stay.
// Temporary copies of the provider never change a manifest. What is there already is left alone; a longer wish prolongs the note.
//
// Errors: objstore.ErrArchived, ErrNotDue (there is nothing of the class, or it is in the trash), ErrVerify; those of catalog.Commit and of the stores.
func (mv *Mover) Restore(ctx context.Context, job catalog.Job) (*catalog.Manifest, error) {
	a, err := ParseRestore(job.Args)
	if err != nil {
		return nil, err
	}
	head, _, err := catalog.Heal(ctx, mv.DB, mv.Tiers.Hot(), job.Tenant, job.Hash())
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, fmt.Errorf("restore: %w", catalog.ErrNoStudy)
	}
	if head.InTrash(a.Class) != nil {
		return nil, fmt.Errorf("%w: it is in the trash", ErrNotDue)
	}
	var list []catalog.Pack
	n := 0
	for _, p := range head.Packs {
		if p.Class != a.Class {
			continue
		}
		if n++; p.Tier != a.To {
			list = append(list, p)
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: the study has nothing of class %s", ErrNotDue, a.Class)
	}
	if err := mv.readable(ctx, list); err != nil {
		return nil, err
	}
	copies := map[string]catalog.Pack{}
	for _, p := range list {
		to := p
		to.Key, to.Tier, to.Since = catalog.PackKey(job.StudyKey, job.ID, job.Attempt, len(copies)+1), a.To, mv.Now().UTC().Truncate(time.Millisecond)
		if err := mv.copy(ctx, p, to); err != nil {
			return nil, fmt.Errorf("restore %s to tier %s: %w", p.Key, a.To, err)
		}
		if err := mv.Hooks.Step(ctx, StepCopied); err != nil {
			return nil, err
		}
		copies[p.Key] = to
	}
	mark := catalog.Restored{Class: a.Class, Until: a.Until.UTC().Truncate(time.Millisecond), By: a.By, Reason: a.Reason}
	return catalog.Commit(ctx, mv.DB, mv.Tiers.Hot(), catalog.CommitInput{Job: job.ID, Attempt: job.Attempt, Token: job.Token, Key: job.StudyKey, Owner: mv.Owner, Action: ActionRestore,
		Note: fmt.Sprintf("%s to %s until %s, for %s: %s", a.Class, a.To, mark.Until.Format(time.RFC3339), a.By, a.Reason), Hooks: mv.Hooks,
		Change: func(m *catalog.Manifest) (*catalog.Manifest, error) {
			next, err := replace(m, copies)
			if err != nil && !errors.Is(err, catalog.ErrNothingToDo) {
				return nil, err
			}
			if !m.KeepRestored(mark) && errors.Is(err, catalog.ErrNothingToDo) {
				return nil, err
			}
			if next == nil {
				next = m
			}
			return next, nil
		}})
}

// readable asks for temporary copies of what is archived, and fails with objstore.ErrArchived until all of them are there.
func (mv *Mover) readable(ctx context.Context, list []catalog.Pack) error {
	waiting := 0
	for _, p := range list {
		store, err := mv.Tiers.Tier(p.Tier)
		if err != nil {
			return err
		}
		info, err := store.Head(ctx, p.Key)
		if err != nil {
			return err
		}
		if info.Restore.Readable(mv.Now()) {
			continue
		}
		waiting++
		if info.Restore.Ongoing {
			continue
		}
		if err := store.Restore(ctx, p.Key, readableDays); err != nil {
			return fmt.Errorf("ask for %s: %w", p.Key, err)
		}
	}
	if waiting > 0 {
		return fmt.Errorf("%d of %d packs are on their way out of an archive class: %w", waiting, len(list), objstore.ErrArchived)
	}
	return nil
}
