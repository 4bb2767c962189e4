package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/internal/testkit/faultstore"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
	"github.com/radtier/radtier/roi"
)

// threeMonths keeps full images for 90 days and everything else for 5 years.
const threeMonths = `schema: radtier.policy/1
name: test
tiers: [hot]
roles: {"*": secondary}
trash: P30D
quiet: P7D
proof: {level: attested, age: P30D}
rules:
  - name: full
    match: {class: full}
    keep: P90D
    from: arrival
    tiers: [{tier: hot, after: P0D}]
  - name: rest
    match: {class: [region, result, preview]}
    keep: P5Y
    from: arrival
`

const day = 24 * time.Hour

// expiring is an installation whose clock can be put forward, with a study of 8 slices and a report on a lesion.
type expiring struct {
	*rig
	k      catalog.StudyKey
	dir    string
	policy *policy.Policy
	slab   *slab
	hooks  catalog.Hooks
	fail   func() bool // whether an operation of the pipeline's store fails
}

func newExpiring(t *testing.T, change func(*PipelineOptions)) *expiring {
	t.Helper()
	x := &expiring{dir: t.TempDir(), slab: axialSlab(1)}
	x.rig = newRig(t, func(o *PipelineOptions) {
		o.Now, o.Sequential = x.now, true
		o.Hooks = func(ctx context.Context, step string) error { return x.hooks.Step(ctx, step) }
		o.Stores = oneStore{faultstore.New(o.Stores.Hot(), func(faultstore.Call) faultstore.Fault {
			if x.fail != nil && x.fail() {
				return faultstore.Unavailable
			}
			return faultstore.None
		})}
		if change != nil {
			change(o)
		}
	})
	p, err := policy.Load("policy.yaml", []byte(threeMonths))
	x.ok(err)
	x.policy = p
	x.slab.n = 8
	x.slab.write(t, x.dir)
	writeObjects(t, x.dir, map[string]*dcm.Builder{"sr.dcm": reportOf(testStudy+".900.1", true, groupItem(1, scoord("CIRCLE", x.slab.uid(4), 100, 120, 112, 120)))})
	s := x.ingest("a", x.dir)[0]
	x.k = s.Manifest.Study()
	if rec := recordOf(t, x.rig, s); rec.State != roi.StateExtracted {
		t.Fatalf("the record is %s", rec.State)
	}
	return x
}

func (x *expiring) now() time.Time { return time.Now().Add(time.Duration(x.later.Load())) }

func (x *expiring) ok(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// verify proves everything that the head names.
func (x *expiring) verify() {
	x.t.Helper()
	v, err := study.Verify(context.Background(), oneStore{x.store}, x.open(x.k).Manifest, all.Set(), nil)
	x.ok(err)
	if len(v.Damage) > 0 {
		x.t.Fatalf("damaged: %+v", v.Damage)
	}
}

// prove records that the hospital has the primary copy.
func (x *expiring) prove() {
	x.t.Helper()
	_, err := catalog.CommitAside(x.t.Context(), x.db, x.store, catalog.Aside{Key: x.k, Action: "proof", By: "hospital", Note: "inventory", Change: func(m *catalog.Manifest) error {
		m.Custody = &catalog.Custody{Proof: &catalog.Proof{Level: "attested", At: x.now().UTC(), Same: true, Keeper: "hospital"}}
		return nil
	}})
	x.ok(err)
}

// queueDue plans and applies, and returns the one job that the study needs, "" if none.
func (x *expiring) queueDue() string {
	x.t.Helper()
	ctx := x.t.Context()
	_, digest, err := lifecycle.MakePlan(ctx, x.db, x.store, lifecycle.PlanOptions{Policy: x.policy, Hot: "hot", Now: x.now()})
	x.ok(err)
	_, err = lifecycle.Apply(ctx, x.db, x.store, digest, lifecycle.ApplyOptions{Policy: x.policy, Hot: "hot", Now: x.now(), Queue: true, By: "ops"})
	x.ok(err)
	due, err := x.db.Due(ctx, 10)
	x.ok(err)
	if len(due) == 0 {
		return ""
	}
	return due[0].ID
}

func (x *expiring) run(id string) error { return x.p.Run(x.t.Context(), id) }

// trash lets the full images expire into the trash, and waits until they are over there.
func (x *expiring) trash() {
	x.t.Helper()
	x.later.Add(int64(91 * day))
	x.prove()
	x.ok(x.run(x.queueDue()))
	if m := x.open(x.k).Manifest; m.InTrash(catalog.ClassFull) == nil || len(m.Trash) != 1 {
		x.t.Fatalf("in the trash is %+v", m.Trash)
	}
	x.later.Add(int64(31 * day))
	x.prove()
}

// purge takes the full images all the way.
func (x *expiring) purge() *catalog.Manifest {
	x.t.Helper()
	x.trash()
	x.ok(x.run(x.queueDue()))
	m := x.open(x.k).Manifest
	if m.Purged(catalog.ClassFull) == nil || len(m.Trash) != 0 {
		x.t.Fatalf("not purged: %+v, in the trash %+v", m.Certificates, m.Trash)
	}
	return m
}

func (x *expiring) sweep() lifecycle.SweepReport {
	x.t.Helper()
	x.later.Add(int64(100 * time.Hour))
	report, err := lifecycle.Sweep(x.t.Context(), x.db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: x.store}}, lifecycle.SweepOptions{Now: x.now})
	x.ok(err)
	return report
}

// kept is what must outlive the full images: regions, results, thumbnails, by name and bytes.
func (x *expiring) kept() map[string][32]byte {
	x.t.Helper()
	out := map[string][32]byte{}
	m := x.open(x.k).Manifest
	regions, err := study.OpenRegions(x.t.Context(), oneStore{x.store}, m, all.Set())
	x.ok(err)
	add := func(what string, s *study.Study, list []study.Instance) {
		dec := s.NewDecoders()
		for _, in := range list {
			var buf bytes.Buffer
			_, err := s.WriteOriginal(x.t.Context(), dec, in, &buf)
			x.ok(err)
			out[what+in.SOPUID] = sha256.Sum256(buf.Bytes())
		}
	}
	add("region ", regions, regions.Instances())
	whole := x.open(x.k)
	var results []study.Instance
	for _, in := range whole.Instances() {
		if m.Packs[in.Pack].Class == catalog.ClassResult {
			results = append(results, in)
		}
	}
	add("result ", whole, results)
	for name := range m.Hot.Thumbs {
		jpeg, ok := whole.Thumb(name)
		if !ok {
			x.t.Fatalf("thumbnail %s is not there", name)
		}
		out["thumb "+name] = sha256.Sum256(jpeg)
	}
	return out
}

// TestPurge: the full images go, with a certificate that lists them all; lesions, report and thumbnails stay the very bytes; the
// headers of what went are nowhere any more, and the catalog can be made again from the bucket.
func TestPurge(t *testing.T) {
	x := newExpiring(t, nil)
	before, had := x.open(x.k), x.kept()
	if len(had) < 4 {
		t.Fatalf("there is nothing to keep: %v", slices.Sorted(maps.Keys(had)))
	}
	m := x.purge()
	if got := x.kept(); !maps.Equal(got, had) {
		t.Fatalf("kept are %v, had been %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(had)))
	}
	for _, p := range m.Packs {
		if p.Class == catalog.ClassFull {
			t.Fatalf("pack %s is still named", p.Key)
		}
	}
	if m.Totals.Instances != 1 || m.Totals.Series != 1 || m.Totals.StoredBytes != m.StoredBytes() || m.Hot.Key == before.Manifest.Hot.Key || m.Hot.Size >= before.Manifest.Hot.Size {
		t.Errorf("left are %+v, hot bundle of %d bytes, was %d", m.Totals, m.Hot.Size, before.Manifest.Hot.Size)
	}
	d, err := lifecycle.ReadDeletion(t.Context(), x.store, m.Purged(catalog.ClassFull))
	x.ok(err)
	listed := map[string]bool{}
	for _, o := range d.Objects {
		for _, in := range o.Instances {
			listed[in.SOPUID] = in.FileSHA256 != ""
		}
	}
	if len(listed) != 8 || !listed[x.slab.uid(0)] || d.By != "ops" || d.Rule != "full" || d.Proof == nil || d.Trashed.Since.IsZero() || len(d.Why) == 0 || d.Generation != m.Generation-1 {
		t.Fatalf("the certificate is %+v", d)
	}
	x.verify()
	x.later.Add(int64(-99 * time.Hour)) // not yet
	x.sweep()
	for _, o := range d.Objects {
		if _, err := x.store.Head(t.Context(), o.Key); err != nil {
			t.Fatalf("before the grace period is over: %v", err)
		}
	}
	report := x.sweep()
	for _, o := range d.Objects {
		if _, err := x.store.Head(t.Context(), o.Key); !errors.Is(err, objstore.ErrNotFound) {
			t.Fatalf("after the sweep %+v: %v", report, err)
		}
	}
	if _, err := x.store.Head(t.Context(), before.Manifest.Hot.Key); !errors.Is(err, objstore.ErrNotFound) {
		t.Fatalf("the old hot bundle, with headers of what went, is still there: %v", err)
	}
	if got := x.kept(); !maps.Equal(got, had) {
		t.Fatalf("after the sweep kept are %v", slices.Sorted(maps.Keys(got)))
	}
	x.verify()
	if id := x.queueDue(); id != "" {
		t.Errorf("there is something to do once more: %s", id)
	}
}

// TestPurgeThenLate: what comes for a study whose full images are gone takes nothing of what was kept away, is stored whole, and waits for a person.
func TestPurgeThenLate(t *testing.T) {
	for name, send := range map[string]func(x *expiring) (dir string, full int){
		"other images": func(x *expiring) (string, int) {
			other := axialSlab(2)
			other.n = 3
			dir := t.TempDir()
			other.write(t, dir)
			return dir, 3
		},
		"everything again": func(x *expiring) (string, int) { return x.dir, 8 },
		"a later report": func(x *expiring) (string, int) {
			dir := t.TempDir()
			writeObjects(t, dir, map[string]*dcm.Builder{"sr2.dcm": reportOf(testStudy+".900.2", true, groupItem(2, scoord("CIRCLE", x.slab.uid(2), 60, 60, 70, 60)))})
			return dir, 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newExpiring(t, nil)
			had := x.kept()
			plan := x.open(x.k).Manifest.Regions.Plan
			x.purge()
			x.sweep()
			dir, full := send(x)
			s := x.ingest("a", dir)[0]
			m, got := s.Manifest, x.kept()
			for name, sum := range had {
				if name != "thumb study" && got[name] != sum {
					t.Errorf("%s is lost or another", name)
				}
			}
			images := 0
			for _, in := range s.Instances() {
				if m.Packs[in.Pack].Class == catalog.ClassFull {
					images++
				}
			}
			if images != full || m.Regions.State != StateReopened || m.Regions.Plan == plan || m.Regions.Settled() || !catalog.NeedsPerson(m.Regions.State) || len(m.Certificates) != 1 {
				t.Fatalf("there are %d full images, the record is %+v", images, m.Regions)
			}
			x.verify()
			if full == 8 {
				got, want := originals(t, s), filesIn(t, x.dir)
				for sum, path := range want {
					if _, ok := got[sum]; !ok {
						t.Errorf("%s does not come back", filepath.Base(path))
					}
				}
			}
			if err := x.p.Run(t.Context(), x.queue("a", dir)[0].ID); err != nil { // once more: nothing new
				t.Fatal(err)
			}
			if again := x.open(x.k).Manifest; again.Generation != m.Generation {
				t.Errorf("the same again made generation %d", again.Generation)
			}
			x.later.Add(int64(91 * day)) // it would be due, and nobody looked
			x.prove()
			if id := x.queueDue(); id != "" {
				t.Error("what nobody looked at expires")
			}
			x.sweep()
			x.verify()
		})
	}
}

// TestPurgeAsksAgain: what came between the plan and the purge, or in the middle of it, keeps everything.
func TestPurgeAsksAgain(t *testing.T) {
	for name, between := range map[string]func(x *expiring) error{
		"a hold": func(x *expiring) error {
			_, err := lifecycle.AddHold(context.Background(), x.db, x.store, x.k, catalog.Hold{ID: "h", Kind: catalog.HoldLegal, Owner: "o", Reason: "r", Since: x.now()})
			return err
		},
		"brought back": func(x *expiring) error {
			_, err := lifecycle.Undelete(context.Background(), x.db, x.store, x.k, nil, "reader", "wanted")
			return err
		},
		"it is the record": func(x *expiring) error {
			_, err := lifecycle.Tell(context.Background(), x.db, x.store, x.k, lifecycle.Told{Role: "primary", By: "HIS", Reason: "list"})
			return err
		},
		"an arrival, waiting": func(x *expiring) error {
			other := axialSlab(3)
			other.n = 1
			dir := t.TempDir()
			other.write(t, dir)
			x.queue("a", dir)
			return nil
		},
	} {
		for _, step := range []string{"", lifecycle.StepProved, lifecycle.StepBundled, lifecycle.StepCertificate, catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut} {
			t.Run(name+" "+step, func(t *testing.T) {
				x := newExpiring(t, nil)
				x.trash()
				id := x.queueDue()
				if step == "" {
					x.ok(between(x))
				} else {
					done := false
					x.hooks = func(_ context.Context, at string) (err error) {
						if at == step && !done {
							done = true
							err = between(x)
						}
						return err
					}
				}
				if err := x.run(id); !errors.Is(err, lifecycle.ErrNotDue) && !errors.Is(err, catalog.ErrBusy) {
					t.Fatalf("got %v", err)
				}
				x.hooks = nil
				if m := x.open(x.k).Manifest; len(m.Certificates) != 0 || m.Totals.Instances != 9 {
					t.Fatalf("purged: %+v", m.Certificates)
				}
				if j, err := x.db.Job(t.Context(), id); err != nil || j.State != catalog.JobDone || j.Failures != 0 {
					t.Fatalf("the job is %+v, %v", j, err)
				}
				x.sweep()
				x.verify()
			})
		}
	}
}

// TestPurgeDamagedRegion: full images stay while what is to outlive them is not sound.
func TestPurgeDamagedRegion(t *testing.T) {
	for _, class := range []catalog.Class{catalog.ClassRegion, catalog.ClassResult} {
		t.Run(string(class), func(t *testing.T) {
			x := newExpiring(t, nil)
			x.trash()
			id := x.queueDue()
			for _, p := range x.open(x.k).Manifest.Packs {
				if p.Class != class {
					continue
				}
				raw, err := objstore.ReadAll(t.Context(), x.store, p.Key, 1<<30)
				x.ok(err)
				raw[len(raw)/2] ^= 1
				x.ok(x.store.Delete(t.Context(), p.Key))
				_, err = x.store.Put(t.Context(), p.Key, bytes.NewReader(raw), objstore.PutOptions{Size: p.Size})
				x.ok(err)
			}
			if err := x.run(id); !errors.Is(err, lifecycle.ErrVerify) {
				t.Fatalf("got %v", err)
			}
			if m := x.open(x.k).Manifest; len(m.Certificates) != 0 || m.Totals.Instances != 9 {
				t.Fatalf("purged: %+v", m.Certificates)
			}
		})
	}
}

// TestPurgeCrash: a worker that dies at any step, or loses its store for good at any operation, while a sweep follows before anybody resumes; in the
// end the study is purged once, with one certificate, and what stays is the very bytes.
func TestPurgeCrash(t *testing.T) {
	steps := []string{lifecycle.StepProved, lifecycle.StepBundled, lifecycle.StepCertificate, catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut, catalog.StepInDecide,
		catalog.StepDecided, catalog.StepOKPut, catalog.StepPublished}
	died := errors.New("died")
	for n, all := 0, false; !all; n++ {
		dies := n - len(steps) // at this operation
		if dies > 0 && testing.Short() {
			n += 5
		}
		x := newExpiring(t, nil)
		had := x.kept()
		x.trash()
		id := x.queueDue()
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
		verifyAll(t, x.open(x.k)) // what is named can be read at every moment; the mark may be missing yet
		x.sweep()
		x.ok(catalog.Reconcile(t.Context(), x.db, x.store))
		x.prove() // as the hospital does every week
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
		m := x.open(x.k).Manifest
		if len(m.Certificates) != 1 || m.Totals.Instances != 1 || len(m.Trash) != 0 {
			t.Fatalf("round %d: in the end there are %d certificates, %d instances, and in the trash %+v", n, len(m.Certificates), m.Totals.Instances, m.Trash)
		}
		x.sweep()
		if got := x.kept(); !maps.Equal(got, had) {
			t.Fatalf("round %d: kept are %v", n, slices.Sorted(maps.Keys(got)))
		}
		x.verify()
	}
}

// restart closes the catalog, lets f change its files, and opens it again.
func (x *expiring) restart(f func(path string)) {
	x.t.Helper()
	x.ok(x.db.Close())
	f(filepath.Join(x.rig.dir, "catalog.db"))
	x.openCatalog()
	x.p.db = x.db
}

// TestPurgeRestoredCatalog: a catalog that was put back to a moment before something kept a study from being deleted, and is asked at once what to
// purge and to sweep: the bucket knows better.
func TestPurgeRestoredCatalog(t *testing.T) {
	for name, since := range map[string]func(x *expiring){
		"a hold": func(x *expiring) {
			_, err := lifecycle.AddHold(t.Context(), x.db, x.store, x.k, catalog.Hold{ID: "h", Kind: catalog.HoldLegal, Owner: "o", Reason: "r", Since: x.now()})
			x.ok(err)
		},
		"brought back": func(x *expiring) {
			_, err := lifecycle.Undelete(t.Context(), x.db, x.store, x.k, nil, "reader", "wanted")
			x.ok(err)
		},
		"new images": func(x *expiring) {
			other := axialSlab(2)
			other.n = 2
			dir := t.TempDir()
			other.write(t, dir)
			x.ingest("a", dir)
		},
	} {
		for _, queued := range []bool{false, true} { // the purge was queued before the backup, or is planned after it was put back
			t.Run(fmt.Sprint(name, ", queued before: ", queued), func(t *testing.T) {
				x := newExpiring(t, nil)
				x.trash()
				id := ""
				if queued {
					id = x.queueDue()
				}
				var backup []byte
				x.restart(func(path string) {
					var err error
					backup, err = os.ReadFile(path)
					x.ok(err)
				})
				since(x)
				had := x.open(x.k).Manifest
				x.restart(func(path string) {
					for _, name := range []string{path, path + "-wal", path + "-shm"} {
						_ = os.Remove(name)
					}
					x.ok(os.WriteFile(path, backup, 0o600))
				})
				if !queued {
					id = x.queueDue()
				}
				if id != "" {
					if err := x.run(id); err == nil {
						t.Fatal("the job was done")
					}
				}
				sweep := func() {
					_, err := lifecycle.Sweep(t.Context(), x.db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: x.store}}, lifecycle.SweepOptions{Grace: time.Nanosecond, Now: x.now})
					x.ok(err)
				}
				sweep()
				x.ok(catalog.Reconcile(t.Context(), x.db, x.store))
				sweep()
				m, _, err := catalog.Heal(t.Context(), x.db, x.store, x.k.Tenant, x.k.Hash())
				x.ok(err)
				if m.Generation < had.Generation || len(m.Certificates) != 0 || m.Totals != had.Totals || len(m.Holds) != len(had.Holds) || len(m.Trash) != len(had.Trash) {
					t.Fatalf("generation %d, was %d: %+v", m.Generation, had.Generation, m)
				}
				x.verify()
			})
		}
	}
}

// TestPurgeZombie: a worker that hangs at any step of a purge for longer than its lease, while another one does it and everything that is superseded is swept at once,
// goes on and changes nothing.
func TestPurgeZombie(t *testing.T) {
	for _, step := range []string{lifecycle.StepProved, lifecycle.StepBundled, lifecycle.StepCertificate, catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut, catalog.StepDecided, catalog.StepOKPut} {
		t.Run(step, func(t *testing.T) {
			x := newExpiring(t, nil)
			had := x.kept()
			x.trash()
			id := x.queueDue()
			hung := false
			x.hooks = func(_ context.Context, at string) error {
				if at != step || hung {
					return nil
				}
				hung = true
				x.later.Add(int64(2 * time.Hour)) // the lease is over
				x.ok(catalog.Reconcile(t.Context(), x.db, x.store))
				other := NewPipeline(PipelineOptions{DB: x.db, Stores: oneStore{x.store}, Tier: "hot", Set: all.Set(), Owner: "other", Build: "test", Lease: time.Hour, Now: x.now})
				defer other.Close()
				_ = other.Run(t.Context(), id)
				_, err := lifecycle.Sweep(t.Context(), x.db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: x.store}}, lifecycle.SweepOptions{Grace: time.Nanosecond, Now: func() time.Time { return x.now().Add(time.Hour) }})
				x.ok(err)
				return nil
			}
			_ = x.run(id)
			x.hooks = nil
			if !hung {
				t.Fatal("it never came to this step")
			}
			x.ok(catalog.Reconcile(t.Context(), x.db, x.store))
			m := x.open(x.k).Manifest
			if len(m.Certificates) != 1 || len(m.Trash) != 0 || m.Totals.Instances != 1 {
				t.Fatalf("in the end it is %+v", m)
			}
			x.sweep()
			if got := x.kept(); !maps.Equal(got, had) {
				t.Fatalf("kept are %v", slices.Sorted(maps.Keys(got)))
			}
			x.verify()
			events := 0
			x.ok(x.db.Events(t.Context(), func(e catalog.Event) error {
				if e.Action == lifecycle.ActionPurge {
					events++
				}
				return nil
			}))
			if events > 1 {
				t.Errorf("%d events tell of one purge", events)
			}
		})
	}
}
