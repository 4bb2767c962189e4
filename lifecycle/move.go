package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// ActionMove is the kind of side jobs that move a class of a study, and the action of their generations.
const ActionMove = "move"

// MoveArgs say what a move is to do: all packs of a class that lie on one tier go to another. They are the args of its job.
type MoveArgs struct {
	Class catalog.Class `json:"class"`
	From  string        `json:"from"`
	To    string        `json:"to"`
	Plan  string        `json:"plan,omitempty"` // digest of the plan that it is part of
	Line  int64         `json:"line,omitempty"`
}

// String is what a job's row keeps.
func (a MoveArgs) String() string {
	raw, err := json.Marshal(a)
	if err != nil {
		panic("lifecycle: args of a move hold nothing that JSON cannot: " + err.Error())
	}
	return string(raw)
}

// ParseMove reads the args of a move's job.
func ParseMove(text string) (a MoveArgs, err error) {
	if err = json.Unmarshal([]byte(text), &a); err == nil && (a.Class == "" || a.From == "" || a.To == "" || a.From == a.To) {
		err = errors.New("class, from and to are needed, and two tiers")
	}
	if err != nil {
		return a, fmt.Errorf("the job of a move says %.200q: %w", text, err)
	}
	return a, nil
}

// Places are the tiers of the configuration as moves want them.
type Places interface {
	Hot() objstore.Store
	Tier(name string) (objstore.Store, error)
	// Shared reports whether two tiers are one place, in which the store copies by itself, and the class of new objects on the second.
	Shared(from, to string) (shared bool, class objstore.Class)
}

// Mover carries out moves.
type Mover struct {
	DB    *catalog.DB
	Tiers Places
	Owner string
	Hooks catalog.Hooks
	Now   func() time.Time
	// Times is how long restores of a class take, by the configuration; nil: as providers state, see RetrievalOf.
	Times func(objstore.Class) Retrieval
}

// Steps of a move at which hooks are called, beside those of the commit.
const (
	StepCopied = "copied" // one pack is on the other tier, and verified
)

// Move copies the packs that a job names to new keys on another tier, verifies each copy against the digest that the manifest has of it, and commits a generation that
// names the copies. The old ones stay until a sweep finds them superseded. Nothing is overwritten, and nothing deleted. A move that was done already, or has
// nothing to move, ends its job. What fails leaves copies that nothing names; the next attempt writes others.
//
// Errors: ErrNotDue where somebody restored the class meanwhile; objstore.ErrArchived where the source must be restored first; ErrVerify; those of catalog.Commit and of the stores.
func (mv *Mover) Move(ctx context.Context, job catalog.Job) (*catalog.Manifest, error) {
	a, err := ParseMove(job.Args)
	if err != nil {
		return nil, err
	}
	head, _, err := catalog.Heal(ctx, mv.DB, mv.Tiers.Hot(), job.Tenant, job.Hash())
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, fmt.Errorf("move: %w", catalog.ErrNoStudy)
	}
	if until := head.RestoredUntil(a.Class); until.After(mv.Now()) {
		return nil, fmt.Errorf("%w: it was restored and stays until %s", ErrNotDue, until.Format(time.RFC3339))
	}
	copies := map[string]catalog.Pack{} // by the key of the original
	for _, p := range head.Packs {
		if p.Class != a.Class || p.Tier != a.From {
			continue
		}
		to := p
		to.Key, to.Tier, to.Since = catalog.PackKey(job.StudyKey, job.ID, job.Attempt, len(copies)+1), a.To, mv.Now().UTC().Truncate(time.Millisecond)
		if err := mv.copy(ctx, p, to); err != nil {
			return nil, fmt.Errorf("move %s to tier %s: %w", p.Key, a.To, err)
		}
		if err := mv.Hooks.Step(ctx, StepCopied); err != nil {
			return nil, err
		}
		copies[p.Key] = to
	}
	note := fmt.Sprintf("%s from %s to %s", a.Class, a.From, a.To)
	if a.Plan != "" {
		note += fmt.Sprintf(", plan %.16s line %d", a.Plan, a.Line)
	}
	return catalog.Commit(ctx, mv.DB, mv.Tiers.Hot(), catalog.CommitInput{Job: job.ID, Attempt: job.Attempt, Token: job.Token, Key: job.StudyKey, Owner: mv.Owner, Action: ActionMove, Note: note, Hooks: mv.Hooks,
		Change: func(m *catalog.Manifest) (*catalog.Manifest, error) { return replace(m, copies) }})
}

// replace names the copies in place of the originals. Originals that the head does not name any more (regions that were planned anew meanwhile) are
// none of its business: their copies stay orphans.
func replace(m *catalog.Manifest, copies map[string]catalog.Pack) (*catalog.Manifest, error) {
	if m == nil {
		return nil, catalog.ErrNoStudy
	}
	moved := 0
	for i, p := range m.Packs {
		to, ok := copies[p.Key]
		if !ok {
			continue
		}
		if to.SHA256 != p.SHA256 || to.Size != p.Size {
			return nil, fmt.Errorf("pack %s has other bytes than were copied: %w", p.Key, ErrVerify)
		}
		m.Packs[i].Key, m.Packs[i].Tier, m.Packs[i].Since = to.Key, to.Tier, to.Since
		moved++
	}
	if moved == 0 {
		return nil, catalog.ErrNothingToDo
	}
	return m, nil
}

// ErrVerify: a copy is not what was copied. The original stays named.
var ErrVerify = errors.New("the copy does not have the bytes that the manifest names")

// copy makes a verified copy of a pack. Where the store copies by itself the source is read and hashed first, while that is cheap: an archive class cannot be read back.
func (mv *Mover) copy(ctx context.Context, from, to catalog.Pack) error {
	src, err := mv.Tiers.Tier(from.Tier)
	if err != nil {
		return err
	}
	dst, err := mv.Tiers.Tier(to.Tier)
	if err != nil {
		return err
	}
	want, err := sumOf(from.SHA256)
	if err != nil {
		return err
	}
	shared, class := mv.Tiers.Shared(from.Tier, to.Tier)
	var info objstore.Info
	if shared && dst.Capabilities().Copy {
		if err := check(ctx, src, from); err != nil {
			return fmt.Errorf("the original: %w", err)
		}
		info, err = dst.Copy(ctx, from.Key, to.Key, class)
	} else {
		info, err = stream(ctx, src, dst, from, to, want, class)
	}
	if err != nil {
		return err
	}
	if info, err = dst.Head(ctx, to.Key); err != nil { // success may be reported and nothing stored
		return err
	}
	switch {
	case info.Size != to.Size:
		return fmt.Errorf("it has %d bytes, must have %d: %w", info.Size, to.Size, ErrVerify)
	case dst.Capabilities().Checksum && info.SHA256 != [sha256.Size]byte{}:
		if info.SHA256 != want {
			return fmt.Errorf("the store says its SHA-256 is %x: %w", info.SHA256, ErrVerify)
		}
		return nil
	case info.Restore.Archived: // it cannot be read; the original was, and the store compared the copy with it
		return nil
	}
	return check(ctx, dst, to)
}

// stream copies between two stores through this process, in pieces.
func stream(ctx context.Context, src, dst objstore.Store, from, to catalog.Pack, want [sha256.Size]byte, class objstore.Class) (objstore.Info, error) {
	body, _, err := src.Get(ctx, from.Key, 0, -1)
	if err != nil {
		return objstore.Info{}, err
	}
	defer body.Close()
	return dst.Put(ctx, to.Key, body, objstore.PutOptions{Class: class, Size: from.Size, SHA256: want})
}

// check reads an object whole and compares it with the digest that the manifest has of it.
func check(ctx context.Context, store objstore.Store, p catalog.Pack) error {
	body, _, err := store.Get(ctx, p.Key, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, body)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != p.Size || got != p.SHA256 {
		return fmt.Errorf("%s has %d bytes with SHA-256 %s, must have %d with %s: %w", p.Key, n, got, p.Size, p.SHA256, ErrVerify)
	}
	return nil
}

func sumOf(text string) (sum [sha256.Size]byte, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != sha256.Size {
		return sum, fmt.Errorf("SHA-256 %.80q is none", text)
	}
	return [sha256.Size]byte(raw), nil
}
