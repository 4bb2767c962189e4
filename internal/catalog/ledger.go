package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Stock is what stored bytes are counted by.
type Stock struct {
	Tenant     string     `json:"t"`
	Tier       string     `json:"i"` // "" is the hot tier
	Class      Class      `json:"c"` // ClassIndex for manifests; of orphans what kind of object it is
	State      StockState `json:"s"`
	Modality   string     `json:"m"` // the first that is no document; "" not known
	Department string     `json:"d"`
	Cohort     int64      `json:"o"` // month in which the study came, UTC, as 202611; 0 not known
}

// ClassIndex is the class of manifests in the ledger: what keeping order costs.
const ClassIndex Class = "index"

// StockState says what the bytes are there for.
type StockState string

const (
	StockLive       StockState = "live"
	StockTrash      StockState = "trash"      // expired, and kept for a while
	StockSuperseded StockState = "superseded" // a later generation took its place; a sweep removes it
	StockOrphan     StockState = "orphan"     // left by attempts that did not come to their end
)

// Amount is how much of something is stored.
type Amount struct {
	Bytes    int64 `json:"b"`
	Objects  int64 `json:"n"`
	Short64  int64 `json:"x,omitempty"` // bytes by which objects are smaller than 64 KiB
	Short128 int64 `json:"y,omitempty"` // and than 128 KiB
}

// AmountOf is one object.
func AmountOf(bytes int64) Amount {
	return Amount{Bytes: bytes, Objects: 1, Short64: max(64<<10-bytes, 0), Short128: max(128<<10-bytes, 0)}
}

// Add returns the sum of two amounts.
func (a Amount) Add(b Amount) Amount {
	return Amount{a.Bytes + b.Bytes, a.Objects + b.Objects, a.Short64 + b.Short64, a.Short128 + b.Short128}
}

// Times returns n times an amount.
func (a Amount) Times(n int64) Amount {
	return Amount{a.Bytes * n, a.Objects * n, a.Short64 * n, a.Short128 * n}
}

// EarlyDays are the minimum durations that providers bill; see Flow.Early.
var EarlyDays = [4]int64{30, 60, 90, 180}

// Flow is what came and went in one dimension at one moment.
type Flow struct {
	Stock
	At  int64  `json:"a"` // seconds since 1970
	In  Amount `json:"p,omitzero"`
	Out Amount `json:"q,omitzero"`
	// Early is, for objects that are gone from their tier, bytes times the seconds that were missing to each of EarlyDays.
	Early [4]int64 `json:"e,omitzero"`
}

// SlotSeconds is the length of the ledger's slots: every time zone's midnight begins one.
const SlotSeconds = 900

// flows gathers what one transaction adds to the ledger.
type flows struct{ list []Flow }

// move notes that an object came to a dimension (n is 1) or went from it (-1).
func (f *flows) move(s Stock, at time.Time, bytes int64, n int64) {
	f.add(Flow{Stock: s, At: at.Unix()}, AmountOf(bytes), n)
}

func (f *flows) add(x Flow, a Amount, n int64) {
	i := slices.IndexFunc(f.list, func(o Flow) bool { return o.Stock == x.Stock && o.At == x.At })
	if i < 0 {
		i = len(f.list)
		f.list = append(f.list, x)
	}
	if n > 0 {
		f.list[i].In = f.list[i].In.Add(a)
	} else {
		f.list[i].Out = f.list[i].Out.Add(a)
	}
}

// gone notes that an object that was put at one time is not there any more: what a provider may bill for its minimum duration.
func (f *flows) gone(s Stock, at, put time.Time, bytes int64) {
	f.move(s, at, bytes, -1)
	age := max(at.Unix()-put.Unix(), 0)
	for i := range f.list {
		if x := &f.list[i]; x.Stock == s && x.At == at.Unix() {
			for k, days := range EarlyDays {
				x.Early[k] += bytes * max(days*86400-age, 0)
			}
		}
	}
}

// write adds what was gathered to the ledger, in the transaction that it is about.
func (c conn) writeFlows(ctx context.Context, now time.Time, f *flows) error {
	f.list = slices.DeleteFunc(f.list, func(x Flow) bool { return x.In == x.Out && x.Early == [4]int64{} })
	if len(f.list) == 0 {
		return nil
	}
	raw, err := json.Marshal(f.list)
	if err != nil {
		return err
	}
	return c.exec(ctx, `INSERT INTO ledger_entry (id, flows) VALUES (?, ?)`, newID(now), string(raw))
}

// documents are modalities of what is said about images, not of an examination.
var documents = []string{"SR", "KO", "PR", "SEG", "RTSTRUCT", "REG", "DOC", "OT", "AU", "FID", "PLAN", "RTPLAN", "RTDOSE", "STAIN", "XC"}

// MainModality is the modality that an examination is counted as.
func MainModality(a *About) string {
	if a == nil || len(a.Modalities) == 0 {
		return ""
	}
	for _, m := range a.Modalities {
		if !slices.Contains(documents, m) {
			return m
		}
	}
	return a.Modalities[0]
}

// StockOf is what the objects of a manifest are counted by, without tier, class and state.
func StockOf(m *Manifest) Stock {
	s := Stock{Tenant: m.Tenant, Modality: MainModality(m.About), Cohort: int64(m.FirstCreated.Year()*100 + int(m.FirstCreated.Month()))}
	if m.About != nil {
		s.Department = m.About.Department
	}
	return s
}

// stocked is an object in the ledger.
type stocked struct {
	Stock
	bytes int64
	since time.Time
}

// stockOf lists the objects of a manifest by key.
func stockOf(m *Manifest) map[string]stocked {
	if m == nil {
		return nil
	}
	list, base := map[string]stocked{}, StockOf(m)
	m.objects(func(key string, class Class, tier string, bytes int64, since time.Time) {
		s := base
		s.Class, s.Tier, s.State = class, tier, StockLive
		if m.InTrash(class) != nil {
			s.State = StockTrash
		}
		list[key] = stocked{s, bytes, since}
	})
	return list
}

// step notes what a generation changes against the one before, nil for the first. Superseded objects are counted as such only if it is known when they go: counts.
func (f *flows) step(prev, next *Manifest, size int64, counts bool) {
	at := next.Created
	was, is := stockOf(prev), stockOf(next)
	for _, key := range sortedNames(is) {
		n := is[key]
		o, had := was[key]
		switch {
		case !had:
			since := n.since
			if since.After(at) {
				since = at
			}
			f.move(n.Stock, since, n.bytes, 1)
		case o.Stock != n.Stock:
			f.move(o.Stock, at, o.bytes, -1)
			f.move(n.Stock, at, n.bytes, 1)
		}
	}
	for _, key := range sortedNames(was) {
		if _, stays := is[key]; stays {
			continue
		}
		o := was[key]
		f.move(o.Stock, at, o.bytes, -1)
		if counts {
			o.State = StockSuperseded
			f.move(o.Stock, at, o.bytes, 1)
		}
	}
	index := StockOf(next)
	index.Class, index.State = ClassIndex, StockLive
	f.move(index, at, size, 1)
}

func sortedNames[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// chainFlows is what a chain of generations, head first, adds to a catalog that is at the last of them; to one that knows nothing if that has no parent. from is how many
// of the oldest the catalog knows: 0 or 1.
func chainFlows(chain []*Manifest, from int) (*flows, error) {
	f := &flows{}
	for i := len(chain) - 1 - from; i >= 0; i-- {
		var prev *Manifest
		if i+1 < len(chain) {
			prev = chain[i+1]
		}
		raw, err := chain[i].Encode()
		if err != nil {
			return nil, err
		}
		f.step(prev, chain[i], int64(len(raw)), false)
	}
	return f, nil
}

// encode is a dimension as interval rows keep it.
func (s Stock) encode() string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic("catalog: a dimension of the ledger holds nothing that JSON cannot: " + err.Error())
	}
	return string(raw)
}

// closeInterval ends the storage of an object that a sweep removed.
func (c conn) closeInterval(ctx context.Context, o ObjectKey, key string, now time.Time) error {
	f := &flows{}
	var counted, tier string
	var class Class
	var bytes, since, superseded int64
	open, err := c.found(ctx, []any{&counted, &tier, &class, &bytes, &since, &superseded},
		`SELECT counted, tier, class, bytes, since, superseded FROM interval_row WHERE tenant = ? AND hash = ? AND key = ? AND closed = 0`, o.Tenant, o.Hash, key)
	if err != nil {
		return err
	}
	if open {
		if err := c.exec(ctx, `UPDATE interval_row SET until = ?, closed = 1 WHERE tenant = ? AND hash = ? AND key = ? AND closed = 0`, toMS(now), o.Tenant, o.Hash, key); err != nil {
			return err
		}
		s := Stock{Tenant: o.Tenant, Tier: tier, Class: class, State: StockSuperseded}
		if counted == "" { // it was superseded before this catalog was made
			f.move(s, fromMS(superseded), bytes, 1)
		} else if err := json.Unmarshal([]byte(counted), &s); err != nil {
			return fmt.Errorf("interval of %s: %w", key, err)
		}
		f.gone(s, now, fromMS(since), bytes)
		return c.writeFlows(ctx, now, f)
	}
	var put int64
	removing, err := c.found(ctx, []any{&tier, &bytes, &put}, `SELECT tier, bytes, put FROM removal WHERE tenant = ? AND hash = ? AND key = ? AND state = 'deleting'`, o.Tenant, o.Hash, key)
	if err != nil || !removing {
		return err
	}
	var closed int64
	if err := c.row(ctx, `SELECT COUNT(*) FROM interval_row WHERE tenant = ? AND hash = ? AND key = ?`, o.Tenant, o.Hash, key).Scan(&closed); err != nil || closed > 0 {
		return err
	}
	s := Stock{Tenant: o.Tenant, Tier: tier, Class: Class(o.Kind.String()), State: StockOrphan}
	from := fromMS(put)
	if put == 0 || from.After(now) {
		from = now
	}
	f.move(s, from, bytes, 1)
	f.gone(s, now, from, bytes)
	return c.writeFlows(ctx, now, f)
}

// found reads a row that may not be there.
func (c conn) found(ctx context.Context, to []any, q string, args ...any) (bool, error) {
	err := c.row(ctx, q, args...).Scan(to...)
	if noRows(err) {
		return false, nil
	}
	return err == nil, err
}

// String is the name of a kind of object.
func (k ObjectKind) String() string {
	switch k {
	case KindManifest, KindPublished:
		return "manifest"
	case KindPack:
		return "pack"
	case KindHot:
		return "bundle"
	case KindRecord, KindPicture:
		return "regions"
	case KindAnnotation:
		return "annotation"
	case KindCertificate:
		return "certificate"
	}
	return "other"
}
