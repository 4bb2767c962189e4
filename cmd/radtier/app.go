package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"

	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/worker"
)

// program is what all commands share.
type program struct {
	process
	flags struct{ config, data string }
	bar   atomic.Pointer[progress] // what is shown while working

	rebuilt func(studies int) // tests: called while a rebuild gets on
}

// load reads the configuration. It touches nothing else.
func (p *program) load() (*config.Config, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return config.Load(config.Sources{File: p.flags.config, Data: p.flags.data, Env: p.env, Environ: p.environ, Dir: dir})
}

// app is the running program: configuration and everything that was opened from it.
type app struct {
	*program
	cfg     *config.Config
	log     *slog.Logger
	stores  *stores
	sources *worker.Sources
	db      *catalog.DB
	set     *codecs.Set
}

// openMode says what may be made by opening.
type openMode int

const (
	openExisting openMode = iota // an installation must be there
	openToRead                   // the same for commands that only read objects: buckets are not probed
	openCatalog                  // the same for commands that do not look into stores: these are not opened
	openOrMake                   // for commands that bring something
)

// memoryAllowance is what the process takes beyond the byte budget: code, indexes, SQLite, buffers of the runtime.
const memoryAllowance = 110 << 20

// open builds every part once, in order, from the configuration. Close ends them.
func (p *program) open(ctx context.Context, mode openMode) (*app, error) {
	cfg, err := p.load()
	if err != nil {
		return nil, err
	}
	return p.openWith(ctx, cfg, mode, slog.LevelWarn)
}

// openWith opens a configuration. quiet is the level of the log while log.level is not set.
func (p *program) openWith(ctx context.Context, cfg *config.Config, mode openMode, quiet slog.Level) (*app, error) {
	if mode != openOrMake && cfg.Catalog.Driver == "sqlite" { // a database server tells by itself what is not there
		if _, err := os.Stat(cfg.Catalog.Path); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("no catalog at %s: `radtier ingest` makes one, `radtier rebuild` makes it anew from the objects; --data names another data directory", cfg.Catalog.Path)
		}
	}
	debug.SetMemoryLimit(cfg.Worker.Memory + memoryAllowance)
	if err := useDirectories(cfg); err != nil {
		return nil, err
	}
	a := &app{program: p, cfg: cfg, log: newLog(cfg, logWriter{p}, quiet), set: all.Set()}
	a.sources = a.newSources()
	var err error
	if a.stores, err = openStores(ctx, cfg.Tiers, mode); err != nil {
		return nil, err
	}
	if a.db, err = catalog.Open(ctx, catalogConfig(cfg)); err != nil {
		return nil, errors.Join(err, a.stores.Close())
	}
	return a, nil
}

// useDirectories makes the directories of this machine.
func useDirectories(cfg *config.Config) error {
	if cfg.Worker.Temp != "" {
		if err := os.MkdirAll(cfg.Worker.Temp, 0o700); err != nil {
			return fmt.Errorf("worker.temp: %w", err)
		}
		if err := os.Setenv("TMPDIR", cfg.Worker.Temp); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(cfg.Data, 0o750); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return nil
}

func catalogConfig(cfg *config.Config) catalog.Config {
	if cfg.Catalog.Driver == "postgres" {
		return catalog.Config{Driver: "postgres", DSN: cfg.Catalog.DSN.Reveal()}
	}
	return catalog.Config{Driver: cfg.Catalog.Driver, DSN: cfg.Catalog.Path}
}

// Close closes what open opened.
func (a *app) Close() error { return errors.Join(a.db.Close(), a.stores.Close()) }

func newLog(cfg *config.Config, w io.Writer, quiet slog.Level) *slog.Logger {
	level := quiet
	if cfg.Origin("log.level") != "default" {
		level = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}[cfg.Log.Level]
	}
	opts := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// find looks a study up by UID, by the beginning of its hash, or by the unique end of its UID.
func (a *app) find(ctx context.Context, tenant, name string) (catalog.Study, error) {
	s, err := a.db.FindStudy(ctx, tenant, name)
	if !errors.Is(err, catalog.ErrNoStudy) || len(name) < minSuffix {
		return s, describe(name, err)
	}
	var found []catalog.Study
	for s, err := range a.db.Studies(ctx, catalog.Filter{Tenant: tenant}) {
		if err != nil {
			return s, err
		}
		if hasSuffix(s.UID, name) {
			if found = append(found, s); len(found) > 1 {
				return s, describe(name, catalog.ErrAmbiguous)
			}
		}
	}
	if len(found) == 0 {
		return s, describe(name, err)
	}
	return found[0], nil
}

// minSuffix is the shortest end of a UID that names a study.
const minSuffix = 4

func hasSuffix(uid, end string) bool {
	return len(uid) >= len(end) && uid[len(uid)-len(end):] == end
}

func describe(name string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, catalog.ErrNoStudy) {
		return fmt.Errorf("%w; `radtier studies` lists what there is", err)
	}
	return fmt.Errorf("study %q: %w", name, err)
}

// openStudy opens the head generation of a study for reading.
func (a *app) openStudy(ctx context.Context, s catalog.Study) (*study.Study, error) {
	m, err := catalog.LoadHead(ctx, a.db, a.stores.Hot(), s.StudyKey)
	if errors.Is(err, catalog.ErrNoStudy) {
		return nil, fmt.Errorf("study %q is queued and not stored yet: `radtier worker --once` stores what is queued", s.UID)
	}
	if err != nil {
		return nil, err
	}
	return study.Open(ctx, a.stores, m, a.set)
}

// openShown opens the head generation of a study for somebody who wants to see it: what is in the trash or ordered to be erased is not there.
func (a *app) openShown(ctx context.Context, s catalog.Study) (*study.Study, error) {
	all, err := a.openStudy(ctx, s)
	if err != nil || len(all.Manifest.Trash) == 0 && all.Manifest.Erase == nil {
		return all, err
	}
	return study.OpenShown(ctx, a.stores, all.Manifest, a.set)
}

// lockPath is the lock of the one worker process that an embedded queue allows.
func lockPath(cfg *config.Config) string { return filepath.Join(cfg.Data, "worker.lock") }
