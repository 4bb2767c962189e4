package catalog

import (
	"context"
	"database/sql"
	"iter"
)

// selectHeld is a page of the studies that something holds.
const selectHeld = selectStudy + ` WHERE hold_until > 0 AND hold_until > ? AND tenant = ? AND hash > ? ORDER BY tenant, hash LIMIT ?`

// Held yields, by tenant and hash, the studies with a hold that stands now; tenant "" is all. It stops at the first error, which it yields.
func (db *DB) Held(ctx context.Context, tenant string) iter.Seq2[Study, error] {
	return func(yield func(Study, error) bool) {
		tenants := []string{tenant}
		if tenant == "" {
			var err error
			if tenants, err = db.reader().names(ctx, `SELECT name FROM tenant ORDER BY name`); err != nil {
				yield(Study{}, err)
				return
			}
		}
		for _, tenant := range tenants {
			for hash, n := "", pageRows; n == pageRows; {
				var page []Study
				rows, err := db.reader().query(ctx, selectHeld, toMS(db.now()), tenant, hash, pageRows)
				err = each(rows, err, func(r *sql.Rows) error {
					s, h, err := scanStudy(r)
					page, hash = append(page, s), h
					return err
				})
				if err != nil {
					yield(Study{}, err)
					return
				}
				for _, s := range page {
					if !yield(s, nil) {
						return
					}
				}
				n = len(page)
			}
		}
	}
}
