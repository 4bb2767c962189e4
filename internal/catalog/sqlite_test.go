package catalog_test

import (
	"path/filepath"
	"testing"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
)

func freshSQLite(t testing.TB) catalog.Config {
	return catalog.Config{Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "cat ?#%41.db")}
}

func TestSQLite(t *testing.T) { catalogtest.Run(t, freshSQLite) }
