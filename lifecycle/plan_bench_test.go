package lifecycle_test

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// benchStudies is how many studies the benchmarks plan over: RADTIER_STUDIES.
func benchStudies() int {
	if n, err := strconv.Atoi(os.Getenv("RADTIER_STUDIES")); err == nil {
		return n
	}
	return 2000
}

// onBoth runs a benchmark on an empty catalog of each kind.
func onBoth(b *testing.B, run func(b *testing.B, cfg catalog.Config)) {
	b.Run("sqlite", func(b *testing.B) {
		run(b, catalog.Config{Driver: "sqlite", DSN: filepath.Join(b.TempDir(), "catalog.db")})
	})
	b.Run("postgres", func(b *testing.B) {
		admin := os.Getenv("RADTIER_TEST_POSTGRES")
		if admin == "" {
			b.Skip("no PostgreSQL server: set RADTIER_TEST_POSTGRES, or run ./scripts/test")
		}
		u, err := url.Parse(admin)
		if err != nil {
			b.Fatal(err)
		}
		server, err := sql.Open("pgx", admin)
		if err != nil {
			b.Fatal(err)
		}
		name := "radtier_" + strings.ToLower(rand.Text()[:12])
		for _, q := range []string{"CREATE DATABASE " + name} {
			if _, err := server.Exec(q); err != nil {
				b.Fatal(err)
			}
		}
		b.Cleanup(func() {
			if _, err := server.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
				b.Error(err)
			}
			server.Close()
		})
		u.Path = "/" + name
		run(b, catalog.Config{Driver: "postgres", DSN: u.String()})
	})
}

// BenchmarkPlan plans over all studies, of which one in a hundred is to be moved and the others are looked at again on a later day; then over the next
// 1,000 that are due, with all others blocked, before and after another policy makes every study due.
func BenchmarkPlan(b *testing.B) {
	p, err := policy.Load("policy.yaml", []byte(warmPolicy))
	if err != nil {
		b.Fatal(err)
	}
	other, err := policy.Load("policy.yaml", []byte(warmPolicy+"# edited\n"))
	if err != nil {
		b.Fatal(err)
	}
	last := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := last.AddDate(0, 0, 40)
	open := func(b *testing.B, cfg catalog.Config, f catalogtest.Filled) (*catalog.DB, func(lifecycle.PlanOptions) *lifecycle.Plan) {
		db, err := catalog.Open(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { db.Close() })
		if f.Epoch != 0 {
			if f.Epoch, err = db.PutInForce(b.Context(), p.Digest, p.Name); err != nil {
				b.Fatal(err)
			}
		}
		if err := catalogtest.Fill(b.Context(), cfg, f); err != nil {
			b.Fatal(err)
		}
		store, err := file.Open(b.TempDir(), file.Options{})
		if err != nil {
			b.Fatal(err)
		}
		return db, func(o lifecycle.PlanOptions) *lifecycle.Plan {
			o.Hot, o.Now = "hot", now
			plan, _, err := lifecycle.MakePlan(b.Context(), db, store, o)
			if err != nil {
				b.Fatal(err)
			}
			return plan
		}
	}
	size := func(b *testing.B, db *catalog.DB) {
		h, err := db.Health(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(h.Bytes)/float64(benchStudies()), "bytes/study")
	}
	b.Run("all", func(b *testing.B) {
		onBoth(b, func(b *testing.B, cfg catalog.Config) {
			db, plan := open(b, cfg, catalogtest.Filled{Count: benchStudies(), Last: last})
			for b.Loop() {
				if got := plan(lifecycle.PlanOptions{Policy: p, Rehearse: b.N > 1}); got.Studies != int64(benchStudies()) || got.Lines != int64(benchStudies()+99)/100 {
					b.Fatalf("planned %d studies, %d lines", got.Studies, got.Lines)
				}
			}
			var u syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err == nil {
				b.ReportMetric(float64(u.Maxrss)/1024, "MB-peak")
			}
			size(b, db)
		})
	})
	b.Run("next1000", func(b *testing.B) {
		onBoth(b, func(b *testing.B, cfg catalog.Config) {
			db, plan := open(b, cfg, catalogtest.Filled{Count: benchStudies(), Epoch: 1, Day: int64(policy.DayOf(now, p.Zone)), Last: last})
			most := min(int64(1000), int64(benchStudies()+99)/100)
			b.Run("before", func(b *testing.B) {
				for b.Loop() {
					if got := plan(lifecycle.PlanOptions{Policy: p, Limit: 1000}); got.Studies != most || got.Lines != most {
						b.Fatalf("planned %d studies, %d lines, want %d", got.Studies, got.Lines, most)
					}
				}
				size(b, db)
			})
			b.Run("edited", func(b *testing.B) {
				for b.Loop() {
					if got := plan(lifecycle.PlanOptions{Policy: other, Limit: 1000}); got.Studies == 0 {
						b.Fatal("after an edit to every rule nothing is due")
					}
				}
			})
		})
	})
}
