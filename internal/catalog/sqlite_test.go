package catalog_test

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/mem"
)

// onSQLite runs the suite on SQLite files and a store in memory. The name of the file has all that a URI would misread.
var onSQLite = catalogtest.Maker{
	Catalog: func(t testing.TB) catalog.Config {
		return catalog.Config{Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "cat ?#%41.db")}
	},
	Copy: func(t testing.TB, from catalog.Config) catalog.Config {
		to := from
		to.DSN = filepath.Join(t.TempDir(), "backup.db")
		db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: from.DSN}).EscapedPath())
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(`VACUUM INTO ?`, to.DSN); err != nil {
			t.Fatal(err)
		}
		return to
	},
	Store: func(t testing.TB, now func() time.Time) objstore.Store {
		store, err := mem.New(mem.Options{Clock: now})
		if err != nil {
			t.Fatal(err)
		}
		return store
	},
}

func TestSQLite(t *testing.T) { catalogtest.Run(t, onSQLite) }
