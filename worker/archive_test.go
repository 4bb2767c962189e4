package worker

import (
	"bytes"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/s3"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/internal/testkit/archivefake"
	"github.com/radtier/radtier/internal/testkit/servers"
	"github.com/radtier/radtier/lifecycle"
)

// TestArchiveTier: a study goes into an archive class of a bucket and comes back by a deadline: each pack is asked for once, at the speed that the deadline needs, and
// while the provider works no attempt lasts. What cannot be read says so; what lies in the archive is neither read nor lost by a scrub.
func TestArchiveTier(t *testing.T) {
	server := servers.RGW(t)
	fake := archivefake.Start(t, server.Endpoint, archivefake.Options{"GLACIER": {"Bulk": 12 * time.Hour, "Standard": 5 * time.Hour, "Expedited": 5 * time.Minute}})
	store, err := s3.Open(t.Context(), s3.Options{Endpoint: fake.Endpoint, Region: server.Region, AccessKey: server.AccessKey, SecretKey: server.SecretKey, Addressing: "path", Now: fake.Now,
		Bucket: "t-" + strings.ToLower(rand.Text()[:16]), Create: true, Classes: []s3.Class{{Name: "STANDARD"}, {Name: "GLACIER", Archive: true, MinDays: 90}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	var r *rig
	r = newRig(t, func(o *PipelineOptions) {
		o.Stores, o.Now, o.VolumeBytes = oneStore{store}, func() time.Time { return time.Now().Add(time.Duration(r.later.Load())) }, 1
		o.Shared = func(_, to string) (bool, objstore.Class) {
			if to == "archive" {
				return true, "GLACIER"
			}
			return true, "STANDARD"
		}
	})
	r.store = store
	first, second := small{study: "1.2.3", sop: "1.2.3.1", seed: 1}.bytes(t), small{study: "1.2.3", sop: "1.2.3.2", seed: 2}.bytes(t)
	s := r.ingest("a", write(t, first, second))[0]
	k, had := s.Manifest.Study(), originals(t, s)
	run := func(kind, args string) (string, error) {
		t.Helper()
		job, err := r.db.QueueSide(t.Context(), k.Tenant, k.Hash(), kind, args)
		if err != nil {
			t.Fatal(err)
		}
		return job.ID, r.p.Run(t.Context(), job.ID)
	}
	if _, err := run(lifecycle.ActionMove, lifecycle.MoveArgs{Class: catalog.ClassFull, From: "hot", To: "archive"}.String()); err != nil {
		t.Fatal(err)
	}
	s = r.open(k)
	packs := 0
	for _, p := range s.Manifest.Packs {
		if p.Class != catalog.ClassFull {
			continue
		}
		packs++
		if info, err := store.Head(t.Context(), p.Key); err != nil || p.Tier != "archive" || info.Class != "GLACIER" || !info.Restore.Archived {
			t.Fatalf("pack %s on tier %s: %+v, %v", p.Key, p.Tier, info, err)
		}
	}
	if packs != 2 {
		t.Fatalf("%d packs", packs)
	}
	in := s.Instances()[0]
	var buf bytes.Buffer
	if _, err := s.WriteOriginal(t.Context(), s.NewDecoders(), in, &buf); !errors.Is(err, objstore.ErrArchived) {
		t.Fatalf("reading what is archived: %v", err)
	}
	scrub, err := lifecycle.Scrub(t.Context(), r.db, places{r.p.stores, r.p.shared}, lifecycle.ScrubOptions{})
	if err != nil || scrub.Archived != packs || len(scrub.Damaged) != 0 {
		t.Fatalf("the scrub says %+v, %v", scrub, err)
	}
	wish := lifecycle.RestoreArgs{Class: catalog.ClassFull, To: "hot", Until: time.Now().Add(time.Hour * 100), Deadline: time.Now().Add(2 * time.Hour), By: "reader", Reason: "comparison"}
	id, err := run(lifecycle.ActionRestore, wish.String())
	var thaw *lifecycle.ThawError
	for range 3 { // it looks again, and asks for nothing again
		if !errors.As(err, &thaw) || thaw.Packs != packs {
			t.Fatalf("while the provider works: %v", err)
		}
		if j, err := r.db.Job(t.Context(), id); err != nil || j.State != catalog.JobQueued || j.Failures != 0 {
			t.Fatalf("the job is %+v, %v: it must sleep, and hold no worker", j, err)
		}
		r.later.Add(int64(time.Minute))
		err = r.p.Run(t.Context(), id)
	}
	var keys []string
	for _, a := range fake.Asks() {
		if keys = append(keys, a.Key); a.Speed != "Expedited" {
			t.Errorf("%s was asked for at speed %s", a.Key, a.Speed)
		}
	}
	if slices.Sort(keys); len(keys) != packs || len(slices.Compact(keys)) != packs {
		t.Fatalf("asked for %v", keys)
	}
	fake.Advance(10 * time.Minute)
	r.later.Add(int64(10 * time.Minute))
	if err := r.p.Run(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	s = r.open(k)
	if got := originals(t, s); !maps.EqualFunc(got, had, func(a, b study.Instance) bool { return a.SOPUID == b.SOPUID }) || len(got) != 2 {
		t.Errorf("%d instances are back", len(got))
	}
	if !s.Manifest.RestoredUntil(catalog.ClassFull).Equal(wish.Until.UTC().Truncate(time.Millisecond)) {
		t.Errorf("it stays until %s", s.Manifest.RestoredUntil(catalog.ClassFull))
	}
	v, err := study.Verify(t.Context(), oneStore{store}, s.Manifest, all.Set(), nil)
	if err != nil || len(v.Damage) > 0 {
		t.Errorf("%v, %+v", err, v)
	}
	if n := len(fake.Asks()); n != packs {
		t.Errorf("%d restores were asked for, want %d", n, packs)
	}
}
