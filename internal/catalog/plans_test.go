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
		selectExpired, claimExpired, claimLost, claimQueued, selectEvent, pruneJobs, pruneEvents,
		`SELECT MIN(tenant) FROM job WHERE state = 'queued' AND claimed_until = 0 AND tenant > ?`,
		`SELECT manifest_key FROM audit WHERE tenant = ? AND hash = ? AND id = ?`,
		`UPDATE interval_row SET until = ?, closed = 1 WHERE tenant = ? AND hash = ? AND key = ? AND closed = 0`,
		`SELECT MIN(tenant) FROM job WHERE state = 'queued' AND tenant > ?`,
		`UPDATE job SET state = 'done', updated = ? WHERE tenant = ? AND hash = ? AND side = 0 AND state = 'failed'`,
		`SELECT COUNT(*) FROM arrival WHERE tenant = ? AND hash = ? AND digest = ?`,
		`SELECT ready_at FROM arrival WHERE tenant = ? AND hash = ? ORDER BY seq DESC LIMIT 1`,
		`DELETE FROM arrival WHERE tenant = ? AND hash = ? AND seq <= ?`,
		`SELECT tenant, hash FROM study WHERE published = 0 AND generation > 0 AND status <> 'fork'`,
		`SELECT id FROM cleanup WHERE 1 = 1 AND ready_at <= ? ORDER BY ready_at, id LIMIT 1`,
		`SELECT COUNT(*) FROM removal WHERE tenant = ? AND hash = ? AND key = ?`,
		selectReview, selectReviewState, selectHeld, selectCheckOlder, selectCheckDue, selectSide, markAnswered(3), selectLoose, selectNumbered, selectAuditOf, `SELECT COUNT(*) FROM audit WHERE number = 0 AND hash >= ? AND hash < ?`, selectCheck + ` AND tenant = ? AND hash = ?`,
		`SELECT hash, evidence FROM citation WHERE tenant = ? AND citing = ? AND evidence <> ''`,
		`SELECT uid, generation, evidence FROM citation WHERE tenant = ? AND hash = ? AND evidence <> '' ORDER BY citing`,
		`DELETE FROM citation WHERE tenant = ? AND citing = ? AND evidence = '' AND seen = ''`,
		`SELECT citing FROM citation WHERE tenant = ? AND hash = ? AND evidence <> '' AND evidence <> seen ORDER BY citing`,
		selectStudy + ` WHERE uid = ? LIMIT 2`, selectStudy + whereStudy,
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
			if (q == selectReview) != strings.Contains(detail, "study_review") || (q == selectHeld) != strings.Contains(detail, "study_held") || (q == selectCheckOlder || q == selectCheckDue) != strings.Contains(detail, "study_due (") {
				t.Errorf("%s\n\tis done by %s", q, detail)
			}
			// A scan of a partial index reads only what is open.
			if strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "study_unpublished") && !strings.Contains(detail, "outbox_open") && !strings.Contains(detail, "CONSTANT ROWS") || strings.Contains(detail, "TEMP B-TREE") {
				t.Errorf("%s\n\tis done by %s", q, detail)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
