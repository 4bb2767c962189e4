package catalogtest

import (
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// testAccess: reads are counted by study and day, the last one is known to policies, and what is warmed is remembered once for an appointment.
func testAccess(t *testing.T, f *Fixture) {
	k := Study(1)
	f.Done(k, "a")
	if at, err := f.DB.Accessed(f.Ctx, k.Tenant, k.Hash()); err != nil || !at.IsZero() {
		t.Fatalf("read %v, %v", at, err)
	}
	note := func(bytes int64, cold bool) {
		t.Helper()
		f.OK(f.DB.NoteAccess(f.Ctx, k.Tenant, k.Hash(), bytes, cold))
	}
	first := f.Clock.Now()
	note(100, false)
	f.Clock.Move(time.Hour)
	note(20, true)
	f.Clock.Move(24 * time.Hour)
	note(3, false)
	last := f.Clock.Now()
	f.OK(f.DB.NoteAccess(f.Ctx, k.Tenant, Study(77).Hash(), 1, false)) // of a study that the catalog does not know
	c, err := f.DB.Check(f.Ctx, k.Tenant, k.Hash())
	if at, accErr := f.DB.Accessed(f.Ctx, k.Tenant, k.Hash()); err != nil || accErr != nil || !at.Equal(last) || !c.Accessed.Equal(last) {
		t.Fatalf("read last %v and %v, %v, %v", at, c.Accessed, err, accErr)
	}
	var list []catalog.Access
	f.OK(f.DB.Accesses(f.Ctx, first, last, func(a catalog.Access) error {
		if a.Hash == k.Hash() {
			list = append(list, a)
		}
		return nil
	}))
	day := first.Truncate(24 * time.Hour)
	want := []catalog.Access{{Tenant: k.Tenant, Hash: k.Hash(), Day: day, Reads: 2, Cold: 1, Bytes: 120}, {Tenant: k.Tenant, Hash: k.Hash(), Day: day.Add(24 * time.Hour), Reads: 1, Bytes: 3}}
	if len(list) != 2 || list[0] != want[0] || list[1] != want[1] {
		t.Fatalf("accesses are %+v, want %+v", list, want)
	}
	job, err := f.DB.QueueSide(f.Ctx, k.Tenant, k.Hash(), "restore", "x")
	f.OK(err)
	p := catalog.Prefetch{Tenant: k.Tenant, Hash: k.Hash(), Appointment: last.Add(time.Hour), Job: job.ID, Bytes: 700, Objects: 1, Tier: "cold"}
	for n := range 2 {
		if fresh, err := f.DB.NotePrefetch(f.Ctx, p); err != nil || fresh != (n == 0) {
			t.Fatalf("noted time %d: new %v, %v", n, fresh, err)
		}
	}
	var warmed []catalog.Prefetch
	f.OK(f.DB.Prefetches(f.Ctx, last, last.Add(2*time.Hour), func(p catalog.Prefetch) error { warmed = append(warmed, p); return nil }))
	if len(warmed) != 1 || warmed[0].State != catalog.JobQueued || warmed[0].Bytes != 700 || warmed[0].Tier != "cold" || !warmed[0].Appointment.Equal(p.Appointment) {
		t.Fatalf("warmed is %+v", warmed)
	}
	f.OK(f.DB.Prefetches(f.Ctx, last.Add(2*time.Hour), last.Add(3*time.Hour), func(p catalog.Prefetch) error { t.Errorf("in another time: %+v", p); return nil }))
}
