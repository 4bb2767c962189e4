package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/lifecycle"
)

// order hides instances, all without any, and returns the job that erases them.
func (x *expiring) order(sops ...string) string {
	x.t.Helper()
	job, err := x.tryOrder(sops...)
	x.ok(err)
	return job
}

func (x *expiring) tryOrder(sops ...string) (string, error) {
	slices.Sort(sops)
	job, err := lifecycle.OrderErasure(context.Background(), x.db, x.store, x.k, catalog.Erasure{SOPUIDs: sops, By: "head", Approved: "officer", Reason: "another patient", At: x.now().UTC().Truncate(time.Millisecond)})
	return job.ID, err
}

// files are all instances that readers are given, by name and received bytes, regions included.
func (x *expiring) files() map[string][32]byte {
	x.t.Helper()
	out := map[string][32]byte{}
	m := x.open(x.k).Manifest
	st, err := study.OpenShown(x.t.Context(), oneStore{x.store}, m, all.Set())
	x.ok(err)
	dec := st.NewDecoders()
	for _, in := range st.Instances() {
		var buf bytes.Buffer
		_, err := st.WriteOriginal(x.t.Context(), dec, in, &buf)
		x.ok(err)
		out[in.SOPUID] = sha256.Sum256(buf.Bytes())
	}
	return out
}

// traces lists the objects that hold some bytes.
func (x *expiring) traces(what []byte) (list []string) {
	x.t.Helper()
	for info, err := range x.store.List(x.t.Context(), "", "") {
		x.ok(err)
		raw, err := objstore.ReadAll(x.t.Context(), x.store, info.Key, 1<<30)
		x.ok(err)
		if bytes.Contains(raw, what) {
			list = append(list, info.Key)
		}
	}
	return list
}

// stored is the codestream of the first frame of an instance.
func (x *expiring) stored(sop string) []byte {
	x.t.Helper()
	for _, in := range x.open(x.k).Select("", sop, false, true) {
		raw, _, err := in.Volume.FrameBytes(x.t.Context(), in.Index, 0)
		x.ok(err)
		return bytes.Clone(raw)
	}
	x.t.Fatalf("%s is not there", sop)
	return nil
}

// only removes all files of a folder but that of a slice, and returns its bytes.
func (x *expiring) only(dir string, slice int) []byte {
	x.t.Helper()
	list, err := os.ReadDir(dir)
	x.ok(err)
	for _, f := range list {
		if f.Name() != x.slab.file(slice) {
			x.ok(os.Remove(filepath.Join(dir, f.Name())))
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, x.slab.file(slice)))
	x.ok(err)
	return raw
}

// gone checks that the last certificate's objects are no more, and returns it.
func (x *expiring) gone() *lifecycle.Deletion {
	x.t.Helper()
	m := x.open(x.k).Manifest
	if m.Erase != nil {
		x.t.Fatalf("the order still stands: %+v", m.Erase)
	}
	d, err := lifecycle.ReadDeletion(x.t.Context(), x.store, &m.Certificates[len(m.Certificates)-1])
	x.ok(err)
	if d.Erasure == nil || len(d.Objects) == 0 {
		x.t.Fatalf("the certificate is %+v", d)
	}
	for _, o := range d.Objects {
		if _, err := x.store.Head(x.t.Context(), o.Key); !errors.Is(err, objstore.ErrNotFound) {
			x.t.Errorf("%s is still there: %v", o.Key, err)
		}
	}
	return d
}

// TestEraseInstance: the slice with the lesion goes everywhere; every other instance stays the very bytes, and what is made of instances is made anew.
func TestEraseInstance(t *testing.T) {
	x := newExpiring(t, nil)
	sop := x.slab.uid(4)
	had, stream, before := x.files(), x.stored(sop), x.open(x.k).Manifest
	if len(x.traces(stream)) == 0 {
		t.Fatal("the codestream is nowhere: the test looks for the wrong bytes")
	}
	if _, err := lifecycle.OrderErasure(t.Context(), x.db, x.store, x.k, catalog.Erasure{SOPUIDs: []string{sop}, By: "head", Approved: " Head", Reason: "r", At: x.now()}); !errors.Is(err, lifecycle.ErrApproval) {
		t.Fatalf("one person suffices: %v", err)
	}
	id := x.order(sop)
	hidden := x.files()
	want := maps.Clone(had)
	delete(want, sop)
	if !maps.Equal(hidden, want) {
		t.Fatalf("while it is ordered readers are given %d files, want %d", len(hidden), len(want))
	}
	if _, ok := func() ([]byte, bool) {
		st, err := study.OpenShown(t.Context(), oneStore{x.store}, x.open(x.k).Manifest, all.Set())
		x.ok(err)
		return st.Thumb("study")
	}(); ok {
		t.Error("a thumbnail is shown that may show it")
	}
	if again := x.order(sop); again != id {
		t.Errorf("the same order again is job %s", again)
	}
	if _, err := x.tryOrder(x.slab.uid(2)); !errors.Is(err, catalog.ErrErasing) {
		t.Errorf("another order: %v", err)
	}
	x.ok(x.run(id))
	if got := x.files(); !maps.Equal(got, want) {
		t.Fatalf("left are %d files, want %d, the same bytes", len(got), len(want))
	}
	if at := x.traces(stream); len(at) > 0 {
		t.Errorf("its codestream is still in %v", at)
	}
	d := x.gone()
	listed := map[string]bool{}
	for _, o := range d.Objects {
		listed[o.Key] = true
		for _, in := range o.Instances {
			if in.SOPUID != sop {
				t.Errorf("the certificate lists instance %s, which stays", in.SOPUID)
			}
		}
	}
	before.Objects(func(key string, class catalog.Class, _ string, _ int64) {
		if class == catalog.ClassFull && !listed[key] || class == catalog.ClassHot && !listed[key] || class == catalog.ClassPreview && !listed[key] || class == catalog.ClassRegion && !listed[key] {
			t.Errorf("%s %s held it and is not in the certificate", class, key)
		}
	})
	m := x.open(x.k).Manifest
	if m.Totals.Instances != before.Totals.Instances-1 || m.Regions == nil || m.Hot == nil || m.Hot.Thumbs["study"] == (catalog.Range{}) || !slices.ContainsFunc(m.Packs, func(p catalog.Pack) bool { return p.Class == catalog.ClassPreview }) {
		t.Errorf("left is %+v with regions %+v", m.Totals, m.Regions)
	}
	verifyAll(t, x.open(x.k))
	x.verify()
	x.restart(func(path string) { x.ok(os.Remove(path)) })
	_, err := catalog.Rebuild(t.Context(), x.db, x.store, catalog.RebuildOptions{})
	x.ok(err)
	if got := x.files(); !maps.Equal(got, want) {
		t.Fatalf("after a rebuild %d files are left", len(got))
	}
}

// TestEraseStudy: nothing but manifests and the certificate is left, and the study may come again.
func TestEraseStudy(t *testing.T) {
	x := newExpiring(t, nil)
	had := x.files()
	x.ok(x.run(x.order()))
	x.gone()
	for info, err := range x.store.List(t.Context(), x.k.Prefix(), "") {
		x.ok(err)
		if k, _ := catalog.ParseKey(info.Key); k.Kind != catalog.KindManifest && k.Kind != catalog.KindPublished && k.Kind != catalog.KindCertificate {
			t.Errorf("%s is left", info.Key)
		}
	}
	m := x.open(x.k).Manifest
	if len(m.Packs) != 0 || m.Hot != nil || m.Totals.Instances != 0 || m.About != nil {
		t.Errorf("left is %+v", m)
	}
	x.verify()
	other := filepath.Join(t.TempDir(), "again")
	x.ok(os.CopyFS(other, os.DirFS(x.dir)))
	x.ingest("a", other)
	if got := x.files(); !maps.Equal(got, had) {
		t.Errorf("sent again there are %d files, want %d", len(got), len(had))
	}
	x.verify()
}

// TestEraseAllInstances: naming every instance leaves nothing, as naming none does.
func TestEraseAllInstances(t *testing.T) {
	x := newExpiring(t, nil)
	x.ok(x.run(x.order(slices.Collect(maps.Keys(x.files()))...)))
	x.gone()
	if m := x.open(x.k).Manifest; len(m.Packs) != 0 || m.Hot != nil || m.Regions != nil {
		t.Errorf("left is %+v", m)
	}
	x.verify()
}

// TestEraseHeld: a hold refuses the order, and one that comes later stops it, until it is lifted or the order taken back.
func TestEraseHeld(t *testing.T) {
	x := newExpiring(t, nil)
	had := x.files()
	hold := func() {
		_, err := lifecycle.AddHold(t.Context(), x.db, x.store, x.k, catalog.Hold{ID: "h", Kind: catalog.HoldLegal, Owner: "o", Reason: "r", Since: x.now()})
		x.ok(err)
	}
	lift := func() {
		_, err := lifecycle.LiftHold(t.Context(), x.db, x.store, x.k, "h", "o", "done")
		x.ok(err)
	}
	hold()
	if _, err := x.tryOrder(); !errors.Is(err, catalog.ErrHeld) {
		t.Fatalf("under a hold: %v", err)
	}
	lift()
	id := x.order(x.slab.uid(1))
	_, err := lifecycle.AddHold(t.Context(), x.db, x.store, x.k, catalog.Hold{ID: "i", Kind: catalog.HoldLegal, Owner: "o", Reason: "r", Since: x.now()})
	x.ok(err)
	if err := x.run(id); !errors.Is(err, lifecycle.ErrWaits) {
		t.Fatalf("the order was carried out under a hold: %v", err)
	}
	_, err = lifecycle.CancelErasure(t.Context(), x.db, x.store, x.k, "head", "mistake")
	x.ok(err)
	if got := x.files(); !maps.Equal(got, had) {
		t.Fatalf("after it was taken back %d files are shown", len(got))
	}
	x.makeDue()
	x.ok(x.run(id)) // finds nothing to do
	if got := x.files(); !maps.Equal(got, had) {
		t.Fatalf("%d files are shown", len(got))
	}
	_, err = lifecycle.LiftHold(t.Context(), x.db, x.store, x.k, "i", "o", "done")
	x.ok(err)

	// A hold between the commit and the removal of the bytes keeps them; the sweep after it takes them.
	x.hooks = func(ctx context.Context, at string) error {
		if at == lifecycle.StepErased {
			x.hooks = nil
			_, err := lifecycle.AddHold(ctx, x.db, x.store, x.k, catalog.Hold{ID: "j", Kind: catalog.HoldLegal, Owner: "o", Reason: "r", Since: x.now()})
			return err
		}
		return nil
	}
	stream := x.stored(x.slab.uid(1))
	x.ok(x.run(x.order(x.slab.uid(1))))
	if m := x.open(x.k).Manifest; m.Erase == nil || len(x.traces(stream)) == 0 {
		t.Fatalf("a hold that came in time kept nothing: %+v", m.Erase)
	}
	x.sweep()
	if len(x.traces(stream)) == 0 {
		t.Fatal("swept under a hold")
	}
	_, err = lifecycle.LiftHold(t.Context(), x.db, x.store, x.k, "j", "o", "done")
	x.ok(err)
	x.sweep()
	x.gone()
	if at := x.traces(stream); len(at) > 0 {
		t.Fatalf("its codestream is still in %v", at)
	}
}

// TestEraseArrival: what arrives while an instance is ordered to be erased is waited for, and goes with it if it is another version of it.
func TestEraseArrival(t *testing.T) {
	x := newExpiring(t, nil)
	sop := x.slab.uid(3)
	id := x.order(sop)
	late := t.TempDir()
	x.slab.write(t, late)
	raw := x.only(late, 3)
	raw[len(raw)-1]++ // another version
	x.ok(os.WriteFile(filepath.Join(late, x.slab.file(3)), raw, 0o644))
	jobs := x.queue("a", late)
	if err := x.run(id); !errors.Is(err, lifecycle.ErrWaits) {
		t.Fatalf("an arrival waits: %v", err)
	}
	x.ok(x.run(jobs[0].ID))
	if n := len(x.open(x.k).Select("", sop, true, true)); n != 2 {
		t.Fatalf("%d versions are stored, want 2", n)
	}
	x.makeDue()
	x.ok(x.run(id))
	x.gone()
	if n := len(x.open(x.k).Select("", sop, true, true)); n != 0 {
		t.Fatalf("%d versions are left", n)
	}
	x.verify()
}

// TestEraseQuarantined: a received file that is kept aside is a copy, too.
func TestEraseQuarantined(t *testing.T) {
	x := newExpiring(t, nil)
	bad := t.TempDir()
	x.slab.write(t, bad)
	raw := bytes.Replace(x.only(bad, 2), []byte("REGIONS-1"), []byte("REGIONS-2"), 1)
	x.ok(os.WriteFile(filepath.Join(bad, x.slab.file(2)), raw, 0o644))
	for _, j := range x.queue("a", bad) {
		x.ok(x.run(j.ID))
	}
	m := x.open(x.k).Manifest
	if len(m.Quarantined) != 1 {
		t.Fatalf("%d files are quarantined", len(m.Quarantined))
	}
	q := m.Quarantined[0]
	if q.SOPUID != x.slab.uid(2) {
		t.Fatalf("instance %q is quarantined", q.SOPUID)
	}
	x.ok(x.run(x.order(q.SOPUID)))
	d := x.gone()
	if !slices.ContainsFunc(d.Objects, func(o lifecycle.DeletedObject) bool { return o.Key == q.Key }) {
		t.Error("the quarantined file is not in the certificate")
	}
	x.ok(x.db.QuarantineList(t.Context(), "", func(e catalog.QuarantineEntry) error {
		t.Errorf("still listed: %+v", e)
		return nil
	}))
	for info, err := range x.store.List(t.Context(), "t/a/q/", "") {
		x.ok(err)
		t.Errorf("%s is left", info.Key)
	}
	if m := x.open(x.k).Manifest; m.Status != catalog.StatusStored || len(m.Quarantined) != 0 {
		t.Errorf("status %s with %d quarantined", m.Status, len(m.Quarantined))
	}
	x.verify()
}

// TestEraseAfterPurge: regions outlive their images; those of an instance that is erased go, the others stay the very bytes.
func TestEraseAfterPurge(t *testing.T) {
	x := newExpiring(t, nil)
	x.purge()
	x.sweep()
	rec := recordOf(t, x.rig, x.open(x.k))
	if len(rec.Regions) == 0 || len(rec.Regions[0].Items) < 2 {
		t.Fatalf("regions are %+v", rec.Regions)
	}
	it := rec.Regions[0].Items[0]
	had := x.kept()
	x.ok(x.run(x.order(it.SOPUID)))
	x.gone()
	got := x.kept()
	want := maps.Clone(had)
	delete(want, "region "+it.OutSOPUID)
	for name := range want { // of the series, and of the study: they may have shown it
		if strings.HasPrefix(name, "thumb ") && got[name] == ([32]byte{}) {
			delete(want, name)
		}
	}
	if !maps.Equal(got, want) || len(got) >= len(had) {
		t.Fatalf("kept are %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	m := x.open(x.k).Manifest
	if m.Regions.State != StateReopened {
		t.Errorf("the state is %s", m.Regions.State)
	}
	x.verify()
}

// TestEraseCrash: an erasure dies at every step, and at every operation of the store. What is named can be read at every moment, and in the end it is done.
func TestEraseCrash(t *testing.T) {
	steps := []string{lifecycle.StepLeft, lifecycle.StepCertificate, catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut, catalog.StepInDecide, catalog.StepDecided, catalog.StepOKPut, catalog.StepPublished, lifecycle.StepErased}
	died := errors.New("died")
	for n, all := 0, false; !all; n++ {
		dies := n - len(steps)
		if dies > 0 {
			n += 2
			if testing.Short() {
				n += 10
			}
		}
		x := newExpiring(t, nil)
		sop := x.slab.uid(4)
		want, stream := x.files(), x.stored(sop)
		delete(want, sop)
		id := x.order(sop)
		operations := 0
		if dies < 0 {
			x.hooks = func(_ context.Context, at string) error {
				if at == steps[n] {
					return died
				}
				return nil
			}
		} else {
			x.fail = func() bool { operations++; return operations > dies }
		}
		err := x.run(id)
		x.hooks, x.fail = nil, nil
		if dies < 0 && err == nil {
			t.Fatalf("%s: nothing died", steps[n])
		}
		all = dies >= 0 && operations <= dies
		verifyAll(t, x.open(x.k))
		if got := x.files(); !maps.Equal(got, want) {
			t.Fatalf("round %d: after the crash readers are given %d files, want %d", n, len(got), len(want))
		}
		x.sweep()
		x.ok(catalog.Reconcile(t.Context(), x.db, x.store))
		for range 5 {
			j, err := x.db.Job(t.Context(), id)
			x.ok(err)
			if j.State == catalog.JobDone {
				break
			}
			x.makeDue()
			x.ok(catalog.Reconcile(t.Context(), x.db, x.store))
			_ = x.run(id)
		}
		x.sweep()
		x.gone()
		if got := x.files(); !maps.Equal(got, want) {
			t.Fatalf("round %d: in the end there are %d files", n, len(got))
		}
		if at := x.traces(stream); len(at) > 0 {
			t.Fatalf("round %d: its codestream is still in %v", n, at)
		}
		if m := x.open(x.k).Manifest; len(m.Certificates) != 1 {
			t.Fatalf("round %d: %d certificates", n, len(m.Certificates))
		}
		x.verify()
	}
}
