package catalogtest

import (
	"context"
	"database/sql"
	"fmt"
)

// BackUp copies an SQLite catalog, which may be in use, to a new file.
func BackUp(ctx context.Context, dsn, file string) error {
	db, err := openFile(dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", file)
	return err
}

// PutBack puts an SQLite catalog that is in use back to the moment of a backup, in one transaction.
func PutBack(ctx context.Context, dsn, file string) error {
	db, err := openFile(dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "ATTACH DATABASE ? AS backup", file); err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, "SELECT name FROM backup.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
	if err != nil {
		return err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, t := range tables {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("DELETE FROM main.%s", t)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO main.%s SELECT * FROM backup.%s", t, t)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// openFile opens a database file with one connection, which ATTACH needs.
func openFile(dsn string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+dsn+"?_pragma=busy_timeout(10000)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}
