package worker_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/internal/testkit/synth"
	"github.com/radtier/radtier/worker"
)

// An ingest service queues what it finds in a directory. A worker process that
// shares the catalog stores it.
func ExampleClient() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "radtier-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	mr := synth.MR(synth.Options{Seed: 1, Scale: 0.1})
	if _, _, err := mr.WriteTo(filepath.Join(dir, "inbox")); err != nil {
		log.Fatal(err)
	}
	store, err := file.Open(filepath.Join(dir, "objects"), file.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	db, err := catalog.Open(ctx, catalog.Config{DSN: filepath.Join(dir, "catalog.db")})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	found, err := worker.Discover(ctx, []string{filepath.Join(dir, "inbox")}, nil)
	if err != nil {
		log.Fatal(err)
	}
	client := worker.Client{DB: db, Store: store}
	for range 2 { // queueing again is no new work
		jobs, err := client.Enqueue(ctx, found, filepath.Join(dir, "inbox"), worker.EnqueueOptions{Tenant: "hospital-a"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d study with %d instances: job %s\n", len(jobs), len(found.Studies[0].Files), jobs[0].State)
	}
	// Output:
	// 1 study with 6 instances: job queued
	// 1 study with 6 instances: job queued
}
