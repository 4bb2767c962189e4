package catalogtest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// Filled says what of the studies that Fill makes was answered for: all but one in a hundred are blocked for good by the policy of an epoch, or nobody
// looked at any of them yet (epoch 0).
type Filled struct {
	Count int
	Epoch int64
	Day   int64     // on which one study in a hundred is due
	Last  time.Time // the last arrival of those; the others came 20 days later
}

// Fill puts rows of studies into an empty catalog, for benchmarks: there is nothing in any bucket. Of PostgreSQL the server makes them itself.
func Fill(ctx context.Context, cfg catalog.Config, f Filled) error {
	day := func(n int) int64 {
		switch {
		case f.Epoch == 0:
			return 0
		case n%100 == 0:
			return f.Day
		}
		return 1 << 40
	}
	last := func(n int) time.Time {
		if n%100 == 0 {
			return f.Last
		}
		return f.Last.AddDate(0, 0, 20)
	}
	if cfg.Driver == "postgres" {
		return fillPostgres(ctx, cfg.DSN, f)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: cfg.DSN}).EscapedPath())
	if err != nil {
		return err
	}
	defer db.Close()
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, `PRAGMA synchronous = OFF`); err != nil {
		return err
	}
	for from := 0; from < f.Count; from += 100_000 {
		tx, err := c.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		stmt, err := tx.PrepareContext(ctx, `INSERT INTO study (tenant, hash, uid, head_key, head_sha256, generation, published, want, done, status, instances, frames, series, raw_bytes, stored_bytes,
			created, updated, facts, check_epoch, check_day) VALUES ('north', ?, ?, ?, ?, 1, 1, 1, 1, 'stored', 300, 300, 3, 209715200, 104857600, 1767225600000, 1767225600000, ?, ?, ?)`)
		if err != nil {
			return err
		}
		for n := from; n < min(from+100_000, f.Count); n++ {
			k := catalog.StudyKey{Tenant: "north", UID: fmt.Sprintf("1.2.840.113619.2.55.3.604688119.971.%d", n)}
			if _, err := stmt.ExecContext(ctx, k.Hash(), k.UID, catalog.ManifestKey(k, 1, "01M7ZK3V5Q8R2T4W6Y9B1D3F5H", 1), k.Hash()+k.Hash()[:24], fmt.Sprintf(filledFacts, last(n).UnixMilli()), f.Epoch, day(n)); err != nil {
				return err
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// filledFacts is what the row of a chest CT says: a pack, previews, a region.
const filledFacts = `{"d":"20251231","m":["CT"],"b":["CHEST"],"o":"Radiology","a":"adult","l":%d,"s":true,"x":[{"c":"full","t":"hot","b":104857600,"n":1,"s":1767225600000},{"c":"preview","t":"hot","b":4194304,"n":1,"s":1767225600000},{"c":"region","t":"hot","b":2097152,"n":1,"s":1767225600000}]}`

func fillPostgres(ctx context.Context, dsn string, f Filled) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	due, rest := fmt.Sprintf(filledFacts, f.Last.UnixMilli()), fmt.Sprintf(filledFacts, f.Last.AddDate(0, 0, 20).UnixMilli())
	for from := 0; from < f.Count; from += 200_000 {
		if _, err := db.ExecContext(ctx, `INSERT INTO study (tenant, hash, uid, head_key, head_sha256, generation, published, want, done, status, instances, frames, series, raw_bytes, stored_bytes,
			created, updated, facts, check_epoch, check_day)
			SELECT 'north', h, uid, 't/north/s/' || left(h, 2) || '/' || h || '/m/0000000001-01M7ZK3V5Q8R2T4W6Y9B1D3F5H.1.json', h || left(h, 24), 1, 1, 1, 1, 'stored', 300, 300, 3, 209715200, 104857600,
			1767225600000, 1767225600000, CASE WHEN n % 100 = 0 THEN $1 ELSE $2 END, $3::bigint, CASE WHEN $3::bigint = 0 THEN 0 WHEN n % 100 = 0 THEN $4::bigint ELSE 1099511627776 END
			FROM (SELECT n, uid, left(encode(sha256(convert_to('north', 'UTF8') || '\x00'::bytea || convert_to(uid, 'UTF8')), 'hex'), 40) AS h
				FROM (SELECT n, '1.2.840.113619.2.55.3.604688119.971.' || n AS uid FROM generate_series($5::bigint, $6::bigint) AS n) AS a) AS b`,
			due, rest, f.Epoch, f.Day, from, min(from+200_000, f.Count)-1); err != nil {
			return err
		}
	}
	_, err = db.ExecContext(ctx, `VACUUM ANALYZE study`)
	return err
}
