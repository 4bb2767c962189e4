package catalogtest

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// spread fills two tenants with studies of many shards, and a tenant whose name sorts around the slash.
func (f *Fixture) spread() {
	f.T.Helper()
	f.fill()
	for n := range 40 {
		f.Done(catalog.StudyKey{Tenant: []string{"north", "north-2", "north.b", "south"}[n%4], UID: fmt.Sprintf("1.3.%d", n)}, "a")
	}
	f.Clock.Move(time.Second)
	f.quarantined("south", "broken bytes of the south", "no preamble")
}

func hexShards(f func(shard string)) {
	for _, d := range "0123456789abcdef" {
		f(string(d))
	}
}

// Shard by shard, or several at a time, is the same as all at once.
func testRebuildShards(t *testing.T, f *Fixture) {
	f.spread()
	want := f.rows()
	f.Drop()
	all, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	if all.Studies != 49 || all.Quarantined != 2 {
		t.Fatalf("all at once: %+v, want 49 studies and 2 quarantined files", all)
	}
	same := func(how string, got catalog.RebuildReport) {
		t.Helper()
		if !reflect.DeepEqual(got, all) {
			t.Errorf("%s: report %+v, want %+v", how, got, all)
		}
		if rows := f.rows(); !reflect.DeepEqual(rows, want) {
			t.Errorf("%s: rows differ:\n got %s\nwant %s", how, strings.Join(rows, "\n     "), strings.Join(want, "\n     "))
		}
	}
	same("all at once", all)
	f.Drop()
	last := catalog.RebuildProgress{}
	rep, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{Workers: 8, Progress: func(p catalog.RebuildProgress) {
		if p.Fraction < last.Fraction-1e-9 || p.Studies < last.Studies {
			t.Errorf("progress went back from %+v to %+v", last, p)
		}
		last = p
	}})
	f.OK(err)
	same("8 at a time", rep)
	if last.Studies != rep.Studies || last.Fraction < 0.999 || last.Fraction > 1.001 {
		t.Errorf("last progress is %+v, want all of it", last)
	}

	f.Drop()
	var sum catalog.RebuildReport
	add := func(shard string) {
		rep, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{Shard: shard})
		f.OK(err)
		sum.Studies, sum.Instances, sum.Quarantined, sum.Unpublished = sum.Studies+rep.Studies, sum.Instances+rep.Instances, sum.Quarantined+rep.Quarantined, sum.Unpublished+rep.Unpublished
		if len(rep.Missing)+len(rep.Damaged)+len(rep.Forks) > 0 {
			t.Errorf("shard %s: %+v", shard, rep)
		}
	}
	hexShards(func(s string) {
		if s == "7" {
			hexShards(func(d string) { add("7" + d) })
			return
		}
		add(s)
	})
	add(catalog.ShardQuarantine)
	same("shard by shard", sum)
	for _, bad := range []string{"g", "0F", "012", "/", "qq"} {
		if _, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{Shard: bad}); err == nil {
			t.Errorf("shard %q was accepted", bad)
		}
	}
}

// A rebuild that is killed again and again ends, with the same rows and the same report, and does not begin anew each time.
func testRebuildResumed(t *testing.T, f *Fixture) {
	f.spread()
	want := f.rows()
	for _, workers := range []int{1, 8} {
		f.Drop()
		all, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{Workers: workers})
		f.OK(err)
		f.Drop()
		runs := 0
		for {
			if runs++; runs > 40 {
				t.Fatalf("%d workers: no end after %d runs", workers, runs)
			}
			ctx, kill := context.WithCancel(f.Ctx)
			left, last := 5, -1
			rep, err := catalog.Rebuild(ctx, f.DB, f.Store, catalog.RebuildOptions{Workers: workers, Progress: func(p catalog.RebuildProgress) {
				if n := p.Studies + p.Quarantined; n != last { // not an empty shard
					if last, left = n, left-1; left == 0 {
						kill()
					}
				}
				if p.Resumed > p.Studies || p.ResumedAt > p.Fraction+1e-9 {
					t.Errorf("progress is %+v, less than when it was resumed", p)
				}
			}})
			kill()
			pending, pendingErr := f.DB.RebuildPending(f.Ctx)
			f.OK(pendingErr)
			if err == nil {
				if pending {
					t.Errorf("%d workers: it ended and a mark is left", workers)
				}
				if !reflect.DeepEqual(rep, all) {
					t.Errorf("%d workers: report after %d runs is %+v, want %+v", workers, runs, rep, all)
				}
				break
			}
			f.wantErr(err, context.Canceled)
			if !pending && runs > 3 {
				t.Fatalf("%d workers: killed for the %dth time, and no mark is there", workers, runs)
			}
		}
		if runs < 4 {
			t.Errorf("%d workers: %d runs, want it killed several times", workers, runs)
		}
		if rows := f.rows(); !reflect.DeepEqual(rows, want) {
			t.Errorf("%d workers: rows differ:\n got %s\nwant %s", workers, strings.Join(rows, "\n     "), strings.Join(want, "\n     "))
		}
	}

	// Between two runs the bucket goes on: what came to a shard that was done heals on contact.
	f.Drop()
	ctx, kill := context.WithCancel(f.Ctx)
	n := 0
	_, err := catalog.Rebuild(ctx, f.DB, f.Store, catalog.RebuildOptions{Progress: func(catalog.RebuildProgress) {
		if n++; n == 30 {
			kill()
		}
	}})
	f.wantErr(err, context.Canceled)
	var early catalog.Study
	for s, err := range f.DB.Studies(f.Ctx, catalog.Filter{Limit: 1}) {
		f.OK(err)
		early = s
	}
	rebuilt := f.DB
	f.Drop() // another catalog on the same bucket
	f.Done(early.StudyKey, "while the rebuild was stopped")
	f.DB = rebuilt
	_, err = catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	if m, _, err := catalog.Heal(f.Ctx, f.DB, f.Store, early.Tenant, early.Hash()); err != nil || m.Generation != early.Generation+1 {
		t.Fatalf("on contact: %+v, %v; want generation %d", m, err, early.Generation+1)
	}
	rep, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{Restart: true})
	f.OK(err)
	if rep.Studies != 49 || len(rep.Missing) != 0 {
		t.Fatalf("begun anew: %+v, want 49 studies", rep)
	}
}

// Missing are the studies of the shard that was rebuilt, and no others; also of tenants that are not in the bucket at all.
func testRebuildMissing(t *testing.T, f *Fixture) {
	f.spread()
	gone := map[string]catalog.StudyKey{}
	for _, k := range []catalog.StudyKey{Study(50), {Tenant: "north", UID: "1.3.0"}, {Tenant: "south", UID: "1.3.3"}, {Tenant: "alone", UID: "1\\2\x01"}} {
		if k.Tenant == "alone" {
			f.Done(k, "a")
		}
		gone[k.Prefix()] = k
		for _, key := range f.Keys(k.Prefix()) {
			f.OK(f.Store.Delete(f.Ctx, key))
		}
	}
	check := func(how string, got []catalog.StudyKey, want func(k catalog.StudyKey) bool) {
		t.Helper()
		n := 0
		for _, k := range gone {
			if want(k) {
				n++
			}
		}
		for _, k := range got {
			if gone[k.Prefix()] != k || !want(k) {
				t.Errorf("%s: %v is reported as missing", how, k)
			}
		}
		if len(got) != n {
			t.Errorf("%s: %d are missing (%v), want %d", how, len(got), got, n)
		}
	}
	for _, workers := range []int{1, 4} {
		rep, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{Workers: workers})
		f.OK(err)
		check(fmt.Sprint("all, workers ", workers), rep.Missing, func(catalog.StudyKey) bool { return true })
	}
	hexShards(func(shard string) {
		rep, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{Shard: shard})
		f.OK(err)
		check("shard "+shard, rep.Missing, func(k catalog.StudyKey) bool { return strings.HasPrefix(k.Hash(), shard) })
	})
	rep, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{Tenant: "south"})
	f.OK(err)
	check("one tenant", rep.Missing, func(k catalog.StudyKey) bool { return k.Tenant == "south" })
	rep, err = catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{Shard: catalog.ShardQuarantine})
	f.OK(err)
	check("quarantine", rep.Missing, func(catalog.StudyKey) bool { return false })
}
