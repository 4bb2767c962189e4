package catalog

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Removal is an object that a sweep wants to remove, or is removing.
type Removal struct {
	Tenant, Hash string // of the study
	Key          string
	Tier         string // name of the store that holds it
	Bytes        int64
	Put          time.Time // when it was put
	Reason       string
	// Superseded objects were named by an earlier generation; others are orphans of a job that is over.
	Superseded bool
}

// MarkDeleting is what a sweep asks before it removes anything of a study. In
// one transaction, with the study locked, it confirms that the head still is headKey ("" for none) and is
// published, that the study is not stopped, that no hold stands (superseded objects), and that the job is over (orphans: an
// open job's later attempt may adopt them). What it returns is in state
// "deleting" from then on, and no commit can name it again. ErrStale says that the head moved: sweep the study another time.
func (db *DB) MarkDeleting(ctx context.Context, tenant, hash, headKey string, list []Removal) (granted []Removal, err error) {
	id := "sweep-" + newID(db.now())
	err = db.change(ctx, func(tx conn) error {
		granted = nil
		var heldUntil int64
		head, err := scanHead(tx.lock(ctx, selectHead, tenant, hash))
		if errors.Is(err, ErrNoStudy) { // nor shall it get one now
			if err = tx.lockNew(ctx, tenant, hash); err == nil {
				head, err = scanHead(tx.lock(ctx, selectHead, tenant, hash))
			}
		}
		if errors.Is(err, ErrNoStudy) {
			head, err = &Head{}, nil
		}
		if err != nil {
			return err
		}
		if head.Key != headKey || head.Generation > 0 && !head.Published {
			return ErrStale
		}
		if head.Status == StatusFork {
			return ErrFork
		}
		if head.Generation > 0 {
			if err := tx.row(ctx, `SELECT hold_until FROM study WHERE tenant = ? AND hash = ?`, tenant, hash).Scan(&heldUntil); err != nil {
				return err
			}
		}
		for _, r := range list {
			o, ok := ParseKey(r.Key)
			if !ok || o.Tenant != tenant || o.Hash != hash || r.Superseded && heldUntil > toMS(db.now()) {
				continue
			}
			if !r.Superseded {
				open, err := tx.jobOpen(ctx, o.Job)
				if err != nil {
					return err
				}
				if open {
					continue
				}
			}
			if err := tx.exec(ctx, `INSERT INTO removal (key, tenant, hash, tier, bytes, reason, state, at, put) VALUES (?, ?, ?, ?, ?, ?, 'deleting', ?, ?)
				ON CONFLICT (tenant, hash, key) DO UPDATE SET state = 'deleting', at = excluded.at`, r.Key, tenant, hash, r.Tier, r.Bytes, r.Reason, toMS(db.now()), toMS(r.Put)); err != nil {
				return err
			}
			granted = append(granted, r)
		}
		if len(granted) == 0 {
			return nil
		}
		return tx.noteDecision(ctx, id, db.now(), "sweep", "sweep", tenant, hash, head.Generation, removalNote(granted))
	})
	if err != nil {
		return nil, fmt.Errorf("sweep study %s: %w", hash, err)
	}
	return granted, nil
}

// notedKeys is how many keys of removed objects an audit row names; the digest is over all of them.
const notedKeys = 20

// removalNote says what is removed: how much, why, and which objects.
func removalNote(list []Removal) string {
	bytes, sum, why := int64(0), sha256.New(), map[string]int{}
	var text strings.Builder
	for i, r := range list {
		bytes += r.Bytes
		why[r.Reason]++
		fmt.Fprintf(sum, "%s %d %s\n", r.Key, r.Bytes, r.Tier)
		if i < notedKeys {
			fmt.Fprintf(&text, "; %s on %s, %d bytes", r.Key, r.Tier, r.Bytes)
		}
	}
	if n := len(list) - notedKeys; n > 0 {
		fmt.Fprintf(&text, "; and %d more", n)
	}
	var reasons []string
	for _, w := range sortedNames(why) {
		reasons = append(reasons, fmt.Sprintf("%d: %s", why[w], w))
	}
	return fmt.Sprintf("removes %d objects of %d bytes, SHA-256 of the list %x (%s)%s", len(list), bytes, sum.Sum(nil), strings.Join(reasons, "; "), text.String())
}

// Unmark takes back what MarkDeleting granted of objects that were not deleted.
func (db *DB) Unmark(ctx context.Context, list []Removal) error {
	return db.change(ctx, func(tx conn) error {
		for _, r := range list {
			if err := tx.exec(ctx, `DELETE FROM removal WHERE tenant = ? AND hash = ? AND key = ? AND state = 'deleting'`, r.Tenant, r.Hash, r.Key); err != nil {
				return err
			}
		}
		return nil
	})
}

// jobOpen reports whether a job may still commit. A job that the catalog does not know never will.
func (c conn) jobOpen(ctx context.Context, id string) (bool, error) {
	var state JobState
	err := c.row(ctx, `SELECT state FROM job WHERE id = ?`, id).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return state.open(), err
}

// JobOpen reports whether a job is queued, running or held, so that its objects may still be adopted.
func (db *DB) JobOpen(ctx context.Context, id string) (bool, error) {
	return db.reader().jobOpen(ctx, id)
}

// MarkDeleted records that an object is gone and closes its storage interval.
func (db *DB) MarkDeleted(ctx context.Context, key string) error {
	o, ok := ParseKey(key)
	if !ok {
		return fmt.Errorf("sweep: %.200q is not the key of a study's object", key)
	}
	return db.change(ctx, func(tx conn) error {
		now := db.now()
		if err := tx.closeInterval(ctx, o, key, now); err != nil {
			return err
		}
		return tx.exec(ctx, `UPDATE removal SET state = 'deleted', at = ? WHERE tenant = ? AND hash = ? AND key = ?`, toMS(now), o.Tenant, o.Hash, key)
	})
}

// Removals returns what is in state "deleting": a sweep was stopped before it was done with them.
func (db *DB) Removals(ctx context.Context) ([]Removal, error) {
	var list []Removal
	rows, err := db.reader().query(ctx, `SELECT tenant, hash, key, tier, bytes, reason, put FROM removal WHERE state = 'deleting' ORDER BY key`)
	err = each(rows, err, func(r *sql.Rows) error {
		var x Removal
		var put int64
		err := r.Scan(&x.Tenant, &x.Hash, &x.Key, &x.Tier, &x.Bytes, &x.Reason, &put)
		x.Put = fromMS(put)
		list = append(list, x)
		return err
	})
	return list, err
}

// swept reports whether a sweep of this catalog has removed an object, or is at it.
func (db *DB) swept(ctx context.Context, tenant, hash, key string) (bool, error) {
	var n int64
	err := db.reader().row(ctx, `SELECT COUNT(*) FROM removal WHERE tenant = ? AND hash = ? AND key = ?`, tenant, hash, key).Scan(&n)
	return n > 0, err
}
