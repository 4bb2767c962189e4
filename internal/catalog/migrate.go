package catalog

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one numbered file; its number is the schema's version after it ran.
type migration struct {
	version int64
	name    string
	sql     string
}

// migrations returns the files in order. Their numbers begin at 1 and leave no gap.
func migrations() ([]migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var list []migration
	for i, name := range names {
		raw, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		base := strings.TrimPrefix(name, "migrations/")
		if want := fmt.Sprintf("%04d_", i+1); !strings.HasPrefix(base, want) {
			return nil, fmt.Errorf("migration %s: must begin with %s", base, want)
		}
		list = append(list, migration{int64(i + 1), base, string(raw)})
	}
	return list, nil
}

// migrate brings the schema up to date in one transaction, or refuses a newer one.
func (db *DB) migrate(ctx context.Context) error {
	list, err := migrations()
	if err != nil {
		return err
	}
	return db.change(ctx, func(tx conn) error {
		for _, q := range tx.d.lockSchema {
			if err := tx.exec(ctx, q); err != nil {
				return err
			}
		}
		if err := tx.exec(ctx, `CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied BIGINT NOT NULL)`); err != nil {
			return err
		}
		var have int64
		if err := tx.row(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_version`).Scan(&have); err != nil {
			return err
		}
		if have > int64(len(list)) {
			return fmt.Errorf("%w (it is at version %d, this program knows %d)", ErrNewerSchema, have, len(list))
		}
		for _, m := range list[have:] {
			for _, stmt := range statements(m.sql) {
				for _, q := range tx.d.schema(stmt) {
					if err := tx.exec(ctx, q); err != nil {
						return fmt.Errorf("migration %s: %w", m.name, err)
					}
				}
			}
			if err := tx.exec(ctx, `INSERT INTO schema_version (version, name, applied) VALUES (?, ?, ?)`, m.version, m.name, toMS(db.now())); err != nil {
				return err
			}
		}
		return nil
	})
}

// statement is one statement of a migration.
type statement struct {
	sql    string
	byHash bool // the table grows with the number of studies: a dialect may partition it by hash
}

// byHashMark is the line of a migration before a table that is partitioned by hash where the database can.
const byHashMark = "-- partition by hash"

// statements splits a migration at semicolons that end a line; not every driver takes several at once.
func statements(text string) []statement {
	var out []statement
	for s := range strings.SplitSeq(text+"\n", ";\n") {
		var lines []string
		byHash := false
		for line := range strings.Lines(s) {
			t := strings.TrimSpace(line)
			byHash = byHash || t == byHashMark
			if t != "" && !strings.HasPrefix(t, "--") {
				lines = append(lines, line)
			}
		}
		if len(lines) > 0 {
			out = append(out, statement{strings.Join(lines, ""), byHash})
		}
	}
	return out
}
