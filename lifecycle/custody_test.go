package lifecycle_test

import (
	"errors"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// TestTell: what is told is kept, what is known already is no new generation, and what lowers the protection needs two people.
func TestTell(t *testing.T) {
	s := newSweeper(t)
	k := catalogtest.Study(1)
	s.Done(k, "a")
	generation := int64(1)
	for n, c := range []struct {
		told       lifecycle.Told
		role       string
		event      string
		needs, new bool
	}{
		{told: lifecycle.Told{Role: "primary"}, role: "primary", new: true},
		{told: lifecycle.Told{Role: "primary"}, role: "primary"},
		{told: lifecycle.Told{Patient: "outpatient", LastEvent: "20260101"}, role: "primary", event: "20260101", new: true},
		{told: lifecycle.Told{Patient: "inpatient"}, role: "primary", event: "20260101", new: true},
		{told: lifecycle.Told{Patient: "outpatient"}, role: "primary", event: "20260101", needs: true},
		{told: lifecycle.Told{LastEvent: "20251231", Later: true}, role: "primary", event: "20260101"},
		{told: lifecycle.Told{LastEvent: "20251231"}, role: "primary", event: "20260101", needs: true},
		{told: lifecycle.Told{LastEvent: "20251231", ApprovedBy: " records"}, role: "primary", event: "20260101", needs: true},
		{told: lifecycle.Told{LastEvent: "20251231", ApprovedBy: "office"}, role: "primary", event: "20251231", new: true},
		{told: lifecycle.Told{Role: "secondary"}, role: "primary", event: "20251231", needs: true},
		{told: lifecycle.Told{Role: "secondary", ApprovedBy: "office"}, role: "secondary", event: "20251231", new: true},
		{told: lifecycle.Told{Role: "primary"}, role: "primary", event: "20251231", new: true},
	} {
		c.told.By, c.told.Reason = "records", "list"
		m, err := lifecycle.Tell(s.Ctx, s.DB, s.Store, k, c.told)
		if errors.Is(err, lifecycle.ErrApproval) != c.needs || err != nil && !c.needs {
			t.Fatalf("%d: got %v, needs another person: %v", n, err, c.needs)
		}
		if c.new {
			generation++
		}
		if m, err = catalog.LoadHead(s.Ctx, s.DB, s.Store, k); err != nil || m.Generation != generation || m.Custody.Role != c.role || m.Custody.LastEvent != c.event {
			t.Fatalf("%d: generation %d with %+v, %v; want %d, %s, %s", n, m.Generation, m.Custody, err, generation, c.role, c.event)
		}
	}
	if _, err := lifecycle.Tell(s.Ctx, s.DB, s.Store, k, lifecycle.Told{Role: "owner", By: "a", Reason: "b"}); err == nil {
		t.Error("a role that is none was taken")
	}
	if _, err := lifecycle.Tell(s.Ctx, s.DB, s.Store, k, lifecycle.Told{Role: "secondary", ApprovedBy: "office"}); err == nil {
		t.Error("what nobody answers for was taken")
	}
}

// TestHoldsAsFacts: a policy sees the holds that were not lifted, with their last day in its zone, and the appointments.
func TestHoldsAsFacts(t *testing.T) {
	s := newSweeper(t)
	k := catalogtest.Study(1)
	s.Done(k, "a")
	p, err := policy.Load("regional.yaml", mustRead(t, "regional"))
	s.OK(err)
	day := func(text string) policy.Day {
		d, err := policy.ParseDay(text)
		s.OK(err)
		return d
	}
	hold := func(id string, kind catalog.HoldKind, until string) {
		h := catalog.Hold{ID: id, Kind: kind, Owner: "office", Reason: "r", Since: time.Now()}
		if until != "" {
			h.Until = (day(until) + 1).Start(p.Zone)
		}
		_, err := lifecycle.AddHold(s.Ctx, s.DB, s.Store, k, h)
		s.OK(err)
	}
	hold("case", catalog.HoldLegal, "")
	hold("visit", catalog.HoldAppointment, "2090-02-28")
	hold("trial", catalog.HoldResearch, "2091-01-01")
	m, err := lifecycle.LiftHold(s.Ctx, s.DB, s.Store, k, "trial", "office", "over")
	s.OK(err)
	b := catalog.BriefOf(m)
	f := lifecycle.FactsOf(p, catalog.Study{}, &b, "hot")
	if len(f.Holds) != 2 || f.Holds[0].Until != 0 || f.Holds[1].Until != day("2090-02-28") || f.Holds[1].Kind != "appointment" ||
		len(f.Appointments) != 1 || f.Appointments[0] != day("2090-02-28") {
		t.Errorf("facts are %+v, appointments %v", f.Holds, f.Appointments)
	}
}

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := policy.Files.ReadFile("files/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
