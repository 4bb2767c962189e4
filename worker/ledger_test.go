package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/s3"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/internal/testkit/billfake"
	"github.com/radtier/radtier/internal/testkit/servers"
	"github.com/radtier/radtier/lifecycle"
)

// TestLedgerAgainstBill: ninety days of studies that come, come late, are moved, trashed, brought back, restored, erased and swept, with attempts that die and leave orphans, in front of a
// meter that counts as a provider does. To the second and byte, the ledger has what is billed for studies' objects, by class; what is billed beside them has keys of its own.
func TestLedgerAgainstBill(t *testing.T) {
	server := servers.RGW(t)
	fake := billfake.Start(t, server.Endpoint)
	start := time.Date(2027, 1, 30, 17, 0, 0, 0, time.UTC)
	fake.Stand(start)
	store, err := s3.Open(t.Context(), s3.Options{Endpoint: fake.Endpoint, Region: server.Region, AccessKey: server.AccessKey, SecretKey: server.SecretKey, Addressing: "path",
		Bucket: "t-" + strings.ToLower(rand.Text()[:16]), Create: true, Classes: []s3.Class{{Name: "STANDARD"}, {Name: "STANDARD_IA", MinDays: 30}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := catalog.Open(t.Context(), catalog.Config{DSN: filepath.Join(t.TempDir(), "catalog.db"), Now: fake.Now})
	ok(err)
	t.Cleanup(func() { _ = db.Close() })
	var hooks catalog.Hooks
	var r *rig
	r = newRig(t, func(o *PipelineOptions) {
		o.DB, o.Stores, o.Now = db, oneStore{store}, fake.Now
		o.Hooks = func(ctx context.Context, step string) error { return hooks.Step(ctx, step) }
		o.Shared = func(_, to string) (bool, objstore.Class) {
			return true, map[string]objstore.Class{"hot": "STANDARD", "cold": "STANDARD_IA"}[to]
		}
	})
	r.store, r.db = store, db
	rng := mathrand.New(mathrand.NewPCG(11, 11))
	died := errors.New("died")
	var keys []catalog.StudyKey
	side := func(k catalog.StudyKey, kind, args string) {
		t.Helper()
		job, err := db.QueueSide(t.Context(), k.Tenant, k.Hash(), kind, args)
		ok(err)
		if err := r.p.Run(t.Context(), job.ID); err != nil && !errors.Is(err, lifecycle.ErrNotDue) {
			t.Fatal(err)
		}
	}
	arrive := func(n, instance int) {
		t.Helper()
		jobs := r.queue("a", write(t, small{study: fmt.Sprintf("1.2.%d", n), sop: fmt.Sprintf("1.2.%d.%d", n, instance), seed: 1 + (n+instance)%200}.bytes(t)))
		if rng.IntN(3) == 0 { // the first attempt dies before it commits
			hooks = func(_ context.Context, at string) error {
				if at == catalog.StepChanged {
					return died
				}
				return nil
			}
			if err := r.p.Run(t.Context(), jobs[0].ID); !errors.Is(err, died) {
				t.Fatal(err)
			}
			hooks = nil
			fake.Advance(3 * time.Hour) // past its lease, and until it is tried again
		}
		ok(r.p.Run(t.Context(), jobs[0].ID))
		if k := jobs[0].StudyKey; !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	for day := 0; fake.Now().Before(start.AddDate(0, 0, 90)); day++ {
		fake.Advance(time.Duration(12+rng.IntN(24))*time.Hour + time.Duration(rng.IntN(3600))*time.Second)
		if day%3 == 0 {
			arrive(len(keys)+1, 1)
		}
		k := keys[rng.IntN(len(keys))]
		m, err := catalog.LoadHead(t.Context(), db, store, k)
		ok(err)
		switch rng.IntN(8) {
		case 0:
			arrive(slices.Index(keys, k)+1, 2+day)
		case 1, 2:
			side(k, lifecycle.ActionMove, lifecycle.MoveArgs{Class: catalog.ClassFull, From: "hot", To: "cold", Line: int64(day)}.String())
		case 3:
			side(k, lifecycle.ActionRestore, lifecycle.RestoreArgs{Class: catalog.ClassFull, To: "hot", Until: fake.Now().Add(time.Hour), By: "r", Reason: fmt.Sprint(day)}.String())
		case 4:
			_, err := catalog.CommitAside(t.Context(), db, store, catalog.Aside{Key: k, Action: "trash", By: "o", Note: "n", Change: func(m *catalog.Manifest) error {
				return m.PutInTrash(catalog.Trashed{Class: catalog.ClassFull, Since: fake.Now(), By: "o", Rule: "r"})
			}})
			ok(err)
		case 5:
			if len(m.Trash) > 0 {
				_, err := lifecycle.Undelete(t.Context(), db, store, k, nil, "o", "r")
				ok(err)
			}
		case 6:
			if len(m.Packs) > 0 && day%2 == 0 {
				_, err := lifecycle.OrderErasure(t.Context(), db, store, k, catalog.Erasure{By: "head", Approved: "officer", Reason: "r", At: fake.Now().UTC()})
				ok(err)
				due, err := db.Due(t.Context(), 10)
				ok(err)
				for _, j := range due {
					ok(r.p.Run(t.Context(), j.ID))
				}
			}
		default:
			_, err := lifecycle.Sweep(t.Context(), db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: store}}, lifecycle.SweepOptions{Now: fake.Now})
			ok(err)
		}
	}
	fake.Advance(100 * time.Hour)
	_, err = lifecycle.Sweep(t.Context(), db, lifecycle.Stores{Hot: lifecycle.Tier{Name: "hot", Store: store}}, lifecycle.SweepOptions{Now: fake.Now})
	ok(err)
	_, err = catalog.FoldLedger(t.Context(), db)
	ok(err)

	from := start.Truncate(15 * time.Minute)
	to := fake.Now().Add(time.Hour).Truncate(15 * time.Minute)
	uses, err := db.StockUse(t.Context(), from, to)
	ok(err)
	ledger, states := map[string]*big.Int{}, map[catalog.StockState]*big.Int{}
	add := func(m map[string]*big.Int, id string, n *big.Int) {
		if m[id] == nil {
			m[id] = &big.Int{}
		}
		m[id].Add(m[id], n)
	}
	for _, u := range uses {
		class := "STANDARD"
		if u.Tier == "cold" {
			class = "STANDARD_IA"
		}
		add(ledger, class, u.Bytes)
		if states[u.State] == nil {
			states[u.State] = &big.Int{}
		}
		states[u.State].Add(states[u.State], u.Bytes)
		if u.Opening.Objects < 0 || u.Bytes.Sign() < 0 {
			t.Errorf("%+v has %s byte-seconds", u.Stock, u.Bytes)
		}
	}
	billed, other := map[string]*big.Int{}, &big.Int{}
	for _, o := range fake.Objects() {
		until := o.To
		if until.IsZero() || until.After(to) {
			until = to
		}
		n := new(big.Int).Mul(big.NewInt(o.Bytes), big.NewInt(max(until.Unix()-max(o.From.Unix(), from.Unix()), 0)))
		if _, ours := catalog.ParseKey(o.Key); !ours || o.Part {
			other.Add(other, n)
			continue
		}
		add(billed, o.Class, n)
	}
	for _, state := range []catalog.StockState{catalog.StockLive, catalog.StockTrash, catalog.StockSuperseded, catalog.StockOrphan} {
		if n := states[state]; n == nil || n.Sign() <= 0 {
			t.Errorf("nothing is counted as %s: the test did not see it", state)
		}
	}
	for _, class := range []string{"STANDARD", "STANDARD_IA"} {
		if ledger[class] == nil || billed[class] == nil || ledger[class].Cmp(billed[class]) != 0 {
			t.Errorf("%s: the ledger has %v byte-seconds, billed are %v", class, ledger[class], billed[class])
		}
	}
	t.Logf("%d studies, %v byte-seconds in the standard class, %v in infrequent access; beside studies %v; by state %v", len(keys), billed["STANDARD"], billed["STANDARD_IA"], other, states)
	for _, k := range keys {
		m, err := catalog.LoadHead(t.Context(), db, store, k)
		ok(err)
		v, err := study.Verify(t.Context(), oneStore{store}, m, all.Set(), nil)
		if err != nil || len(v.Damage) > 0 {
			t.Errorf("study %s: %v, %+v", k.UID, err, v)
		}
	}
}
