package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

func noRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// foldEntries is how many entries are folded in one transaction.
const foldEntries = 2000

// FoldLedger adds the entries of the ledger up by dimension and slot. Any number of processes may do it at once, and any of them may be stopped: entries are
// removed in the transaction that counts them. It returns how many there were.
func FoldLedger(ctx context.Context, db *DB) (entries int64, err error) {
	for {
		n, err := db.foldSome(ctx)
		entries += n
		if err != nil {
			return entries, fmt.Errorf("ledger: %w", err)
		}
		if n < foldEntries {
			return entries, nil
		}
	}
}

// folded is a row of ledger_flow.
type folded struct {
	stock   Stock
	slot    int64
	in, out Amount
	at      Amount // net, times seconds since the slot's beginning
	early   [4]int64
}

func (db *DB) foldSome(ctx context.Context) (n int64, err error) {
	err = db.change(ctx, func(tx conn) error {
		n = 0
		if err := tx.exec(ctx, `INSERT INTO ledger_lock (id) VALUES (1) ON CONFLICT (id) DO NOTHING`); err != nil {
			return err
		}
		var one int64
		if err := tx.lock(ctx, `SELECT id FROM ledger_lock WHERE id = 1`).Scan(&one); err != nil {
			return err
		}
		var ids []string
		sums := map[Stock]map[int64]*folded{}
		rows, err := tx.query(ctx, `SELECT id, flows FROM ledger_entry ORDER BY id LIMIT ?`, foldEntries)
		if err := each(rows, err, func(r *sql.Rows) error {
			var id, raw string
			if err := r.Scan(&id, &raw); err != nil {
				return err
			}
			ids = append(ids, id)
			var list []Flow
			if err := json.Unmarshal([]byte(raw), &list); err != nil {
				return fmt.Errorf("entry %s: %w", id, err)
			}
			for _, x := range list {
				bySlot := sums[x.Stock]
				if bySlot == nil {
					bySlot = map[int64]*folded{}
					sums[x.Stock] = bySlot
				}
				slot := x.At / SlotSeconds
				s := bySlot[slot]
				if s == nil {
					s = &folded{stock: x.Stock, slot: slot}
					bySlot[slot] = s
				}
				s.in, s.out = s.in.Add(x.In), s.out.Add(x.Out)
				s.at = s.at.Add(x.In.Add(x.Out.Times(-1)).Times(x.At % SlotSeconds))
				for k := range x.Early {
					s.early[k] += x.Early[k]
				}
			}
			return nil
		}); err != nil {
			return err
		}
		var list []*folded
		for _, bySlot := range sums {
			for _, s := range bySlot {
				list = append(list, s)
			}
		}
		slices.SortFunc(list, func(a, b *folded) int {
			return cmp.Or(cmp.Compare(a.stock.encode(), b.stock.encode()), cmp.Compare(a.slot, b.slot))
		})
		var balanced []int64
		rows, err = tx.query(ctx, `SELECT slot FROM ledger_balanced ORDER BY slot`)
		if err := each(rows, err, func(r *sql.Rows) error {
			var slot int64
			err := r.Scan(&slot)
			balanced = append(balanced, slot)
			return err
		}); err != nil {
			return err
		}
		for _, s := range list {
			if err := tx.fold(ctx, s, balanced); err != nil {
				return err
			}
		}
		for _, id := range ids {
			if err := tx.exec(ctx, `DELETE FROM ledger_entry WHERE id = ?`, id); err != nil {
				return err
			}
		}
		n = int64(len(ids))
		return nil
	})
	return n, err
}

func (c conn) fold(ctx context.Context, s *folded, balanced []int64) error {
	dim, err := c.dimension(ctx, s.stock)
	if err != nil {
		return err
	}
	net := s.in.Add(s.out.Times(-1))
	if err := c.exec(ctx, `INSERT INTO ledger_flow (dimension, slot, in_bytes, out_bytes, in_objects, out_objects, short_64, short_128, at_bytes, at_objects, at_short_64, at_short_128, early_30, early_60, early_90, early_180)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (dimension, slot) DO UPDATE SET in_bytes = ledger_flow.in_bytes + excluded.in_bytes, out_bytes = ledger_flow.out_bytes + excluded.out_bytes,
		in_objects = ledger_flow.in_objects + excluded.in_objects, out_objects = ledger_flow.out_objects + excluded.out_objects, short_64 = ledger_flow.short_64 + excluded.short_64, short_128 = ledger_flow.short_128 + excluded.short_128,
		at_bytes = ledger_flow.at_bytes + excluded.at_bytes, at_objects = ledger_flow.at_objects + excluded.at_objects, at_short_64 = ledger_flow.at_short_64 + excluded.at_short_64, at_short_128 = ledger_flow.at_short_128 + excluded.at_short_128,
		early_30 = ledger_flow.early_30 + excluded.early_30, early_60 = ledger_flow.early_60 + excluded.early_60, early_90 = ledger_flow.early_90 + excluded.early_90, early_180 = ledger_flow.early_180 + excluded.early_180`,
		dim, s.slot, s.in.Bytes, s.out.Bytes, s.in.Objects, s.out.Objects, net.Short64, net.Short128, s.at.Bytes, s.at.Objects, s.at.Short64, s.at.Short128, s.early[0], s.early[1], s.early[2], s.early[3]); err != nil {
		return err
	}
	for _, slot := range balanced {
		if slot <= s.slot {
			continue
		}
		if err := c.balance(ctx, slot, dim, net); err != nil {
			return err
		}
	}
	return nil
}

func (c conn) balance(ctx context.Context, slot, dim int64, a Amount) error {
	return c.exec(ctx, `INSERT INTO ledger_balance (slot, dimension, bytes, objects, short_64, short_128) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (slot, dimension) DO UPDATE SET
		bytes = ledger_balance.bytes + excluded.bytes, objects = ledger_balance.objects + excluded.objects, short_64 = ledger_balance.short_64 + excluded.short_64, short_128 = ledger_balance.short_128 + excluded.short_128`,
		slot, dim, a.Bytes, a.Objects, a.Short64, a.Short128)
}

// dimension is the number of a dimension, a new one if it has none. Whoever asks has the ledger to himself.
func (c conn) dimension(ctx context.Context, s Stock) (id int64, err error) {
	const where = ` FROM ledger_dimension WHERE tenant = ? AND tier = ? AND class = ? AND state = ? AND modality = ? AND department = ? AND cohort = ?`
	args := []any{s.Tenant, s.Tier, s.Class, s.State, escape(s.Modality), escape(s.Department), s.Cohort}
	if ok, err := c.found(ctx, []any{&id}, `SELECT id`+where, args...); ok || err != nil {
		return id, err
	}
	if err := c.row(ctx, `SELECT COALESCE(MAX(id), 0) + 1 FROM ledger_dimension`).Scan(&id); err != nil {
		return 0, err
	}
	return id, c.exec(ctx, `INSERT INTO ledger_dimension (id, tenant, tier, class, state, modality, department, cohort) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, append([]any{id}, args...)...)
}

// ErrSlot: a time is not the beginning of a slot of the ledger.
var ErrSlot = errors.New("the ledger counts in quarters of an hour: the time must be the beginning of one")

func slotOf(t time.Time) (int64, error) {
	if s := t.Unix(); t.Nanosecond() == 0 && s%SlotSeconds == 0 {
		return s / SlotSeconds, nil
	}
	return 0, fmt.Errorf("%s: %w", t.Format(time.RFC3339Nano), ErrSlot)
}

// BalanceLedger keeps what there was at a moment, so that reports of later times need not look further back. Entries that come later for earlier times change it.
func BalanceLedger(ctx context.Context, db *DB, at time.Time) error {
	slot, err := slotOf(at)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	err = db.change(ctx, func(tx conn) error {
		if err := tx.exec(ctx, `INSERT INTO ledger_lock (id) VALUES (1) ON CONFLICT (id) DO NOTHING`); err != nil {
			return err
		}
		var one int64
		if err := tx.lock(ctx, `SELECT id FROM ledger_lock WHERE id = 1`).Scan(&one); err != nil {
			return err
		}
		n, err := tx.affected(ctx, `INSERT INTO ledger_balanced (slot) VALUES (?) ON CONFLICT (slot) DO NOTHING`, slot)
		if err != nil || n == 0 {
			return err
		}
		before, err := tx.balancedBefore(ctx, slot)
		if err != nil {
			return err
		}
		return tx.exec(ctx, `INSERT INTO ledger_balance (slot, dimension, bytes, objects, short_64, short_128)
			SELECT CAST(? AS BIGINT), dimension, SUM(bytes), SUM(objects), SUM(short_64), SUM(short_128) FROM (
				SELECT dimension, bytes, objects, short_64, short_128 FROM ledger_balance WHERE slot = ?
				UNION ALL SELECT dimension, in_bytes - out_bytes, in_objects - out_objects, short_64, short_128 FROM ledger_flow WHERE slot >= ? AND slot < ?) AS x
			GROUP BY dimension HAVING SUM(bytes) <> 0 OR SUM(objects) <> 0`, slot, before, before, slot)
	})
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// balancedBefore is the last slot before one of which the balance is kept, a slot before all times if there is none.
func (c conn) balancedBefore(ctx context.Context, slot int64) (before int64, err error) {
	err = c.row(ctx, `SELECT COALESCE(MAX(slot), -1) FROM ledger_balanced WHERE slot < ?`, slot).Scan(&before)
	return before, err
}

// StockUse is what lay in one dimension during a time.
type StockUse struct {
	Stock
	Opening, In, Out Amount // Shorts of In and Out are not told apart: both are in In
	// Times are amounts times seconds, exactly: they do not fit 64 bits.
	Bytes, Objects, Short64, Short128 *big.Int
	Early                             [4]int64 // see Flow
}

// StockUse returns what lay where between two moments, by dimension, in a fixed order. Entries that are not folded yet are not in it.
func (db *DB) StockUse(ctx context.Context, from, to time.Time) ([]StockUse, error) {
	a, err := slotOf(from)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	b, err := slotOf(to)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if b < a {
		return nil, fmt.Errorf("ledger: %s is after %s", from, to)
	}
	before, err := db.reader().balancedBefore(ctx, a+1)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	use := map[int64]*StockUse{}
	rows, err := db.reader().query(ctx, `SELECT id, tenant, tier, class, state, modality, department, cohort FROM ledger_dimension`)
	if err := each(rows, err, func(r *sql.Rows) error {
		var id int64
		u := &StockUse{Bytes: &big.Int{}, Objects: &big.Int{}, Short64: &big.Int{}, Short128: &big.Int{}}
		err := r.Scan(&id, &u.Tenant, &u.Tier, &u.Class, &u.State, &u.Modality, &u.Department, &u.Cohort)
		u.Modality, u.Department = unescape(u.Modality), unescape(u.Department)
		use[id] = u
		return err
	}); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	rows, err = db.reader().query(ctx, `SELECT dimension, CAST(SUM(bytes) AS BIGINT), CAST(SUM(objects) AS BIGINT), CAST(SUM(short_64) AS BIGINT), CAST(SUM(short_128) AS BIGINT) FROM (
			SELECT dimension, bytes, objects, short_64, short_128 FROM ledger_balance WHERE slot = ?
			UNION ALL SELECT dimension, in_bytes - out_bytes, in_objects - out_objects, short_64, short_128 FROM ledger_flow WHERE slot >= ? AND slot < ?) AS x GROUP BY dimension`, before, before, a)
	if err := each(rows, err, func(r *sql.Rows) error {
		var id int64
		var o Amount
		if err := r.Scan(&id, &o.Bytes, &o.Objects, &o.Short64, &o.Short128); err != nil {
			return err
		}
		if u := use[id]; u != nil {
			u.Opening = o
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	// An amount that came in slot s stays for the rest of the time: (b - s) slots, less what of its own slot was over when it came.
	rows, err = db.reader().query(ctx, `SELECT dimension, CAST(SUM(in_bytes) AS BIGINT), CAST(SUM(out_bytes) AS BIGINT), CAST(SUM(in_objects) AS BIGINT), CAST(SUM(out_objects) AS BIGINT), CAST(SUM(short_64) AS BIGINT), CAST(SUM(short_128) AS BIGINT),
			CAST(SUM((in_bytes - out_bytes) * (? - slot)) AS BIGINT), CAST(SUM((in_objects - out_objects) * (? - slot)) AS BIGINT), CAST(SUM(short_64 * (? - slot)) AS BIGINT), CAST(SUM(short_128 * (? - slot)) AS BIGINT),
			CAST(SUM(at_bytes) AS BIGINT), CAST(SUM(at_objects) AS BIGINT), CAST(SUM(at_short_64) AS BIGINT), CAST(SUM(at_short_128) AS BIGINT),
			CAST(SUM(early_30) AS BIGINT), CAST(SUM(early_60) AS BIGINT), CAST(SUM(early_90) AS BIGINT), CAST(SUM(early_180) AS BIGINT)
		FROM ledger_flow WHERE slot >= ? AND slot < ? GROUP BY dimension`, b, b, b, b, a, b)
	if err := each(rows, err, func(r *sql.Rows) error {
		var id int64
		var in, out, slots, at Amount
		var e [4]int64
		if err := r.Scan(&id, &in.Bytes, &out.Bytes, &in.Objects, &out.Objects, &in.Short64, &in.Short128, &slots.Bytes, &slots.Objects, &slots.Short64, &slots.Short128,
			&at.Bytes, &at.Objects, &at.Short64, &at.Short128, &e[0], &e[1], &e[2], &e[3]); err != nil {
			return err
		}
		u := use[id]
		if u == nil {
			return nil // folded meanwhile: in the next report
		}
		u.In, u.Out, u.Early = in, out, e
		add := func(to *big.Int, slots, at int64) {
			x := new(big.Int).Mul(big.NewInt(slots), big.NewInt(SlotSeconds))
			to.Add(to, x.Sub(x, big.NewInt(at)))
		}
		add(u.Bytes, slots.Bytes, at.Bytes)
		add(u.Objects, slots.Objects, at.Objects)
		add(u.Short64, slots.Short64, at.Short64)
		add(u.Short128, slots.Short128, at.Short128)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	var list []StockUse
	length := big.NewInt((b - a) * SlotSeconds)
	for _, u := range use {
		stay := func(to *big.Int, n int64) { to.Add(to, new(big.Int).Mul(big.NewInt(n), length)) }
		stay(u.Bytes, u.Opening.Bytes)
		stay(u.Objects, u.Opening.Objects)
		stay(u.Short64, u.Opening.Short64)
		stay(u.Short128, u.Opening.Short128)
		if u.Opening != (Amount{}) || u.In != (Amount{}) || u.Out != (Amount{}) || u.Early != [4]int64{} {
			list = append(list, *u)
		}
	}
	slices.SortFunc(list, func(x, y StockUse) int { return cmp.Compare(x.encode(), y.encode()) })
	return list, nil
}
