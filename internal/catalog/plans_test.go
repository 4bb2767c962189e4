package catalog

import (
	"path/filepath"
	"strings"
	"testing"
)

// The statements that run for every job and every study must find their rows
// by an index, or a catalog of millions of studies stands still.
func TestStatementsUseIndexes(t *testing.T) {
	db, err := Open(t.Context(), Config{DSN: filepath.Join(t.TempDir(), "catalog.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		selectHead, selectQueued, selectOpen, selectPage, selectTenantPage,
		selectJob + ` WHERE j.id = ?`,
		selectJob + ` WHERE j.state = 'running' AND j.lease_until <= ? ORDER BY j.lease_until LIMIT ?`,
		`SELECT MIN(tenant) FROM job WHERE state = 'queued' AND tenant > ?`,
		`UPDATE job SET state = 'done', updated = ? WHERE tenant = ? AND hash = ? AND state = 'failed'`,
		`SELECT COUNT(*) FROM arrival WHERE tenant = ? AND hash = ? AND digest = ?`,
		`SELECT ready_at FROM arrival WHERE tenant = ? AND hash = ? ORDER BY seq DESC LIMIT 1`,
		`DELETE FROM arrival WHERE tenant = ? AND hash = ? AND seq <= ?`,
		`SELECT tenant, hash FROM study WHERE published = 0 AND generation > 0 AND status <> 'fork'`,
		`SELECT id FROM cleanup WHERE 1 = 1 AND ready_at <= ? ORDER BY ready_at, id LIMIT 1`,
		`SELECT COUNT(*) FROM removal WHERE key = ?`,
		selectStudy + ` WHERE (? = '' OR tenant = ?) AND uid = ? LIMIT 2`,
		selectStudy + ` WHERE (? = '' OR tenant = ?) AND hash >= ? AND hash <= ? LIMIT 2`,
	} {
		args := make([]any, strings.Count(q, "?"))
		for i := range args {
			args[i] = ""
		}
		rows, err := db.w.Query(`EXPLAIN QUERY PLAN `+q, args...)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			// A scan of a partial index reads only what is open.
			if strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "study_unpublished") || strings.Contains(detail, "TEMP B-TREE") {
				t.Errorf("%s\n\tis done by %s", q, detail)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
