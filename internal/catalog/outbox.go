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
	eventClaim = time.Minute        // how long other processes leave an event to the one that delivers it
	eventsKept = 7 * 24 * time.Hour // delivered events; Reconcile drops older ones
)

// selectEvent finds the oldest event that nobody delivers now and whose commit is published.
const selectEvent = `SELECT id, payload FROM outbox WHERE delivered = 0 AND claimed <= ? AND EXISTS (
	SELECT 1 FROM study s WHERE s.tenant = outbox.tenant AND s.hash = outbox.hash AND (s.published = 1 OR s.generation > outbox.generation)) ORDER BY created, id LIMIT 1`

// Events delivers events of published commits, oldest first, until none is
// left or fn fails; then that one is delivered again later, by whoever calls
// Events a minute on. Two processes may call it at once.
func (db *DB) Events(ctx context.Context, fn func(Event) error) error {
	for {
		var id, payload string
		now := db.now()
		err := db.reader().row(ctx, selectEvent, toMS(now)).Scan(&id, &payload)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		mine := true
		if err := db.change(ctx, func(tx conn) error {
			err := tx.claim(ctx, selectEvent, toMS(now)).Scan(&id, &payload)
			if mine = !errors.Is(err, sql.ErrNoRows); !mine {
				return nil
			}
			if err != nil {
				return err
			}
			return tx.exec(ctx, `UPDATE outbox SET claimed = ? WHERE id = ?`, toMS(now.Add(eventClaim)), id)
		}); err != nil {
			return err
		}
		if !mine { // other processes deliver what is left
			return nil
		}
		var e Event
		if err := json.Unmarshal([]byte(payload), &e); err != nil {
			return fmt.Errorf("event %s: %w", id, err)
		}
		e.StudyUID = unescape(e.StudyUID)
		delivered := fn(e)
		if err := db.change(ctx, func(tx conn) error {
			if delivered != nil {
				return tx.exec(ctx, `UPDATE outbox SET claimed = ? WHERE id = ?`, toMS(now.Add(eventClaim)), id)
			}
			return tx.exec(ctx, `UPDATE outbox SET delivered = ? WHERE id = ?`, max(1, toMS(db.now())), id)
		}); err != nil || delivered != nil {
			return errors.Join(delivered, err)
		}
	}
}
