package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
)

// mark is how far the rebuild of a shard was.
type mark struct {
	found RebuildReport
	after string
	done  bool
}

type markName struct{ tenant, shard string }

// marks reads the marks of a tenant, "" is all.
func (db *DB) marks(ctx context.Context, tenant string) (map[markName]*mark, error) {
	list := map[markName]*mark{}
	rows, err := db.reader().query(ctx, `SELECT tenant, shard, after, done, found FROM rebuild_mark WHERE ? = '' OR tenant = ?`, tenant, tenant)
	err = each(rows, err, func(r *sql.Rows) error {
		var n markName
		var m mark
		var done int64
		var found string
		if err := r.Scan(&n.tenant, &n.shard, &m.after, &done, &found); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(found), &m.found); err != nil {
			return fmt.Errorf("mark of shard %q of tenant %s: %w: begin anew with --restart", n.shard, n.tenant, err)
		}
		for i := range m.found.Missing {
			m.found.Missing[i].UID = unescape(m.found.Missing[i].UID)
		}
		m.done = done != 0
		list[n] = &m
		return nil
	})
	return list, err
}

// save writes the shard's mark.
func (b *shardRebuild) save(ctx context.Context) error {
	found := b.found
	found.Missing = nil
	for _, k := range b.found.Missing {
		found.Missing = append(found.Missing, StudyKey{k.Tenant, escape(k.UID)})
	}
	raw, err := json.Marshal(found)
	if err != nil {
		return err
	}
	b.unsaved = 0
	return b.db.change(ctx, func(tx conn) error {
		return tx.exec(ctx, `INSERT INTO rebuild_mark (tenant, shard, after, done, found, updated) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant, shard) DO UPDATE SET after = excluded.after, done = excluded.done, found = excluded.found, updated = excluded.updated`,
			b.tenant, b.shard, b.after, flag(b.done), string(raw), toMS(b.db.now()))
	})
}

// forgetMarks removes the marks of a tenant ("" is all) whose shards begin so.
func (db *DB) forgetMarks(ctx context.Context, tenant, shard string) error {
	return db.change(ctx, func(tx conn) error {
		return tx.exec(ctx, `DELETE FROM rebuild_mark WHERE (? = '' OR tenant = ?) AND shard LIKE ?`, tenant, tenant, shard+"%")
	})
}

// RebuildPending reports whether a rebuild of this catalog was stopped before its end: the next one goes on with it.
func (db *DB) RebuildPending(ctx context.Context) (bool, error) {
	n := 0
	err := db.reader().row(ctx, `SELECT COUNT(*) FROM rebuild_mark`).Scan(&n)
	return n > 0, err
}

// tenantsOfStudies lists the tenants that have studies.
func (db *DB) tenantsOfStudies(ctx context.Context) ([]string, error) {
	var list []string
	rows, err := db.reader().query(ctx, `SELECT name FROM tenant ORDER BY name`)
	err = each(rows, err, func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		list = append(list, name)
		return err
	})
	return list, err
}
