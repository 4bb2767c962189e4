package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// plan returns how PostgreSQL runs a statement that a session of the catalog has prepared.
func plan(t *testing.T, db *DB, q string, args ...string) string {
	t.Helper()
	ctx := t.Context()
	c, err := db.w.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = "'" + strings.ReplaceAll(a, "'", "''") + "'"
	}
	text := fmt.Sprintf("EXPLAIN (COSTS OFF) EXECUTE p(%s)", strings.Join(quoted, ", "))
	if len(args) == 0 {
		text = "EXPLAIN (COSTS OFF) EXECUTE p"
	}
	var lines []string
	for _, s := range []string{"SET enable_seqscan = off", "PREPARE p AS " + numbered(q)} {
		if _, err := c.ExecContext(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	for range 8 { // after five the server decides between plans for the values and one for all
		lines = nil
		rows, err := c.QueryContext(ctx, text)
		if err := each(rows, err, func(r *sql.Rows) error {
			var line string
			err := r.Scan(&line)
			lines = append(lines, line)
			return err
		}); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	for _, s := range []string{"DEALLOCATE p", "RESET enable_seqscan"} {
		if _, err := c.ExecContext(context.WithoutCancel(ctx), s); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(lines, "\n")
}

var partitionName = regexp.MustCompile(`\bon (?:study|holding|audit|interval_row|removal)_([0-9a-f])\b`)

// touched returns the partitions that a plan reads or writes.
func touched(plan string) []string {
	var list []string
	for _, m := range partitionName.FindAllStringSubmatch(plan, -1) {
		if !slices.Contains(list, m[1]) {
			list = append(list, m[1])
		}
	}
	return list
}

// What concerns one study, or one shard, is done in one partition; and it finds its rows by an index.
func TestPartitions(t *testing.T) {
	db := openPostgresTest(t)
	const hash = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"
	for _, c := range []struct {
		q    string
		args []string
		want string // partitions
	}{
		{selectHead, []string{"t", hash}, "a"},
		{selectHead + " FOR UPDATE", []string{"t", hash}, "a"},
		{selectStudy + whereStudy, []string{"t", hash}, "a"},
		{`UPDATE study SET want = ? WHERE tenant = ? AND hash = ?`, []string{"1", "t", "0" + hash[1:]}, "0"},
		{markAnswered(2), []string{"1", "2", "a", "ag", "t", hash, "1", "t", hash, "2"}, "a"},
		{`DELETE FROM holding WHERE tenant = ? AND hash = ?`, []string{"t", "f" + hash[1:]}, "f"},
		{`SELECT COUNT(*) FROM removal WHERE tenant = ? AND hash = ? AND key = ?`, []string{"t", hash, "k"}, "a"},
		{`SELECT manifest_key FROM audit WHERE tenant = ? AND hash = ? AND id = ?`, []string{"t", hash, "k"}, "a"},
		{selectLoose, []string{"3", "3g", "100"}, "3"},
		{selectNumbered, []string{"5", "9", "3", "3g"}, "3"},
		{`UPDATE interval_row SET until = ?, closed = 1 WHERE tenant = ? AND hash = ? AND key = ? AND closed = 0`, []string{"1", "t", hash, "k"}, "a"},
		{selectTenantPage, []string{"t", "c", "cg", "", "", "0", "500"}, "c"},     // a shard
		{selectTenantPage, []string{"t", "c7", "c7g", "", "", "0", "500"}, "c"},   // the prefix of keys, two digits
		{selectStudy + ` WHERE hash >= ? AND hash < ?`, []string{"9", "9g"}, "9"}, // a shard of all tenants
		{selectOpen, []string{"t", hash}, "a"},
		{selectJob + ` WHERE j.id = ?`, []string{"id"}, "0 1 2 3 4 5 6 7 8 9 a b c d e f"}, // the job tells which, when it is found
		{selectExpired, []string{"5", "9"}, "0 1 2 3 4 5 6 7 8 9 a b c d e f"},
	} {
		p := plan(t, db, c.q, c.args...)
		if got := strings.Join(touched(p), " "); got != c.want {
			t.Errorf("%s\n\tfor %v touches partitions %q, want %q:\n%s", c.q, c.args, got, c.want, p)
		}
		if strings.Contains(p, "Seq Scan") {
			t.Errorf("%s\n\treads a whole table:\n%s", c.q, p)
		}
	}
	for _, q := range []string{claimExpired, claimLost, claimQueued} {
		args := []string{"5", "5", "9"}
		if q == claimQueued {
			args[0] = "t"
		}
		if p := plan(t, db, q+db.d.skipLocked, args...); !strings.Contains(p, "Index") || strings.Contains(p, "Sort") || strings.Contains(p, "Seq Scan") {
			t.Errorf("%s\n\tdoes not follow an index in its order:\n%s", q, p)
		}
	}
	sorted := regexp.MustCompile(`(?m)^\s*(->\s*)?(Incremental )?Sort$`)
	for q, args := range map[string][]string{selectCheckOlder: {"2", "0", "-1", "", "", "500"}, selectCheckDue: {"2", "20000", "-1", "", "", "500"}} {
		if p := plan(t, db, q, args...); !strings.Contains(p, "Index") || sorted.MatchString(p) || strings.Contains(p, "Seq Scan") {
			t.Errorf("%s\n\tdoes not follow an index in its order:\n%s", q, p)
		}
	}
	var parts int
	if err := db.w.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_inherits WHERE inhparent::regclass::text IN ('study', 'holding', 'audit', 'interval_row', 'removal', 'access')`).Scan(&parts); err != nil || parts != 6*16 {
		t.Errorf("%d partitions, %v; want %d", parts, err, 6*16)
	}
	// Rows of any hash have a partition, also what is no hash.
	for _, hash := range []string{"", "0", "ffff", "g", "Z"} {
		if _, err := db.w.ExecContext(t.Context(), `INSERT INTO study (tenant, hash, uid, status, created, updated) VALUES ('t', $1, '', '', 0, 0)`, hash); err != nil {
			t.Errorf("hash %q: %v", hash, err)
		}
	}
}

func TestNumbered(t *testing.T) {
	for q, want := range map[string]string{
		`SELECT 1`:                        `SELECT 1`,
		`a = ? AND b = ?`:                 `a = $1 AND b = $2`,
		`a = '?' AND b = ?`:               `a = '?' AND b = $1`,
		`a = 'it''s ?' AND b = ?`:         `a = 'it''s ?' AND b = $1`,
		`"odd?" = ? -- why? 'x` + "\n, ?": `"odd?" = $1 -- why? 'x` + "\n, $2",
		`? = '' OR tenant = ?`:            `$1 = '' OR tenant = $2`,
		`a = 'open ?`:                     `a = 'open ?`,
		`a - ? -- end ?`:                  `a - $1 -- end ?`,
		`???????????`:                     `$1$2$3$4$5$6$7$8$9$10$11`,
	} {
		if got := numbered(q); got != want {
			t.Errorf("%s\n got %s\nwant %s", q, got, want)
		}
	}
}

func TestPartitioned(t *testing.T) {
	got := partitioned(statement{"CREATE TABLE x (\n  a TEXT NOT NULL,\n  hash TEXT,\n  CONTEXT BIGINT\n)", true})
	if len(got) != 17 || !strings.Contains(got[0], `a TEXT COLLATE "C" NOT NULL`) || strings.Contains(got[0], "CONTEXT COLLATE") || !strings.HasSuffix(got[0], "PARTITION BY RANGE (hash)") ||
		got[1] != "CREATE TABLE x_0 PARTITION OF x FOR VALUES FROM (MINVALUE) TO ('1')" || got[11] != "CREATE TABLE x_a PARTITION OF x FOR VALUES FROM ('a') TO ('b')" || got[16] != "CREATE TABLE x_f PARTITION OF x FOR VALUES FROM ('f') TO (MAXVALUE)" {
		t.Errorf("got %q", got)
	}
	if got := partitioned(statement{"CREATE INDEX i ON x (hash)", false}); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		version, encoding string
		ok                bool
	}{
		{"15.18 (Debian 15.18-0+deb12u1)", "UTF8", true}, {"13.0", "UTF8", true}, {"17beta1", "UTF8", true}, {"18", "UTF8", true},
		{"12.22", "UTF8", false}, {"9.6.24", "UTF8", false}, {"", "UTF8", false}, {"x", "UTF8", false},
		{"15.1", "SQL_ASCII", false}, {"15.1", "LATIN1", false}, {"15.1", "", false},
	} {
		if err := fit(c.version, c.encoding); (err == nil) != c.ok {
			t.Errorf("version %q, encoding %q: got %v, want ok %v", c.version, c.encoding, err, c.ok)
		}
	}
}
