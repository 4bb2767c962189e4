package catalog

import (
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/objstore/mem"
)

// onBoth runs a benchmark on both databases.
func onBoth(b *testing.B, f func(b *testing.B, db *DB)) {
	b.Run("sqlite", func(b *testing.B) {
		db, err := Open(b.Context(), Config{DSN: filepath.Join(b.TempDir(), "catalog.db")})
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		f(b, db)
	})
	b.Run("postgres", func(b *testing.B) { f(b, openPostgresTest(b)) })
}

func benchArrival(n int64) Arrival {
	files := make([]SourceFile, 600)
	for i := range files {
		files[i] = SourceFile{Path: fmt.Sprintf("/in/series/%06d.dcm", i), Size: 524288 + int64(i), ModTime: testTime, SeriesUID: "1.2.826.0.1.3680043.2.1125.1", SOPUID: fmt.Sprint("1.2.826.0.1.3680043.2.1125.1.", i)}
	}
	return Arrival{StudyKey: StudyKey{fmt.Sprint("t", n%20), strconv.FormatInt(n, 10)}, Files: files, Complete: true}
}

// parallel runs f with 1 and with 8 callers at once.
func parallel(b *testing.B, f func(n int64) error) {
	var n atomic.Int64
	for _, callers := range []int{1, 8} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			b.SetParallelism(callers) // times GOMAXPROCS, which is 1 for the serial run only if the test is run so
			if callers == 1 {
				for b.Loop() {
					if err := f(n.Add(1)); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := f(n.Add(1)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkEnqueue queues new studies of 600 files each.
func BenchmarkEnqueue(b *testing.B) {
	onBoth(b, func(b *testing.B, db *DB) {
		parallel(b, func(n int64) error {
			_, err := db.Enqueue(b.Context(), benchArrival(n), 0)
			return err
		})
	})
}

// BenchmarkStudy is all that the catalog does for one study of one file: queue, own, commit over a store in memory.
func BenchmarkStudy(b *testing.B) {
	onBoth(b, func(b *testing.B, db *DB) {
		store, err := mem.New(mem.Options{})
		if err != nil {
			b.Fatal(err)
		}
		parallel(b, func(n int64) error {
			a := benchArrival(n)
			a.Files = a.Files[:1]
			job, err := db.Enqueue(b.Context(), a, 0)
			if err == nil {
				job, err = db.Own(b.Context(), job.ID, "w", time.Minute)
			}
			if err == nil {
				_, err = Commit(b.Context(), db, store, CommitInput{Job: job.ID, Attempt: job.Attempt, Token: job.Token, Key: job.StudyKey, Owner: "w", Action: "derive", Done: job.Want,
					Change: func(*Manifest) (*Manifest, error) { return &Manifest{Status: StatusStored}, nil }})
			}
			return err
		})
	})
}

// fillQueue queues 200,000 jobs of 20 tenants, half of them not ready.
func fillQueue(b *testing.B, db *DB) {
	b.Helper()
	const jobs, part = 200_000, 500
	for begin := 0; begin < jobs; begin += part {
		if err := db.change(b.Context(), func(tx conn) error {
			now := db.now()
			if begin == 0 {
				for i := range 20 {
					if err := tx.exec(b.Context(), `INSERT INTO tenant (name, created) VALUES (?, 0)`, fmt.Sprint("t", i)); err != nil {
						return err
					}
				}
			}
			var studies, queued []any
			for i := begin; i < begin+part; i++ {
				k := StudyKey{fmt.Sprint("t", i%20), fmt.Sprint(i)}
				studies = append(studies, k.Tenant, k.Hash(), k.UID)
				queued = append(queued, newID(now), k.Tenant, k.Hash(), toMS(now.Add(time.Duration(i-jobs/2)*time.Second)))
			}
			if err := tx.exec(b.Context(), `INSERT INTO study (tenant, hash, uid, status, created, updated) VALUES `+tuples(part, `(?, ?, ?, 'new', 0, 0)`), studies...); err != nil {
				return err
			}
			return tx.exec(b.Context(), `INSERT INTO job (id, kind, tenant, hash, state, ready_at, created, updated) VALUES `+tuples(part, `(?, 'derive', ?, ?, 'queued', ?, 0, 0)`), queued...)
		}); err != nil {
			b.Fatal(err)
		}
	}
	if db.d.name == "postgres" {
		if _, err := db.w.ExecContext(b.Context(), `ANALYZE`); err != nil {
			b.Fatal(err)
		}
	}
}

func tuples(n int, tuple string) string {
	text := tuple
	for range n - 1 {
		text += ", " + tuple
	}
	return text
}

// BenchmarkDue asks for 1,000 jobs of 200,000 that are queued, by 20 tenants, half of them not ready.
func BenchmarkDue(b *testing.B) {
	onBoth(b, func(b *testing.B, db *DB) {
		fillQueue(b, db)
		for b.Loop() {
			if list, err := db.Due(b.Context(), 1000); err != nil || len(list) != 1000 {
				b.Fatal(len(list), err)
			}
		}
	})
}

// BenchmarkClaim claims 500 jobs of the same queue at a time; when all are claimed, their hold is over.
func BenchmarkClaim(b *testing.B) {
	onBoth(b, func(b *testing.B, db *DB) {
		fillQueue(b, db)
		real := db.clock
		var moved time.Duration
		db.clock = func() time.Time { return real().Add(moved) }
		left := 100_000
		for b.Loop() {
			if left < 1000 {
				moved += 2 * time.Hour
				left = 100_000
			}
			list, err := db.Claim(b.Context(), 500, time.Hour)
			if left -= len(list); err != nil || len(list) != 500 {
				b.Fatal(len(list), err)
			}
		}
		b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "jobs/s")
	})
}
