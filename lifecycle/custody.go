package lifecycle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// Actions of the generations that this package makes.
const (
	ActionHold    = "hold"
	ActionLift    = "lift"
	ActionCustody = "custody"
)

// HoldID names a hold that nobody gave a name: the same hold again has the same one.
func HoldID(h catalog.Hold) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", h.Kind, h.Owner, h.Reason, h.Until.UnixMilli()))
	return fmt.Sprintf("%s-%x", h.Kind, sum[:4])
}

// AddHold puts a hold on a study. The same again changes nothing.
func AddHold(ctx context.Context, db *catalog.DB, store objstore.Store, k catalog.StudyKey, h catalog.Hold) (*catalog.Manifest, error) {
	return catalog.CommitAside(ctx, db, store, catalog.Aside{Key: k, Action: ActionHold, By: h.Owner, Note: h.ID + ": " + h.Reason,
		Change: func(m *catalog.Manifest) error { return m.AddHold(h, time.Now()) }})
}

// LiftHold ends a hold before its time. A hold that was lifted already, by the same person for the same reason, is left as it is.
func LiftHold(ctx context.Context, db *catalog.DB, store objstore.Store, k catalog.StudyKey, id, by, reason string) (*catalog.Manifest, error) {
	l := catalog.Lift{By: by, Reason: reason, At: time.Now().UTC().Truncate(time.Millisecond)}
	return catalog.CommitAside(ctx, db, store, catalog.Aside{Key: k, Action: ActionLift, By: by, Note: id + ": " + reason,
		Change: func(m *catalog.Manifest) error { return m.LiftHold(id, l) }})
}

// Told is what somebody tells of a study. Empty fields leave what is known as it is.
type Told struct {
	Role, Patient, LastEvent string // as in catalog.Custody
	By, Reason               string
	ApprovedBy               string // a second person, for what lowers the protection of a study
	// Later leaves what is known of the last patient event as it is if it is later: lists of events come in any order.
	Later bool
}

// ErrApproval: what is told lowers the protection of a study, and one person does not suffice for that.
var ErrApproval = errors.New("a second person must approve what lowers the protection of a study")

// Tell records what somebody tells of a study. What is known already changes nothing. What lowers its protection (a primary copy becomes another, an
// inpatient an outpatient, the last patient event an earlier day) needs two people: ErrApproval.
func Tell(ctx context.Context, db *catalog.DB, store objstore.Store, k catalog.StudyKey, told Told) (*catalog.Manifest, error) {
	note := told.Reason
	if told.ApprovedBy != "" {
		note += "; approved by " + told.ApprovedBy
	}
	return catalog.CommitAside(ctx, db, store, catalog.Aside{Key: k, Action: ActionCustody, By: told.By, Note: note, Change: func(m *catalog.Manifest) error {
		was := catalog.Custody{}
		if m.Custody != nil {
			was = *m.Custody
		}
		is, lower := told.on(was)
		if err := is.Check(); err != nil {
			return err
		}
		if is == was {
			return catalog.ErrNothingToDo
		}
		if len(lower) > 0 && (told.ApprovedBy == "" || strings.EqualFold(strings.TrimSpace(told.ApprovedBy), strings.TrimSpace(told.By))) {
			return fmt.Errorf("%w (%s)", ErrApproval, strings.Join(lower, ", "))
		}
		m.Custody = &is
		return nil
	}})
}

// on is what is known after it was told, and in words what of it lowers the protection.
func (t Told) on(c catalog.Custody) (out catalog.Custody, lower []string) {
	if t.Role != "" && t.Role != c.Role {
		if c.Role == catalog.RolePrimary {
			lower = append(lower, "it was the primary copy")
		}
		c.Role = t.Role
	}
	if t.Patient != "" && t.Patient != c.Patient {
		if c.Patient == "inpatient" {
			lower = append(lower, "it was of an inpatient")
		}
		c.Patient = t.Patient
	}
	switch {
	case t.LastEvent == "" || t.LastEvent == c.LastEvent || t.Later && t.LastEvent < c.LastEvent:
	default:
		if t.LastEvent < c.LastEvent {
			lower = append(lower, "the last patient event was on "+c.LastEvent)
		}
		c.LastEvent = t.LastEvent
	}
	return c, lower
}
