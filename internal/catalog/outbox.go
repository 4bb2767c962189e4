package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Event tells others that a study was committed. There is exactly one per
// commit; it may be delivered more than once, always with the same ID.
type Event struct {
	ID         string    `json:"id"`
	Action     string    `json:"action"` // that of the commit; "...-unchanged" if everything was stored already
	Changed    bool      `json:"changed"`
	Tenant     string    `json:"tenant"`
	StudyUID   string    `json:"study_uid"`
	Study      string    `json:"study"` // hash
	Generation int64     `json:"generation"`
	Manifest   string    `json:"manifest"` // key
	Status     Status    `json:"status"`
	Totals     Totals    `json:"totals"`
	At         time.Time `json:"at"`
}

func (c conn) addEvent(ctx context.Context, id, action string, m *Manifest, changed bool, now time.Time) error {
	e := Event{ID: id, Action: action, Changed: changed, Tenant: m.Tenant, StudyUID: escape(m.StudyUID), Study: m.Study().Hash(),
		Generation: m.Generation, Manifest: m.Key(), Status: m.Status, Totals: m.Totals, At: now}
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return c.exec(ctx, `INSERT INTO outbox (id, tenant, hash, generation, payload, created) VALUES (?, ?, ?, ?, ?, ?)`,
		id, m.Tenant, m.Study().Hash(), m.Generation, string(raw), toMS(now))
}

const (
	eventClaim = time.Minute // how long other processes leave an event to the one that delivers it
	eventBatch = 100
	eventsKept = 7 * 24 * time.Hour // delivered events; Reconcile drops older ones
)

// Events delivers events of published commits, oldest first, until none is
// left or fn fails; then that one is delivered again later, by whoever calls
// Events a minute on. Two processes may call it at once.
func (db *DB) Events(ctx context.Context, fn func(Event) error) error {
	for {
		type row struct{ id, payload string }
		var batch []row
		now := db.now()
		rows, err := db.reader().query(ctx, `SELECT o.id, o.payload FROM outbox o JOIN study s ON s.tenant = o.tenant AND s.hash = o.hash
			WHERE o.delivered = 0 AND o.claimed <= ? AND (s.published = 1 OR s.generation > o.generation) ORDER BY o.created, o.id LIMIT ?`, toMS(now), eventBatch)
		if err := each(rows, err, func(r *sql.Rows) error {
			var x row
			err := r.Scan(&x.id, &x.payload)
			batch = append(batch, x)
			return err
		}); err != nil {
			return err
		}
		if len(batch) == 0 {
			return nil
		}
		for _, x := range batch {
			var mine int64
			if err := db.change(ctx, func(tx conn) (err error) {
				mine, err = tx.affected(ctx, `UPDATE outbox SET claimed = ? WHERE id = ? AND delivered = 0 AND claimed <= ?`, toMS(now.Add(eventClaim)), x.id, toMS(now))
				return err
			}); err != nil {
				return err
			}
			if mine == 0 {
				continue // another process delivers it
			}
			var e Event
			if err := json.Unmarshal([]byte(x.payload), &e); err != nil {
				return fmt.Errorf("event %s: %w", x.id, err)
			}
			e.StudyUID = unescape(e.StudyUID)
			delivered := fn(e)
			if err := db.change(ctx, func(tx conn) error {
				if delivered != nil {
					return tx.exec(ctx, `UPDATE outbox SET claimed = ? WHERE id = ?`, toMS(now.Add(eventClaim)), x.id)
				}
				return tx.exec(ctx, `UPDATE outbox SET delivered = ? WHERE id = ?`, max(1, toMS(db.now())), x.id)
			}); err != nil || delivered != nil {
				return errors.Join(delivered, err)
			}
		}
	}
}
