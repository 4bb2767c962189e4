package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// ActionRepair is the kind of side jobs that replace a damaged pack by another copy, and the action of their generations.
const ActionRepair = "repair"

// ScrubOptions says what a scrub reads.
type ScrubOptions struct {
	// Turns is in how many days every study has its turn once; Day is the day, counted from any one. 1 reads all studies.
	Turns, Day int64
	Tenant     string // "": all
	// Tiers are the names of all tiers: where a repair looks for another copy. With them a repair is queued for each damaged pack; without, they are only listed.
	Tiers []string
	// Progress, if set, is told now and then how many studies were read, and bytes.
	Progress func(studies int, bytes int64)
}

// ScrubReport is what a scrub found.
type ScrubReport struct {
	Studies  int      `json:"studies"` // whose turn it was
	Objects  int      `json:"objects"`
	Bytes    int64    `json:"bytes"`
	Archived int      `json:"archived"` // objects that cannot be read where they lie
	Damaged  []Broken `json:"damaged"`
}

// Broken is an object that does not have the bytes that the manifest names.
type Broken struct {
	Tenant string `json:"tenant"`
	Study  string `json:"study"` // hash
	Key    string `json:"key"`
	Tier   string `json:"tier"`
	What   string `json:"what"`
	Queued bool   `json:"queued"` // its repair; only packs have one
}

// Turn reports whether it is a study's turn on a day. In any Turns days that follow one another each study has exactly one.
func Turn(hash string, turns, day int64) bool {
	if turns <= 1 {
		return true
	}
	n, err := strconv.ParseUint(hash[:8], 16, 32)
	return err == nil && int64(n)%turns == ((day%turns)+turns)%turns
}

// Scrub reads every object that the heads of the studies name whose turn it is, and compares it with its digest. What is damaged is listed, and may be
// queued for repair. It goes on after damage; the error is that of a store or the database.
func Scrub(ctx context.Context, db *catalog.DB, tiers Places, o ScrubOptions) (*ScrubReport, error) {
	r := &ScrubReport{Damaged: []Broken{}}
	for s, err := range db.Studies(ctx, catalog.Filter{Tenant: o.Tenant}) {
		if err == nil && (s.Generation == 0 || s.Status == catalog.StatusFork || !Turn(s.Hash(), o.Turns, o.Day)) {
			continue
		}
		if err == nil {
			err = r.study(ctx, db, tiers, &s, o)
		}
		if err != nil {
			return r, fmt.Errorf("scrub: %w", err)
		}
		if r.Studies++; o.Progress != nil {
			o.Progress(r.Studies, r.Bytes)
		}
	}
	return r, nil
}

func (r *ScrubReport) study(ctx context.Context, db *catalog.DB, tiers Places, s *catalog.Study, o ScrubOptions) error {
	m, err := catalog.LoadManifest(ctx, tiers.Hot(), s.Ref)
	if broken(err) {
		if now, headErr := db.Head(ctx, s.StudyKey); headErr == nil && now.Key != s.Key {
			return nil // it was superseded while it was looked at
		}
		r.Damaged = append(r.Damaged, Broken{Tenant: s.Tenant, Study: s.Hash(), Key: s.Key, What: err.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	list := append([]catalog.Pack{}, m.Packs...)
	hot := func(key, sum string, size int64) {
		list = append(list, catalog.Pack{Key: key, SHA256: sum, Size: size})
	}
	if m.Hot != nil {
		hot(m.Hot.Key, m.Hot.SHA256, m.Hot.Size)
	}
	if x := m.Regions; x != nil {
		hot(x.Key, x.SHA256, x.Size)
		if x.Picture != nil {
			hot(x.Picture.Key, x.Picture.SHA256, x.Picture.Size)
		}
	}
	for _, a := range m.Annotations {
		hot(a.Key, a.SHA256, a.Size)
	}
	for _, c := range m.Certificates {
		hot(c.Key, c.SHA256, c.Size)
	}
	for i, p := range list {
		store := tiers.Hot()
		if i < len(m.Packs) {
			if store, err = tiers.Tier(p.Tier); err != nil {
				return err
			}
		}
		err := check(ctx, store, p)
		switch {
		case err == nil:
			r.Objects, r.Bytes = r.Objects+1, r.Bytes+p.Size
			continue
		case errors.Is(err, objstore.ErrArchived):
			r.Archived++
			continue
		case !broken(err):
			return err
		}
		if now, err := db.Head(ctx, s.StudyKey); err == nil && now.Key != s.Key {
			return nil
		}
		b := Broken{Tenant: s.Tenant, Study: s.Hash(), Key: p.Key, Tier: p.Tier, What: err.Error()}
		if len(o.Tiers) > 0 && i < len(m.Packs) {
			if _, err := db.QueueSide(ctx, s.Tenant, s.Hash(), ActionRepair, RepairArgs{p.Key, o.Tiers}.String()); err != nil {
				return err
			}
			b.Queued = true
		}
		r.Damaged = append(r.Damaged, b)
	}
	return nil
}

// broken reports whether an error says that an object is not what it must be, rather than that it could not be asked.
func broken(err error) bool {
	var sum *objstore.ChecksumError
	var manifest *catalog.DamagedError
	return errors.Is(err, ErrVerify) || errors.Is(err, objstore.ErrNotFound) || errors.As(err, &sum) || errors.As(err, &manifest)
}

// RepairArgs say which pack is to be repaired, and on which tiers another copy may lie. They are the args of its job.
type RepairArgs struct {
	Key   string   `json:"key"`
	Tiers []string `json:"tiers"`
}

// String is what a job's row keeps.
func (a RepairArgs) String() string {
	raw, err := json.Marshal(a)
	if err != nil {
		panic("lifecycle: args of a repair hold nothing that JSON cannot: " + err.Error())
	}
	return string(raw)
}

// ErrNoCopy: a pack is damaged, and no other object of the study has its bytes.
var ErrNoCopy = errors.New("it is damaged, and there is no other copy: restore it from elsewhere")

// Repair looks for another object of the study, on any of the tiers, that has the very bytes of a damaged pack (the original of a move that no sweep has removed
// yet, a copy that a job left), copies it to a new key where the pack lies, and commits a generation that names that. Errors: ErrNotDue if the pack is
// sound or not named any more, ErrNoCopy.
func (mv *Mover) Repair(ctx context.Context, job catalog.Job) (*catalog.Manifest, error) {
	var a RepairArgs
	if err := json.Unmarshal([]byte(job.Args), &a); err != nil || a.Key == "" {
		return nil, fmt.Errorf("the job of a repair says %.200q", job.Args)
	}
	head, _, err := catalog.Heal(ctx, mv.DB, mv.Tiers.Hot(), job.Tenant, job.Hash())
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, fmt.Errorf("repair: %w", catalog.ErrNoStudy)
	}
	for _, p := range head.Packs {
		if p.Key != a.Key {
			continue
		}
		store, err := mv.Tiers.Tier(p.Tier)
		if err != nil {
			return nil, err
		}
		switch err := check(ctx, store, p); {
		case err == nil:
			return nil, fmt.Errorf("%w: it is sound", ErrNotDue)
		case !broken(err):
			return nil, err
		}
		from, err := mv.another(ctx, p, a.Tiers)
		if err != nil {
			return nil, err
		}
		to := p
		to.Key, to.Since = catalog.PackKey(job.StudyKey, job.ID, job.Attempt, 1), mv.Now().UTC().Truncate(time.Millisecond)
		if err := mv.copy(ctx, from, to); err != nil {
			return nil, fmt.Errorf("repair %s from %s: %w", p.Key, from.Key, err)
		}
		if err := mv.Hooks.Step(ctx, StepCopied); err != nil {
			return nil, err
		}
		return catalog.Commit(ctx, mv.DB, mv.Tiers.Hot(), catalog.CommitInput{Job: job.ID, Attempt: job.Attempt, Token: job.Token, Key: job.StudyKey, Owner: mv.Owner, Action: ActionRepair,
			Note: fmt.Sprintf("%s from %s on %s", p.Key, from.Key, from.Tier), Hooks: mv.Hooks,
			Change: func(m *catalog.Manifest) (*catalog.Manifest, error) {
				return replace(m, map[string]catalog.Pack{p.Key: to})
			}})
	}
	return nil, fmt.Errorf("%w: no manifest names it any more", ErrNotDue)
}

// another finds an object of the study with the bytes of a pack.
func (mv *Mover) another(ctx context.Context, p catalog.Pack, names []string) (catalog.Pack, error) {
	study, ok := studyOf(p.Key)
	if !ok {
		return p, fmt.Errorf("key %s is not one of a study", p.Key)
	}
	for _, name := range names {
		store, err := mv.Tiers.Tier(name)
		if err != nil {
			return p, err
		}
		for info, err := range store.List(ctx, study+"p/", "") {
			if err != nil {
				return p, err
			}
			from := p
			from.Key, from.Tier = info.Key, name
			if info.Key == p.Key && name == p.Tier || info.Size != p.Size {
				continue
			}
			switch err := check(ctx, store, from); {
			case err == nil:
				return from, nil
			case !broken(err) && !errors.Is(err, objstore.ErrArchived):
				return p, err
			}
		}
	}
	return p, fmt.Errorf("%s: %w", p.Key, ErrNoCopy)
}
