package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"
)

// check reports why an answer is none.
func (r *Review) check() error {
	switch {
	case r.Kind != ReviewNegative && r.Kind != ReviewKeepWhole:
		return fmt.Errorf("review: kind %.40q is not known: use %s or %s", r.Kind, ReviewNegative, ReviewKeepWhole)
	case !reviewText(r.By) || !reviewText(r.Reason):
		return fmt.Errorf("review: who and why are both needed, each UTF-8 of 1 to %d bytes without control characters", MaxReviewText)
	case r.At.IsZero() || !validPlan(r.Plan):
		return fmt.Errorf("review: its time is missing, or its plan is %.80q", r.Plan)
	}
	return nil
}

func reviewText(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= MaxReviewText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// ReviewFilter selects studies that a person must look at. Zero values select all.
type ReviewFilter struct {
	Tenant string
	// State is one state of region records. Studies in states that need nobody are listed too when they are asked for.
	State string
	After StudyKey // exclusive: continues a list after this study
	Limit int
}

// unreviewed is the condition of the index study_review, word by word.
const unreviewed = `reviewed = '' AND region_state NOT IN ('', 'none', 'extracted', 'key-slices', 'negative')`

// The pages of the review list, by tenant and hash. Asked for by state, studies that need nobody are found too: those are found in the order of the table's key.
const (
	selectReview      = selectStudy + ` WHERE ` + unreviewed + ` AND tenant = ? AND hash > ? AND (? = '' OR region_state = ?) ORDER BY tenant, hash LIMIT ?`
	selectReviewState = selectStudy + ` WHERE reviewed = '' AND region_state = ? AND generation > 0 AND tenant = ? AND hash > ? ORDER BY tenant, hash LIMIT ?`
)

// NeedsPerson reports whether a state of a region record waits for a person: all states do, unless they are known not to.
func NeedsPerson(state string) bool {
	switch state {
	case "", "none", "extracted", "key-slices", "negative":
		return false
	}
	return true
}

// ReviewList yields, by tenant and hash, the studies that a person must look at: what is known about their lesions does not let their full
// images expire, and no answer stands. It stops at the first error, which it yields.
func (db *DB) ReviewList(ctx context.Context, f ReviewFilter) iter.Seq2[Study, error] {
	return func(yield func(Study, error) bool) {
		tenants := []string{f.Tenant}
		if f.Tenant == "" {
			var err error
			if tenants, err = db.reader().names(ctx, `SELECT name FROM tenant ORDER BY name`); err != nil {
				yield(Study{}, err)
				return
			}
		}
		left := f.Limit
		for _, tenant := range tenants {
			if !db.reviewPages(ctx, f, tenant, &left, yield) {
				return
			}
		}
	}
}

// reviewPages yields what a tenant has. It reports whether to go on.
func (db *DB) reviewPages(ctx context.Context, f ReviewFilter, tenant string, left *int, yield func(Study, error) bool) bool {
	hash := ""
	switch {
	case f.After.Tenant > tenant:
		return true
	case f.After.Tenant == tenant:
		hash = f.After.Hash()
	}
	for f.Limit <= 0 || *left > 0 {
		n := pageRows
		if f.Limit > 0 {
			n = min(n, *left)
		}
		page, args := selectReview, []any{tenant, hash, f.State, f.State, n}
		if f.State != "" && !NeedsPerson(f.State) {
			page, args = selectReviewState, []any{f.State, tenant, hash, n}
		}
		var found []Study
		rows, err := db.reader().query(ctx, page, args...)
		err = each(rows, err, func(r *sql.Rows) error {
			s, h, err := scanStudy(r)
			found, hash = append(found, s), h
			return err
		})
		if err != nil {
			yield(Study{}, err)
			return false
		}
		for _, s := range found {
			if !yield(s, nil) {
				return false
			}
		}
		if *left -= len(found); len(found) < n {
			return true
		}
	}
	return false
}
