package catalog

import (
	"fmt"
	"path/filepath"
	"testing"
)

// addStudies puts rows of studies into a catalog, as many as a benchmark wants: one manifest each, of which only the row is there.
func addStudies(tb testing.TB, db *DB, from, to int, epoch func(n int) (epoch, day int64)) {
	tb.Helper()
	for from < to {
		end := min(from+5000, to)
		if err := db.change(tb.Context(), func(tx conn) error {
			for n := from; n < end; n++ {
				k := StudyKey{"north", fmt.Sprintf("1.2.840.113619.2.55.3.604688119.971.%d.%d", n, n*7919%100000)}
				e, d := epoch(n)
				facts := fmt.Sprintf(`{"d":"2026%02d%02d","m":["CT"],"b":["CHEST"],"o":"Radiology","a":"adult","l":%d,"x":[{"c":"full","t":"hot","b":%d,"n":2,"s":%d},{"c":"preview","t":"hot","b":%d,"n":1,"s":%d}]}`,
					n%12+1, n%28+1, 1767225600000+int64(n)*1000, 100<<20+n, 1767225600000+int64(n)*1000, 3<<20+n, 1767225600000+int64(n)*1000)
				if err := tx.exec(tb.Context(), `INSERT INTO study (tenant, hash, uid, head_key, head_sha256, generation, published, want, done, status, instances, frames, series, raw_bytes, stored_bytes, created, updated, facts, check_epoch, check_day)
					VALUES (?, ?, ?, ?, ?, 1, 1, 1, 1, 'stored', 300, 300, 3, ?, ?, ?, ?, ?, ?, ?)`,
					k.Tenant, k.Hash(), k.UID, ManifestKey(k, 1, "01M7ZK3V5Q8R2T4W6Y9B1D3F5H", 1), digest([]byte(k.UID)), 200<<20, 100<<20, 1767225600000, 1767225600000, facts, e, d); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			tb.Fatal(err)
		}
		from = end
	}
}

// TestCheckPages: over many pages each study is looked at once, also while they are answered for.
func TestCheckPages(t *testing.T) {
	db, err := Open(t.Context(), Config{DSN: filepath.Join(t.TempDir(), "catalog.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const count = 2*pageRows + 137
	addStudies(t, db, 0, count, func(n int) (int64, int64) { return int64(n % 3), int64(n % 5) })
	for _, c := range []struct {
		epoch, day int64
		want       int
	}{{2, 10, count}, {2, 10, 0}, {2, 20, 0}, {2, 21, count}, {3, 0, count}} {
		seen := map[string]bool{}
		if err := db.CheckDue(t.Context(), c.epoch, c.day, 0, func(page []Checkable) (map[int]int64, error) {
			answered := map[int]int64{}
			for i := range page {
				if seen[page[i].UID] {
					t.Fatalf("study %s is looked at twice", page[i].UID)
				}
				if seen[page[i].UID] = true; page[i].Brief == nil || page[i].Brief.Modalities[0] != "CT" {
					t.Fatalf("the row says %+v", page[i])
				}
				answered[i] = c.day + 11
			}
			return answered, nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(seen) != c.want {
			t.Errorf("epoch %d, day %d: %d studies are due, want %d", c.epoch, c.day, len(seen), c.want)
		}
	}
}
