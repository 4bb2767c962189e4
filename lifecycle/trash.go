package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/lifecycle/policy"
)

// Actions of the generations that put something into the trash and take it out. ActionTrash is a kind of side jobs, too.
const (
	ActionTrash    = "trash"
	ActionUndelete = "undelete"
)

// TrashArgs say what a job puts into the trash, or purges: a class of a study, because a policy says so. They are the args of its job.
type TrashArgs struct {
	Class  catalog.Class `json:"class"`
	Policy string        `json:"policy"` // digest
	Rules  string        `json:"rules"`  // key of the policy, beside the plan
	Plan   string        `json:"plan"`   // digest
	Line   int64         `json:"line"`
	By     string        `json:"by"`              // who applied the plan
	Large  string        `json:"large,omitempty"` // why the breaker did not count
}

// String is what a job's row keeps.
func (a TrashArgs) String() string {
	raw, err := json.Marshal(a)
	if err != nil {
		panic("lifecycle: args of a deletion hold nothing that JSON cannot: " + err.Error())
	}
	return string(raw)
}

// ParseTrash reads the args of a job.
func ParseTrash(text string) (a TrashArgs, err error) {
	if err = json.Unmarshal([]byte(text), &a); err == nil && (a.Class == "" || a.Policy == "" || a.Rules == "" || a.By == "") {
		err = errors.New("class, policy, rules and by are needed")
	}
	if err != nil {
		return a, fmt.Errorf("the job of a deletion says %.200q: %w", text, err)
	}
	return a, nil
}

// note is what the audit log says of it.
func (a TrashArgs) note() string {
	text := fmt.Sprintf("%s, plan %.16s line %d, applied by %s", a.Class, a.Plan, a.Line, a.By)
	if a.Large != "" {
		text += "; beyond the breaker: " + a.Large
	}
	return text
}

// ErrNotDue: the policy does not say any more that it is to be deleted. A later plan decides again.
var ErrNotDue = errors.New("it is not to be deleted now")

// Trasher puts into the trash what plans say.
type Trasher struct {
	DB    *catalog.DB
	Store objstore.Store // the hot tier
	Hot   string         // its name
	Owner string
	Hooks catalog.Hooks
	Now   func() time.Time
	Guard Guard
}

// Trash hides a class of a study, as its job says. The policy is asked again, about the very generation that the commit follows: holds, evidence or
// images that came since the plan was made are in it, and an arrival that waits refuses it in the transaction that decides. No object is touched.
//
// Errors: ErrNotDue, catalog.ErrBusy; those of catalog.Commit and of the store.
func (t *Trasher) Trash(ctx context.Context, job catalog.Job) (*catalog.Manifest, error) {
	a, err := ParseTrash(job.Args)
	if err != nil {
		return nil, err
	}
	if err := t.Guard.ask(ctx); err != nil {
		return nil, err
	}
	p, err := LoadPolicy(ctx, t.Store, a.Rules, a.Policy)
	if err != nil {
		return nil, err
	}
	accessed, err := t.DB.Accessed(ctx, job.Tenant, job.Hash())
	if err != nil {
		return nil, err
	}
	now := t.Now().UTC().Truncate(time.Millisecond)
	return catalog.Commit(ctx, t.DB, t.Store, catalog.CommitInput{Job: job.ID, Attempt: job.Attempt, Token: job.Token, Key: job.StudyKey, Owner: t.Owner, Action: ActionTrash, Note: a.note(), Hooks: t.Hooks, Quiet: true,
		Change: func(m *catalog.Manifest) (*catalog.Manifest, error) {
			if m == nil {
				return nil, catalog.ErrNoStudy
			}
			if m.InTrash(a.Class) != nil {
				return nil, catalog.ErrNothingToDo
			}
			rule, _, err := due(p, m, t.Hot, accessed, now, a.Class, policy.Trash)
			if err != nil {
				return nil, err
			}
			return m, m.PutInTrash(catalog.Trashed{Class: a.Class, Since: now, By: a.By, Rule: rule, Plan: a.Plan})
		}})
}

// due reports by which rule, and why, something is to be done with all that a study has of a class, ErrNotDue if the policy says otherwise.
func due(p *policy.Policy, m *catalog.Manifest, hot string, accessed, now time.Time, class catalog.Class, action policy.Action) (rule string, why []string, err error) {
	f := FactsOfManifest(p, m, hot, accessed)
	n := 0
	for i, d := range p.Decide(now, f) {
		if f.Artifacts[i].Class != class {
			continue
		}
		var reasons []string
		for _, r := range d.Reasons {
			reasons = append(reasons, r.Text)
		}
		if d.Action != action {
			return "", nil, fmt.Errorf("%s on %s: %w: %s", class, f.Artifacts[i].Tier, ErrNotDue, strings.Join(reasons, "; "))
		}
		n++
		rule, why = d.Rule, reasons
	}
	if n == 0 {
		return "", nil, fmt.Errorf("%s: %w: there is nothing of it", class, ErrNotDue)
	}
	return rule, why, nil
}

// Undelete takes classes out of the trash, all of them if none is named: reads show them again. catalog.ErrNotTrashed if one is not there.
func Undelete(ctx context.Context, db *catalog.DB, store objstore.Store, k catalog.StudyKey, classes []catalog.Class, by, reason string) (*catalog.Manifest, error) {
	return catalog.CommitAside(ctx, db, store, catalog.Aside{Key: k, Action: ActionUndelete, By: by, Note: reason,
		Change: func(m *catalog.Manifest) error { return m.TakeFromTrash(classes...) }})
}

// maxPolicy bounds a policy's file.
const maxPolicy = 4 << 20

// LoadPolicy reads the policy that a plan left beside its lines, and checks its digest.
func LoadPolicy(ctx context.Context, store objstore.Store, key, digest string) (*policy.Policy, error) {
	raw, err := objstore.ReadAll(ctx, store, key, maxPolicy)
	if err != nil {
		return nil, fmt.Errorf("policy %.16s: %w", digest, err)
	}
	if got := digestOf(raw); got != digest {
		return nil, fmt.Errorf("policy %s: its SHA-256 is %s, must be %s: %w", key, got, digest, ErrVerify)
	}
	return policy.Load(key, raw)
}
