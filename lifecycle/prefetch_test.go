package lifecycle_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/lifecycle"
)

func TestReadAppointments(t *testing.T) {
	good := map[string]string{
		"csv":       "\ufeffAt,Group,study_uid,other,priority\n2026-12-01T08:00:00+08:00,甲,1.2.3,x,\n2026-12-01T09:00:00Z,\"a,b\",1.2.4,,7\n",
		"json":      `{"study_uid":"1.2.3","at":"2026-12-01T08:00:00+08:00","group":"甲","more":[1]}` + "\n\n" + `{"study_uid":"1.2.4","at":"2026-12-01T09:00:00Z","group":"a,b","priority":7}`,
		"csv, crlf": "study_uid,at,group,priority\r\n1.2.3,2026-12-01T00:00:00Z,甲,0\r\n1.2.4,2026-12-01T09:00:00Z,\"a,b\",7\r\n",
	}
	for name, text := range good {
		list, err := lifecycle.ReadAppointments(strings.NewReader(text))
		if err != nil || len(list) != 2 {
			t.Errorf("%s: %+v, %v", name, list, err)
			continue
		}
		if a, b := list[0], list[1]; a.StudyUID != "1.2.3" || a.Group != "甲" || !a.At.Equal(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)) || a.Priority != 0 || b.Group != "a,b" || b.Priority != 7 || b.StudyUID != "1.2.4" {
			t.Errorf("%s: %+v", name, list)
		}
	}
	for text, line := range map[string]int{
		"":                             1,
		"study_uid,group\n":            1,
		"at,at,study_uid\n":            1,
		"study_uid,at\n1.2":            2,
		"study_uid,at\n1.2,tomorrow\n": 2,
		"study_uid,at\n1.2,2026-12-01T00:00:00Z\nWANG^LEI,2026-12-01T00:00:00Z\n": 3,
		"study_uid,at,priority\n1.2,2026-12-01T00:00:00Z,high\n":                  2,
		"study_uid,at\n1.2,2026-12-01T00:00:00Z,more\n":                           2,
		"{}": 1,
		"{\"study_uid\":\"1.2\",\"at\":\"2026-12-01T00:00:00Z\"}\n{\"study_uid\":12}": 2,
		"{\"study_uid\":\"1.2\",\"at\":\"2026-12-01T00:00:00Z\"}\nnonsense":           2,
		"study_uid,at\n1.2,\"2026-12-01T00:00:00Z\n":                                  2,
	} {
		list, err := lifecycle.ReadAppointments(strings.NewReader(text))
		var bad *lifecycle.AppointmentsError
		if !errors.As(err, &bad) || bad.Line != line || list != nil {
			t.Errorf("%q: %v, %v; want an error in line %d", text, list, err, line)
		}
		if err != nil && strings.Contains(err.Error(), "WANG") {
			t.Errorf("the error repeats what may be a name: %v", err)
		}
	}
}

// cold moves the full images of a study to the archive.
func (a *archive) prefetch(list []lifecycle.Appointment, o lifecycle.PrefetchOptions) *lifecycle.Prefetched {
	a.T.Helper()
	o.Tenant, o.Hot, o.Now = "north", "hot", a.Clock.Now()
	r, err := lifecycle.PrefetchFor(a.Ctx, a.DB, list, o)
	a.OK(err)
	return r
}

// TestPrefetch: the last priors of who comes soon are queued in the order of the appointments, within the budget, once.
func TestPrefetch(t *testing.T) {
	a := newArchive(t)
	for n := range 5 { // study 4 has the latest study date
		k := a.archived(n)
		_, err := catalog.CommitAside(a.Ctx, a.DB, a.Store, catalog.Aside{Key: k, Action: "about", By: "t", Note: "n", Change: func(m *catalog.Manifest) error {
			m.About.StudyDate = fmt.Sprintf("2026020%d", n+1)
			return nil
		}})
		a.OK(err)
	}
	hot := catalogtest.Study(9)
	a.Done(hot, "a")
	soon, later := a.Clock.Now().Add(10*time.Hour).Truncate(time.Second), a.Clock.Now().Add(20*time.Hour).Truncate(time.Second)
	uid := func(n int) string { return catalogtest.Study(n).UID }
	list := []lifecycle.Appointment{
		{StudyUID: uid(0), Group: "p", At: later}, {StudyUID: uid(1), Group: "p", At: later}, {StudyUID: uid(2), Group: "p", At: later},
		{StudyUID: uid(3), At: soon}, {StudyUID: uid(3), At: soon}, // twice
		{StudyUID: uid(9), At: soon}, {StudyUID: "1.9.9", At: soon}, {StudyUID: uid(4), At: a.Clock.Now().Add(100 * time.Hour)}, {StudyUID: uid(4), At: a.Clock.Now().Add(-time.Hour)},
	}
	names := func(r *lifecycle.Prefetched) (out []int) {
		for _, w := range r.Warmed {
			for n := range 5 {
				if catalogtest.Study(n).Hash() == w.Study {
					out = append(out, n)
				}
			}
		}
		return out
	}
	x := pricesOf(t, &planner{sweeper: a.sweeper}, "WARM")
	x.Places["cold"] = x.Places["warm"]
	dry := a.prefetch(list, lifecycle.PrefetchOptions{Priors: 2, DryRun: true, Prices: x})
	want := map[string]int{lifecycle.SkipTime: 2, lifecycle.SkipUnknown: 1, lifecycle.SkipPrior: 1, lifecycle.SkipHot: 1}
	if got := names(dry); !slices.Equal(got, []int{3, 2, 1}) || !maps.Equal(dry.Skipped, want) || dry.Bytes != 3*1400 || dry.Cost.Sign() <= 0 || dry.Currency != "CNY" {
		t.Fatalf("would warm %v: %+v", got, dry)
	}
	if open, err := a.DB.OpenSides(a.Ctx, "north", catalogtest.Study(3).Hash(), lifecycle.ActionRestore); err != nil || len(open) != 0 {
		t.Fatalf("a dry run queued %v, %v", open, err)
	}
	delete(x.Places, "cold")
	if _, err := lifecycle.PrefetchFor(a.Ctx, a.DB, list, lifecycle.PrefetchOptions{Tenant: "north", Hot: "hot", Now: a.Clock.Now(), DryRun: true, Prices: x}); !errors.Is(err, lifecycle.ErrNoPrices) {
		t.Errorf("a tier without prices: %v", err)
	}
	r := a.prefetch(list, lifecycle.PrefetchOptions{Priors: 2, Budget: 2 * 1400})
	if got := names(r); !slices.Equal(got, []int{3, 2}) || r.Skipped[lifecycle.SkipBudget] != 1 || r.Cost.Sign() != 0 {
		t.Fatalf("within the budget %v: %+v", got, r)
	}
	if again := a.prefetch(list, lifecycle.PrefetchOptions{Priors: 2, Budget: 2 * 1400}); len(again.Warmed) != 1 || names(again)[0] != 1 || again.Skipped[lifecycle.SkipDone] != 2 {
		t.Fatalf("the same list again: %+v", again)
	}
	open, err := a.DB.OpenSides(a.Ctx, "north", catalogtest.Study(3).Hash(), lifecycle.ActionRestore)
	a.OK(err)
	args, err := lifecycle.ParseRestore(open[0])
	a.OK(err)
	if len(open) != 1 || args.By != "prefetch" || !args.Deadline.Equal(soon) || !args.Until.Equal(soon.Add(lifecycle.DefaultPrefetchKeep)) {
		t.Fatalf("queued is %v", open)
	}

	// Study 3 is ready in time and read; study 2 comes late and nobody reads it; study 1 is read where it lies before it is back.
	job := func(n int) string {
		for _, w := range append(r.Warmed, a.prefetch(list, lifecycle.PrefetchOptions{Priors: 3, DryRun: true}).Warmed...) {
			if w.Study == catalogtest.Study(n).Hash() && w.Job != "" {
				return w.Job
			}
		}
		t.Fatalf("no job of study %d", n)
		return ""
	}
	restore := func(id string) error { _, err := a.try(id); return err }
	three, two := job(3), job(2)
	if err := restore(three); err == nil {
		t.Fatal("it was archived")
	}
	a.Clock.Move(5*time.Hour + time.Minute)
	a.OK(restore(three))
	a.Clock.Move(soon.Sub(a.Clock.Now()))
	a.OK(a.DB.NoteAccess(a.Ctx, "north", catalogtest.Study(3).Hash(), 1400, false))
	a.OK(a.DB.NoteAccess(a.Ctx, "north", catalogtest.Study(4).Hash(), 1400, true))
	if err := restore(two); err == nil {
		t.Fatal("it was archived")
	}
	a.Clock.Move(later.Sub(a.Clock.Now()) + time.Hour)
	a.OK(restore(two))
	prices := pricesOf(t, &planner{sweeper: a.sweeper}, "WARM")
	prices.Places["cold"] = prices.Places["warm"]
	report := func() *lifecycle.PrefetchReport {
		now := a.Clock.Now()
		r, err := lifecycle.ReportPrefetch(a.Ctx, a.DB, now.AddDate(0, 0, -5), now.AddDate(0, 0, 2), now, prices, "hot")
		a.OK(err)
		return r
	}
	if got := report(); got.Warmed != 3 || got.Bytes != 3*1400 || got.Hits != 1 || got.Open != 2 || got.Unused != 0 || got.Late != 2 || got.LateMost != 3600 || got.Misses != 1 || got.Failed != 0 || got.Cost.Sign() <= 0 || got.Currency != "CNY" {
		t.Errorf("soon after, the report is %+v", got)
	}
	a.Clock.Move(50 * time.Hour)
	got := report()
	if share, ok := got.HitRate(); got.Hits != 1 || got.Open != 0 || got.Unused != 2 || !ok || share < 0.33 || share > 0.34 {
		t.Errorf("days later, the report is %+v", got)
	}
}

// TestLastAccess: a rule that counts from the last access keeps what is read, also when the trash is asked again.
func TestLastAccess(t *testing.T) {
	p := newPlanner(t, strings.NewReplacer("from: arrival\n    tiers", "from: access\n    tiers", "P30D, from: arrival", "P30D, from: access").Replace(warmPolicy))
	k := catalogtest.Study(1)
	p.Done(k, "a")
	p.Clock.Move(29 * day)
	p.OK(p.DB.NoteAccess(p.Ctx, k.Tenant, k.Hash(), 10, false))
	p.Clock.Move(2 * day)
	if plan, _, lines := p.plan(lifecycle.PlanOptions{}); len(lines) != 0 {
		t.Fatalf("it is moved on day 31, two days after it was read: %+v", plan)
	}
	p.Clock.Move(28 * day)
	if _, _, lines := p.plan(lifecycle.PlanOptions{}); len(lines) != 0 {
		t.Fatal("on the 30th day after it was read it is moved")
	}
	p.Clock.Move(day)
	_, digest, lines := p.plan(lifecycle.PlanOptions{})
	if len(lines) != 1 {
		t.Fatal("on the 31st day after it was read it stays")
	}
	p.OK(p.DB.NoteAccess(p.Ctx, k.Tenant, k.Hash(), 10, false)) // somebody reads it after the plan was made
	a, err := lifecycle.Apply(p.Ctx, p.DB, p.Store, digest, lifecycle.ApplyOptions{Policy: p.policy, Hot: "hot", Now: p.Clock.Now(), MaxSkipped: 1})
	if err != nil || a.Moves != 0 || a.Skips != 1 {
		t.Fatalf("applied all the same: %+v, %v", a, err)
	}
	p.Drop()
	_, err = catalog.Rebuild(p.Ctx, p.DB, p.Store, catalog.RebuildOptions{})
	p.OK(err)
	p.Clock.Move(29 * day) // 59 days after it came, 29 after nobody knows when it was read
	if _, _, lines := p.plan(lifecycle.PlanOptions{}); len(lines) != 0 {
		t.Fatal("a catalog that forgot when it was read moves it")
	}
}
