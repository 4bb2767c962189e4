package catalog

import (
	"context"
	"database/sql"
)

// HoldingTotal is what all studies together have in one class and tier.
type HoldingTotal struct {
	Class   Class
	Tier    string // "" is the hot tier, where hot bundles are
	Studies int
	Objects int
	Bytes   int64
}

// HoldingTotals sums up the holdings of all studies; it scans them.
func (db *DB) HoldingTotals(ctx context.Context) ([]HoldingTotal, error) {
	var list []HoldingTotal
	rows, err := db.reader().query(ctx, `SELECT class, tier, COUNT(*), COALESCE(SUM(objects), 0), COALESCE(SUM(bytes), 0) FROM holding GROUP BY class, tier ORDER BY class, tier`)
	err = each(rows, err, func(r *sql.Rows) error {
		var h HoldingTotal
		err := r.Scan(&h.Class, &h.Tier, &h.Studies, &h.Objects, &h.Bytes)
		list = append(list, h)
		return err
	})
	return list, err
}
