package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

func (f *Fixture) seal(hooks catalog.Hooks) int64 {
	f.T.Helper()
	n, err := catalog.SealAudit(f.Ctx, f.DB, f.Store, hooks)
	f.OK(err)
	return n
}

// sound verifies the log, and returns its entries by id.
func (f *Fixture) sound() map[string]catalog.AuditEntry {
	f.T.Helper()
	seen := map[string]catalog.AuditEntry{}
	r, err := catalog.VerifyAudit(f.Ctx, f.DB, f.Store, func(e catalog.AuditEntry) error {
		if _, twice := seen[e.Study+e.ID]; twice {
			f.T.Errorf("entry %s of study %s is there twice", e.ID, e.Study)
		}
		seen[e.Study+e.ID] = e
		return nil
	})
	f.OK(err)
	if len(r.Wrong) > 0 {
		f.T.Fatalf("the log is wrong: %q", r.Wrong)
	}
	return seen
}

// testAudit: every decision is sealed once, by however many sealers, while others commit; a second look finds nothing to do.
func testAudit(t *testing.T, f *Fixture) {
	var wait sync.WaitGroup
	for n := range 8 {
		wait.Go(func() {
			for i := range 3 {
				if _, err := f.Work(f.Arrive(Study(n), fmt.Sprint(i)).ID).Commit(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		wait.Go(func() {
			for range 10 {
				if _, err := catalog.SealAudit(f.Ctx, f.DB, f.Store, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	f.seal(nil)
	if n := f.seal(nil); n != 0 {
		t.Fatalf("%d rows are sealed twice", n)
	}
	got := f.sound()
	if len(got) != 24 {
		t.Fatalf("%d entries, want 24", len(got))
	}
	k := Study(3)
	list, err := f.DB.AuditOf(f.Ctx, k)
	f.OK(err)
	if len(list) != 3 {
		t.Fatalf("of one study there are %+v", list)
	}
	for _, e := range list {
		if e.Number == 0 || e.Action != "derive" || e.Actor != "worker" || e.Manifest == "" || got[e.Study+e.ID].Manifest != e.Manifest {
			t.Errorf("entry %+v, sealed %+v", e, got[e.Study+e.ID])
		}
	}
	f.Clock.Move(time.Hour)
	f.Done(k, "later")
	f.seal(nil)
	if got := f.sound(); len(got) != 25 {
		t.Fatalf("%d entries, want 25", len(got))
	}
	roots := f.Keys("audit/roots/")
	if len(roots) != 2 {
		t.Errorf("roots of two hours are %q", roots)
	}
}

// testAuditCrash: a sealer that dies at any step is followed by another one that writes the very same bytes.
func testAuditCrash(t *testing.T, f *Fixture) {
	n := 0
	for _, step := range []string{catalog.StepNumbered, catalog.StepSegmentPut} {
		for range 2 {
			n++
			f.Done(Study(n), "a")
			if _, err := catalog.SealAudit(f.Ctx, f.DB, f.Store, CrashAt(step)); !errors.Is(err, ErrCrash) {
				t.Fatalf("%s: got %v", step, err)
			}
			n++
			f.Done(Study(n), "a") // comes after the numbers were given
			f.seal(nil)
			if got := f.sound(); len(got) != n {
				t.Fatalf("%s: %d entries, want %d", step, len(got), n)
			}
		}
	}
	for _, tell := range []bool{false, true} { // the put is lost, or its reply
		n++
		f.Done(Study(n), "a")
		f.Store.OnPut = func(key string, data []byte) ([]byte, error) {
			if !strings.HasPrefix(key, "audit/") {
				return data, nil
			}
			if tell {
				return data, errors.New("the reply is lost")
			}
			return nil, errors.New("503")
		}
		if _, err := catalog.SealAudit(f.Ctx, f.DB, f.Store, nil); err == nil {
			t.Fatal("a put that failed was taken for good")
		}
		f.Store.OnPut = nil
		f.seal(nil)
		if got := f.sound(); len(got) != n {
			t.Fatalf("%d entries, want %d", len(got), n)
		}
	}
}

// testAuditLost: after the catalog was lost, the chain goes on from where it is in the bucket.
func testAuditLost(t *testing.T, f *Fixture) {
	for n := range 10 {
		f.Done(Study(n), "a")
		if n%3 == 0 {
			f.seal(nil)
		}
	}
	f.seal(nil)
	before := f.Keys("audit/")
	f.Drop()
	_, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	for n := range 10 {
		f.Done(Study(n), "b")
	}
	f.seal(nil)
	f.seal(nil)
	got := f.sound()
	derived := 0
	for _, e := range got {
		if e.Action == "derive" {
			derived++
		}
	}
	if derived != 20 {
		t.Fatalf("%d of 20 decisions are in the log", derived)
	}
	after := f.Keys("audit/")
	for _, key := range before {
		if !slices.Contains(after, key) {
			t.Errorf("segment %s is gone", key)
		}
	}
}

// testAuditTampered: whatever is changed is found, with its place.
func testAuditTampered(t *testing.T, f *Fixture) {
	k := Study(1)
	for i := range 4 {
		f.Done(k, fmt.Sprint(i))
		if i%2 == 1 {
			f.seal(nil)
		}
	}
	var segments []string
	for _, key := range f.Keys("audit/") {
		if !strings.HasPrefix(key, "audit/roots/") {
			segments = append(segments, key)
		}
	}
	if len(segments) != 2 {
		t.Fatalf("segments are %q", segments)
	}
	whole := map[string][]byte{}
	for _, key := range f.Keys("audit/") {
		raw, err := objstore.ReadAll(f.Ctx, f.Store.Store, key, 1<<20)
		f.OK(err)
		whole[key] = raw
	}
	write := func(key string, raw []byte) {
		f.OK(f.Store.Store.Delete(context.Background(), key))
		if raw != nil {
			_, err := f.Store.Store.Put(f.Ctx, key, strings.NewReader(string(raw)), objstore.PutOptions{Size: int64(len(raw))})
			f.OK(err)
		}
	}
	lines := strings.SplitAfter(string(whole[segments[0]]), "\n")
	cases := map[string]struct {
		key  string
		text []byte
		want string
	}{
		"a name":            {segments[0], []byte(strings.Replace(string(whole[segments[0]]), `"worker"`, `"nobody"`, 1)), "line "},
		"the last line":     {segments[1], []byte(strings.Replace(string(whole[segments[1]]), `"derive"`, `"remove"`, 2)), "line "},
		"a line less":       {segments[0], []byte(lines[1]), "line 1"},
		"lines in turn":     {segments[0], []byte(lines[1] + lines[0]), "line 1"},
		"a line twice":      {segments[0], []byte(lines[0] + lines[0]), "line 2"},
		"the end is cut":    {segments[1], whole[segments[1]][:len(whole[segments[1]])-5], "line 2: it is no whole entry"},
		"empty":             {segments[0], []byte{}, "it is empty"},
		"the last one gone": {segments[1], nil, "it is missing"},
		"the first gone":    {segments[0], nil, "it is missing"},
	}
	check := func(name string) {
		t.Helper()
		c := cases[name]
		write(c.key, c.text)
		r, err := catalog.VerifyAudit(f.Ctx, f.DB, f.Store, nil)
		f.OK(err)
		if len(r.Wrong) != 1 || !strings.Contains(r.Wrong[0], c.want) || !strings.Contains(r.Wrong[0], "audit/") {
			t.Errorf("%s: found is %q, want %q", name, r.Wrong, c.want)
		}
		write(c.key, whole[c.key])
	}
	for name := range cases {
		check(name)
	}
	f.sound()
	f.Drop() // without the rows of the catalog the chain itself must tell
	_, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	for _, name := range []string{"a name", "a line less", "lines in turn", "a line twice", "the end is cut", "empty", "the first gone"} {
		check(name)
	}
}
