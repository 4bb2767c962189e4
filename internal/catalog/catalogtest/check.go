package catalogtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// looked asks for what is due on a day, and answers with a day for each study; day 0: no answer.
func (f *Fixture) looked(epoch, today int64, limit int, answer func(c *catalog.Checkable) int64) (uids []string) {
	f.T.Helper()
	f.OK(f.DB.CheckDue(f.Ctx, epoch, today, limit, func(page []catalog.Checkable) (map[int]int64, error) {
		answered := map[int]int64{}
		for i := range page {
			uids = append(uids, page[i].UID)
			if day := answer(&page[i]); day != 0 {
				answered[i] = day
			}
		}
		return answered, nil
	}))
	slices.Sort(uids)
	return uids
}

// testCheckDue: a study is due until it is answered for, and again on the day that the answer names, after a commit, and for another policy.
func testCheckDue(t *testing.T, f *Fixture) {
	var all []string
	for n := range 5 {
		all = append(all, f.Done(Study(n), "a").StudyUID)
	}
	f.Arrive(Study(77), "queued") // no generation: nothing to decide about
	epoch := func(digest string) int64 {
		t.Helper()
		n, err := f.DB.PutInForce(f.Ctx, digest, "policy")
		f.OK(err)
		return n
	}
	if digest, n, err := f.DB.InForce(f.Ctx); err != nil || digest != "" || n != 0 {
		t.Fatalf("before any policy %q is in force, epoch %d, %v", digest, n, err)
	}
	one := epoch("one")
	if digest, n, err := f.DB.InForce(f.Ctx); err != nil || digest != "one" || n != one {
		t.Fatalf("%q is in force, epoch %d, %v; want one, %d", digest, n, err, one)
	}
	if again := epoch("one"); again != one {
		t.Fatalf("the same policy is in epoch %d and %d", one, again)
	}
	nobody := func(*catalog.Checkable) int64 { return 0 }
	const today = 1000
	until := func(day int64) func(*catalog.Checkable) int64 {
		return func(*catalog.Checkable) int64 { return day }
	}
	want := func(what string, got, want []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Fatalf("%s: due are %q, want %q", what, got, want)
		}
	}
	want("at first", f.looked(one, today, 0, nobody), all)
	want("not answered for", f.looked(one, today, 0, func(c *catalog.Checkable) int64 {
		if c.UID == all[3] {
			return 0
		}
		return today + 1
	}), all)
	want("answered for but one", f.looked(one, today, 0, until(today+7)), all[3:4])
	want("answered for", f.looked(one, today, 0, nobody), nil)
	want("the next day", f.looked(one, today+1, 0, nobody), []string{all[0], all[1], all[2], all[4]})
	if got := f.looked(one, today+1, 3, until(today+9)); len(got) != 3 {
		t.Fatalf("%d are due with a limit of 3", len(got))
	}
	if got := f.looked(one, today+1, 3, until(today+9)); len(got) != 1 {
		t.Fatalf("then %d are due, want the one that is left", len(got))
	}
	f.aside(f.hold(Study(2), "h1", time.Time{}))
	want("after a commit", f.looked(one, today+1, 0, func(c *catalog.Checkable) int64 {
		if c.Brief == nil || len(c.Brief.Holds) != 1 || c.Generation != 2 || c.Created.IsZero() || len(c.Brief.Holdings) != 1 || c.Brief.Holdings[0].Objects != 1 {
			t.Errorf("the row says %+v", c)
		}
		f.aside(f.lift(Study(2), "h1")) // while it is being decided: the answer is not for what is there then
		return today + 100
	}), []string{Study(2).UID})
	want("after a commit meanwhile", f.looked(one, today+1, 0, until(today+100)), []string{Study(2).UID})
	two := epoch("two")
	if two <= one {
		t.Fatalf("the next policy is in epoch %d after %d", two, one)
	}
	want("another policy", f.looked(two, today, 0, until(today+1)), all)
	want("another policy, answered for", f.looked(two, today, 0, nobody), nil)
	if three := epoch("one"); three <= two {
		t.Fatalf("a policy that comes back is in epoch %d after %d", three, two)
	}
	c, err := f.DB.Check(f.Ctx, Study(2).Tenant, Study(2).Hash())
	f.OK(err)
	if c.UID != Study(2).UID || c.Generation != 3 || len(c.Brief.Holds) != 0 {
		t.Fatalf("one study is %+v", c)
	}
	_, err = f.DB.Check(f.Ctx, Study(77).Tenant, Study(77).Hash())
	f.wantErr(err, catalog.ErrNoStudy)
	f.Drop()
	_, err = catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	again, err := f.DB.Check(f.Ctx, Study(2).Tenant, Study(2).Hash())
	f.OK(err)
	if fmt.Sprint(*again.Brief) != fmt.Sprint(*c.Brief) {
		t.Fatalf("rebuilt the row says %+v, before %+v", again.Brief, c.Brief)
	}
	want("rebuilt", f.looked(epoch("one"), today, 0, nobody), all)
}
