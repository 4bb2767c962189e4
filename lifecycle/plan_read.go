package lifecycle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/radtier/radtier/internal/objstore"
)

var (
	// ErrNoPlan: no plan has this digest.
	ErrNoPlan = errors.New("no such plan")
	// ErrPlanDamaged: the bytes of a plan are not those that were approved.
	ErrPlanDamaged = errors.New("the plan is damaged: make a new one")
)

const (
	minDigest = 8        // digits of a digest that name a plan
	maxHead   = 64 << 20 // bytes of a plan's head
)

// LoadPlan reads the head of a plan by its digest, or by 8 or more digits that it begins with, and returns it with the whole digest. ErrNoPlan, ErrPlanDamaged.
func LoadPlan(ctx context.Context, store objstore.Store, name string) (*Plan, string, error) {
	if len(name) < minDigest || strings.Trim(name, "0123456789abcdef") != "" {
		return nil, "", fmt.Errorf("plan %.80q: a plan is named by %d or more hex digits of its digest", name, minDigest)
	}
	key := ""
	for info, err := range store.List(ctx, headPrefix+name, "") {
		if err != nil {
			return nil, "", err
		}
		if key != "" {
			return nil, "", fmt.Errorf("plan %s: several plans begin with it: give more digits", name)
		}
		key = info.Key
	}
	if key == "" {
		return nil, "", fmt.Errorf("plan %s: %w", name, ErrNoPlan)
	}
	digest := strings.TrimSuffix(strings.TrimPrefix(key, headPrefix), ".json")
	raw, err := objstore.ReadAll(ctx, store, key, maxHead)
	if err != nil {
		return nil, "", fmt.Errorf("plan %s: %w", digest, err)
	}
	p := &Plan{}
	if digestOf(raw) != digest {
		return nil, "", fmt.Errorf("plan %s: %w", digest, ErrPlanDamaged)
	}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, "", fmt.Errorf("plan %s: %w", digest, errors.Join(ErrPlanDamaged, err))
	}
	if p.Schema != PlanSchema {
		return nil, "", fmt.Errorf("plan %s has schema %.40q, this program reads %q", digest, p.Schema, PlanSchema)
	}
	return p, digest, nil
}

// Read yields the lines of a plan in their order. Each part is checked before any of its lines is yielded, and the chain as it goes: it stops with
// an error that is ErrPlanDamaged where a line was changed, is missing or is another one's.
func (p *Plan) Read(ctx context.Context, store objstore.Store) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		prev, number := digestOf([]byte(p.ID)), int64(0)
		damaged := func(key, format string, args ...any) {
			yield(Line{}, fmt.Errorf("%s: %w (%s)", key, ErrPlanDamaged, fmt.Sprintf(format, args...)))
		}
		for _, part := range p.Parts {
			raw, err := objstore.ReadAll(ctx, store, part.Key, part.Bytes)
			if err != nil {
				yield(Line{}, fmt.Errorf("plan %s: %w", p.ID, err))
				return
			}
			if digestOf(raw) != part.SHA256 {
				damaged(part.Key, "its digest is %s, must be %s", digestOf(raw), part.SHA256)
				return
			}
			for text := range bytes.Lines(raw) {
				text = bytes.TrimSuffix(text, []byte("\n"))
				var l Line
				if err := json.Unmarshal(text, &l); err != nil {
					damaged(part.Key, "line %d: %v", number+1, err)
					return
				}
				if number++; l.Number != number || l.Prev != prev {
					damaged(part.Key, "line %d does not follow the one before", number)
					return
				}
				prev = digestOf(text)
				if !yield(l, nil) {
					return
				}
			}
		}
		if number != p.Lines || prev != p.Last {
			damaged(p.ID, "it has %d lines, must have %d", number, p.Lines)
		}
	}
}
