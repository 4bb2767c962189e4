package catalogtest

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// span is what one object was counted as from one moment to another: the ledger as somebody would write it who has all the time in the world.
type span struct {
	stock    catalog.Stock
	bytes    int64
	from, to time.Time // to is zero while it lasts
}

// shadow writes spans down while a test goes on.
type shadow struct {
	f     *Fixture
	now   map[string]*span // by key
	put   map[string]time.Time
	spans []*span
	heads map[catalog.StudyKey]*catalog.Manifest
}

func newShadow(f *Fixture) *shadow {
	return &shadow{f: f, now: map[string]*span{}, put: map[string]time.Time{}, heads: map[catalog.StudyKey]*catalog.Manifest{}}
}

func (s *shadow) begin(key string, stock catalog.Stock, bytes int64, at time.Time) {
	x := &span{stock: stock, bytes: bytes, from: at}
	s.now[key], s.spans = x, append(s.spans, x)
}

func (s *shadow) end(key string, at time.Time) {
	if x := s.now[key]; x != nil {
		x.to = at
	}
	delete(s.now, key)
}

// head takes a new generation in.
func (s *shadow) head(m *catalog.Manifest) {
	s.f.T.Helper()
	prev := s.heads[m.Study()]
	if prev != nil && prev.Generation == m.Generation {
		return
	}
	s.heads[m.Study()] = m
	base := catalog.Stock{Tenant: m.Tenant, Cohort: int64(m.FirstCreated.Year()*100 + int(m.FirstCreated.Month()))}
	if m.About != nil {
		base.Department = m.About.Department
		if len(m.About.Modalities) > 0 {
			base.Modality = m.About.Modalities[0]
		}
	}
	named := map[string]bool{}
	since := map[string]time.Time{}
	for _, p := range m.Packs {
		since[p.Key] = p.Since
	}
	if m.Hot != nil {
		since[m.Hot.Key] = m.Hot.Since
	}
	m.Objects(func(key string, class catalog.Class, tier string, bytes int64) {
		named[key] = true
		stock := base
		stock.Class, stock.Tier, stock.State = class, tier, catalog.StockLive
		if m.InTrash(class) != nil {
			stock.State = catalog.StockTrash
		}
		old := s.now[key]
		switch {
		case old == nil:
			s.put[key] = since[key]
			s.begin(key, stock, bytes, since[key])
		case old.stock != stock:
			s.end(key, m.Created)
			s.begin(key, stock, bytes, m.Created)
		}
	})
	if prev != nil {
		prev.Objects(func(key string, _ catalog.Class, _ string, bytes int64) {
			if old := s.now[key]; !named[key] && old != nil {
				stock := old.stock
				stock.State = catalog.StockSuperseded
				s.end(key, m.Created)
				s.begin(key, stock, bytes, m.Created)
			}
		})
	}
	raw, err := m.Encode()
	s.f.OK(err)
	base.Class, base.State = catalog.ClassIndex, catalog.StockLive
	s.begin(m.Key(), base, int64(len(raw)), m.Created)
}

// check compares a time with what the ledger says of it.
func (s *shadow) check(from, to time.Time) {
	s.f.T.Helper()
	type sum struct{ bytes, objects, short64, short128 *big.Int }
	want := map[catalog.Stock]sum{}
	for _, x := range s.spans {
		a, b := x.from, x.to
		if b.IsZero() || b.After(to) {
			b = to
		}
		if a.Before(from) {
			a = from
		}
		seconds := b.Unix() - a.Unix()
		if seconds <= 0 {
			continue
		}
		w, ok := want[x.stock]
		if !ok {
			w = sum{&big.Int{}, &big.Int{}, &big.Int{}, &big.Int{}}
			want[x.stock] = w
		}
		add := func(to *big.Int, n int64) { to.Add(to, new(big.Int).Mul(big.NewInt(n), big.NewInt(seconds))) }
		add(w.bytes, x.bytes)
		add(w.objects, 1)
		add(w.short64, max(1<<16-x.bytes, 0))
		add(w.short128, max(1<<17-x.bytes, 0))
	}
	got, err := s.f.DB.StockUse(s.f.Ctx, from, to)
	s.f.OK(err)
	for _, u := range got {
		w, ok := want[u.Stock]
		if !ok {
			w = sum{&big.Int{}, &big.Int{}, &big.Int{}, &big.Int{}}
		}
		if u.Bytes.Cmp(w.bytes) != 0 || u.Objects.Cmp(w.objects) != 0 || u.Short64.Cmp(w.short64) != 0 || u.Short128.Cmp(w.short128) != 0 {
			s.f.T.Fatalf("%s to %s: %+v: the ledger has %s byte-seconds, %s object-seconds, short %s and %s; want %s, %s, %s, %s", from, to, u.Stock, u.Bytes, u.Objects, u.Short64, u.Short128, w.bytes, w.objects, w.short64, w.short128)
		}
		delete(want, u.Stock)
	}
	for stock, w := range want {
		if w.bytes.Sign() != 0 || w.objects.Sign() != 0 {
			s.f.T.Fatalf("%s to %s: %+v: the ledger has nothing, want %s byte-seconds", from, to, stock, w.bytes)
		}
	}
}

// aside commits a change that touches no objects.
func (s *shadow) aside(k catalog.StudyKey, change func(m *catalog.Manifest) error) {
	s.f.T.Helper()
	m, err := catalog.CommitAside(s.f.Ctx, s.f.DB, s.f.Store, catalog.Aside{Key: k, Action: "test", By: "t", Note: "n", Change: change})
	s.f.OK(err)
	s.head(m)
}

// remove deletes objects as a sweep does.
func (s *shadow) remove(k catalog.StudyKey, list ...catalog.Removal) {
	s.f.T.Helper()
	granted, err := s.f.DB.MarkDeleting(s.f.Ctx, k.Tenant, k.Hash(), s.f.Head(k).Key, list)
	s.f.OK(err)
	if len(granted) != len(list) {
		s.f.T.Fatalf("%d of %d removals were granted", len(granted), len(list))
	}
	for _, r := range granted {
		s.f.OK(s.f.Store.Delete(s.f.Ctx, r.Key))
		s.f.OK(s.f.DB.MarkDeleted(s.f.Ctx, r.Key))
		s.f.OK(s.f.DB.MarkDeleted(s.f.Ctx, r.Key)) // again, as after a crash
		if s.now[r.Key] == nil {                   // an orphan
			s.begin(r.Key, catalog.Stock{Tenant: k.Tenant, Tier: r.Tier, Class: "pack", State: catalog.StockOrphan}, r.Bytes, r.Put)
		}
		s.end(r.Key, s.f.Clock.Now())
	}
}

// live does random things to some studies and writes them down; between any two it may call also.
func (s *shadow) live(rng *rand.Rand, steps int, also func()) {
	f := s.f
	f.T.Helper()
	gone := map[string]bool{}
	for range steps {
		f.Clock.Move(time.Duration(rng.Int64N(int64(40 * time.Hour))).Truncate(time.Second))
		k := Study(rng.IntN(4))
		head := s.heads[k]
		switch n := rng.IntN(8); {
		case n < 2 || head == nil:
			a := f.Work(f.Arrive(k, fmt.Sprint(rng.Int())).ID)
			orphan := rng.IntN(3) == 0
			first := a.Job
			if orphan { // its lease runs out, and another attempt does it
				f.Clock.Move(2 * lease)
				a = f.Work(a.Job.ID)
			}
			own := a.Input.Change
			a.Input.Change = func(m *catalog.Manifest) (*catalog.Manifest, error) {
				m, err := own(m)
				if err == nil && rng.IntN(3) > 0 {
					m.About.Modalities, m.About.Department = []string{"CT"}, "科室"
				}
				return m, err
			}
			m, err := a.Commit()
			f.OK(err)
			s.head(m)
			if orphan {
				info, err := f.Store.Head(f.Ctx, catalog.PackKey(k, first.ID, first.Attempt, 1))
				f.OK(err)
				f.Clock.Move(time.Duration(rng.IntN(900)) * time.Second)
				s.remove(k, catalog.Removal{Key: info.Key, Tier: "hot", Bytes: info.Size, Put: info.Modified, Reason: "orphan", Tenant: k.Tenant, Hash: k.Hash()})
			}
		case n < 4 && head.InTrash(catalog.ClassFull) == nil:
			s.aside(k, func(m *catalog.Manifest) error {
				return m.PutInTrash(catalog.Trashed{Class: catalog.ClassFull, Since: f.Clock.Now(), By: "o", Rule: "r"})
			})
		case n < 5 && head.InTrash(catalog.ClassFull) != nil:
			s.aside(k, func(m *catalog.Manifest) error { return m.TakeFromTrash() })
		default:
			list, err := f.DB.Intervals(f.Ctx, k)
			f.OK(err)
			for _, iv := range list {
				if !iv.Closed && !gone[iv.Key] && rng.IntN(2) == 0 {
					gone[iv.Key] = true
					s.remove(k, catalog.Removal{Key: iv.Key, Tier: iv.Tier, Bytes: iv.Bytes, Put: iv.From, Reason: "superseded", Superseded: true, Tenant: k.Tenant, Hash: k.Hash()})
				}
			}
		}
		also()
	}
}

// slot is the beginning of a quarter of an hour between two moments.
func slot(rng *rand.Rand, from, to time.Time) time.Time {
	return from.Add(time.Duration(rng.Int64N(int64(to.Sub(from)/(15*time.Minute))+1)) * 15 * time.Minute)
}

// testLedger: whatever happens to studies, and whenever it is folded and balanced, the ledger agrees to the second with what somebody wrote down beside it.
func testLedger(t *testing.T, f *Fixture) {
	rng := rand.New(rand.NewPCG(7, 7))
	s, start := newShadow(f), f.Clock.Now()
	s.live(rng, 120, func() {
		if rng.IntN(6) == 0 {
			_, err := catalog.FoldLedger(f.Ctx, f.DB)
			f.OK(err)
		}
		if rng.IntN(15) == 0 { // also of times of which entries come later
			f.OK(catalog.BalanceLedger(f.Ctx, f.DB, slot(rng, start, f.Clock.Now().Add(48*time.Hour))))
		}
	})
	_, err := catalog.FoldLedger(f.Ctx, f.DB)
	f.OK(err)
	end := f.Clock.Now().Add(24 * time.Hour).Truncate(15 * time.Minute)
	states := map[catalog.StockState]bool{}
	for _, x := range s.spans {
		states[x.stock.State] = true
	}
	if len(states) != 4 {
		t.Fatalf("the test saw %v only", states)
	}
	s.check(start, end)
	for range 60 {
		a := slot(rng, start, end)
		s.check(a, slot(rng, a, end))
	}
	if n, err := catalog.FoldLedger(f.Ctx, f.DB); n != 0 || err != nil {
		t.Errorf("folded again: %d entries, %v", n, err)
	}
	_, err = f.DB.StockUse(f.Ctx, start.Add(time.Minute), end)
	f.wantErr(err, catalog.ErrSlot)
}

// testLedgerRebuilt: what can be known from the bucket of a lost catalog is in the new one: live and trashed bytes exactly; what was superseded and is gone is not.
func testLedgerRebuilt(t *testing.T, f *Fixture) {
	rng := rand.New(rand.NewPCG(8, 8))
	s, start := newShadow(f), f.Clock.Now()
	s.live(rng, 60, func() {})
	f.Drop()
	_, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	s.spans = slices.DeleteFunc(s.spans, func(x *span) bool {
		return x.stock.State == catalog.StockOrphan || x.stock.State == catalog.StockSuperseded
	})
	s.live(rng, 0, func() {})
	_, err = catalog.FoldLedger(f.Ctx, f.DB)
	f.OK(err)
	end := f.Clock.Now().Add(24 * time.Hour).Truncate(15 * time.Minute)
	for range 30 {
		a := slot(rng, start, end)
		s.check(a, slot(rng, a, end))
	}
}

// testLedgerFoldRace: several processes fold and balance at once while studies come; nothing is counted twice or lost.
func testLedgerFoldRace(t *testing.T, f *Fixture) {
	rng := rand.New(rand.NewPCG(9, 9))
	s, start := newShadow(f), f.Clock.Now()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for n := range 2 {
		db := f.Again()
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := catalog.FoldLedger(f.Ctx, db); err != nil {
					t.Error(err)
					return
				}
				if err := catalog.BalanceLedger(f.Ctx, db, start.Add(time.Duration(n)*100*time.Hour)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	s.live(rng, 25, func() {})
	close(stop)
	wg.Wait()
	_, err := catalog.FoldLedger(f.Ctx, f.DB)
	f.OK(err)
	end := f.Clock.Now().Add(24 * time.Hour).Truncate(15 * time.Minute)
	for range 20 {
		a := slot(rng, start, end)
		s.check(a, slot(rng, a, end))
	}
}
