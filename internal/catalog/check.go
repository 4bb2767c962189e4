package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Checkable is a study as a plan looks at it: its row, and what the row says of its head.
type Checkable struct {
	Study
	// Brief is nil in rows of versions that did not write it: the head manifest tells.
	Brief *Brief
	mark  checkMark
}

// checkMark is where a study stands in the index of what is due.
type checkMark struct {
	epoch, day   int64
	tenant, hash string
}

// PutInForce makes a policy the one that studies are checked by, and returns the number of its epoch. The one that is in force stays as it is; another
// one makes every study due again.
func (db *DB) PutInForce(ctx context.Context, digest, name string) (epoch int64, err error) {
	err = db.change(ctx, func(tx conn) error {
		var have string
		err := tx.row(ctx, `SELECT epoch, digest FROM policy_epoch ORDER BY epoch DESC LIMIT 1`).Scan(&epoch, &have)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && have == digest {
			return nil
		}
		epoch++ // two at once: the second insert fails, and begins again
		n, err := tx.affected(ctx, `INSERT INTO policy_epoch (epoch, digest, name, since) VALUES (?, ?, ?, ?) ON CONFLICT (epoch) DO NOTHING`, epoch, digest, escape(name), toMS(db.now()))
		if err == nil && n == 0 {
			return errMoved
		}
		return err
	})
	if errors.Is(err, errMoved) {
		return db.PutInForce(ctx, digest, name)
	}
	return epoch, err
}

// InForce returns the policy that is in force by its digest, and its epoch: "" and 0 if there was none yet. It changes nothing.
func (db *DB) InForce(ctx context.Context) (digest string, epoch int64, err error) {
	err = db.reader().row(ctx, `SELECT epoch, digest FROM policy_epoch ORDER BY epoch DESC LIMIT 1`).Scan(&epoch, &digest)
	if errors.Is(err, sql.ErrNoRows) {
		return "", 0, nil
	}
	return digest, epoch, err
}

const selectCheck = `SELECT tenant, hash, uid, head_key, head_sha256, generation, status, want, done, quarantined, created, updated, accessed, region_state, reviewed, facts, check_epoch, check_day
	FROM study WHERE head_key <> ''`

// The pages of what is due, in the order of the index study_due: what no policy or an older one was asked about, then what time has changed.
const (
	selectCheckOlder = selectCheck + ` AND check_epoch < ? AND (check_epoch, check_day, tenant, hash) > (?, ?, ?, ?) ORDER BY check_epoch, check_day, tenant, hash LIMIT ?`
	selectCheckDue   = selectCheck + ` AND check_epoch = ? AND check_day <= ? AND (check_day, tenant, hash) > (?, ?, ?) ORDER BY check_day, tenant, hash LIMIT ?`
)

// CheckDue calls f with pages of studies that the policy of an epoch must be asked about on a day, each once. What f returns of a page is marked as
// answered until the days that it says: the study is not due before, unless a commit or another policy makes it so. Studies that commits change meanwhile
// stay due. limit bounds the studies, 0: all.
func (db *DB) CheckDue(ctx context.Context, epoch, day int64, limit int, f func(page []Checkable) (answered map[int]int64, err error)) error {
	left := limit
	for _, older := range []bool{true, false} {
		at := checkMark{day: -1}
		for limit <= 0 || left > 0 {
			n := pageRows
			if limit > 0 {
				n = min(n, left)
			}
			page, err := db.checkPage(ctx, older, epoch, day, at, n)
			if err != nil {
				return err
			}
			if len(page) > 0 {
				answered, err := f(page)
				if err != nil {
					return err
				}
				if err := db.markChecked(ctx, epoch, page, answered); err != nil {
					return err
				}
				at = page[len(page)-1].mark
			}
			if left -= len(page); len(page) < n {
				break
			}
		}
	}
	return nil
}

func (db *DB) checkPage(ctx context.Context, older bool, epoch, day int64, at checkMark, n int) ([]Checkable, error) {
	q, args := selectCheckDue, []any{epoch, day, at.day, at.tenant, at.hash, n}
	if older {
		q, args = selectCheckOlder, []any{epoch, at.epoch, at.day, at.tenant, at.hash, n}
	}
	return db.scanChecks(db.reader().query(ctx, q, args...))
}

func (db *DB) scanChecks(rows *sql.Rows, err error) (page []Checkable, _ error) {
	err = each(rows, err, func(r *sql.Rows) error {
		var c Checkable
		var created, updated, accessed int64
		var facts string
		err := r.Scan(&c.Tenant, &c.mark.hash, &c.UID, &c.Key, &c.SHA256, &c.Generation, &c.Status, &c.Want, &c.Done, &c.Quarantined, &created, &updated, &accessed, &c.RegionState, &c.Reviewed, &facts, &c.mark.epoch, &c.mark.day)
		if err != nil {
			return err
		}
		c.UID, c.Created, c.Updated, c.Accessed, c.mark.tenant = unescape(c.UID), fromMS(created), fromMS(updated), fromMS(accessed), c.Tenant
		if facts != "" {
			b, err := decodeBrief(facts)
			if err != nil {
				return fmt.Errorf("study %s: %w", c.mark.hash, err)
			}
			c.Brief = &b
		}
		page = append(page, c)
		return nil
	})
	return page, err
}

// markAnswered sets the epoch and day of n studies of one shard, if they still have the generation that was looked at.
func markAnswered(n int) string {
	return `UPDATE study SET check_epoch = ?, check_day = ? WHERE hash >= ? AND hash < ? AND (tenant, hash, generation) IN (VALUES (?, ?, CAST(? AS BIGINT))` + strings.Repeat(`, (?, ?, CAST(? AS BIGINT))`, n-1) + `)`
}

// markChecked notes the answers of a page in one transaction: a statement for each day and shard, which is one partition.
func (db *DB) markChecked(ctx context.Context, epoch int64, page []Checkable, answered map[int]int64) error {
	if len(answered) == 0 {
		return nil
	}
	type group struct {
		shard string
		day   int64
	}
	groups := map[group][]int{}
	for i, day := range answered {
		g := group{page[i].mark.hash[:1], day}
		groups[g] = append(groups[g], i)
	}
	order := slices.SortedFunc(maps.Keys(groups), func(a, b group) int { return cmp.Or(strings.Compare(a.shard, b.shard), cmp.Compare(a.day, b.day)) })
	return db.change(ctx, func(tx conn) error {
		for _, g := range order {
			args := []any{epoch, g.day, g.shard, g.shard + "g"}
			for _, i := range groups[g] {
				args = append(args, page[i].mark.tenant, page[i].mark.hash, page[i].Generation)
			}
			if err := tx.exec(ctx, markAnswered(len(groups[g])), args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Check reads one study as a plan looks at it. ErrNoStudy if it has no generation.
func (db *DB) Check(ctx context.Context, tenant, hash string) (c Checkable, err error) {
	page, err := db.scanChecks(db.reader().query(ctx, selectCheck+` AND tenant = ? AND hash = ?`, tenant, hash))
	if err != nil {
		return c, err
	}
	if len(page) == 0 {
		return c, fmt.Errorf("study %s: %w", hash, ErrNoStudy)
	}
	return page[0], nil
}
