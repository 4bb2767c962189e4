package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/internal/objstore/s3"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/worker"
)

// stores are the tiers of the configuration. They count the bytes that are read from them.
type stores struct {
	names  []string
	byName map[string]objstore.Store
	opened []openedStore // as names
	tiers  []config.Tier // as names
	read   atomic.Int64
}

// openedStore is a tier's store and what only its kind can do.
type openedStore struct {
	objstore.Store
	io.Closer
	clean   func(ctx context.Context, olderThan time.Duration) (int, error) // nil: nothing to clean
	uploads *s3.Store                                                       // nil: it has no uploads
}

var _ study.Stores = (*stores)(nil)

// openStores opens all tiers at once: a bucket is probed first, which takes some dozens of requests.
func openStores(ctx context.Context, list []config.Tier, mode openMode) (*stores, error) {
	s := &stores{byName: map[string]objstore.Store{}, opened: make([]openedStore, len(list)), tiers: list}
	for _, t := range list {
		s.names = append(s.names, t.Name)
	}
	if mode == openCatalog {
		return s, nil
	}
	g, gctx := errgroup.WithContext(ctx)
	for i, t := range list {
		g.Go(func() (err error) {
			if s.opened[i], err = openStore(gctx, t, mode); err != nil {
				err = fmt.Errorf("tier %s: %w; `radtier store check %s` tells more", t.Name, err, t.Name)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	for i, t := range list {
		s.byName[t.Name] = metered{s.opened[i].Store, &s.read}
	}
	return s, nil
}

func openStore(ctx context.Context, t config.Tier, mode openMode) (openedStore, error) {
	if t.Kind == "s3" {
		o := s3Options(t)
		o.ReadOnly = mode == openToRead
		o.Create = o.Create && mode == openOrMake
		b, err := s3.Open(ctx, o)
		if err != nil {
			return openedStore{}, err
		}
		return openedStore{Store: b, Closer: b, uploads: b}, nil
	}
	f, err := file.Open(t.Path, file.Options{Classes: t.Classes})
	if err != nil {
		return openedStore{}, err
	}
	return openedStore{Store: f, Closer: f, clean: func(ctx context.Context, olderThan time.Duration) (int, error) {
		c, err := f.Clean(ctx, olderThan)
		return c.Temps, err
	}}, nil
}

// s3Options is a tier of kind s3 as its store wants it.
func s3Options(t config.Tier) s3.Options {
	o := bucketOptions(t.S3)
	for _, c := range t.Classes {
		o.Classes = append(o.Classes, s3.Class{Name: c.Name, Archive: c.Archive, MinDays: c.MinDays})
	}
	return o
}

func bucketOptions(b config.S3) s3.Options {
	return s3.Options{Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Bucket, Prefix: b.Prefix, Addressing: b.Addressing,
		AccessKey: b.AccessKey.Reveal(), SecretKey: b.SecretKey.Reveal(), SessionToken: b.SessionToken.Reveal(), AWSProfile: b.Profile, CAFile: b.CAFile,
		Checksums: b.Checksums, PartBytes: b.PartSize, Concurrency: b.Concurrency, Attempts: b.Attempts, Create: b.Create}
}

// quarantineBucket names the hot tier as a source: files in quarantine are tried again from there. No bucket of a server can be called so.
const quarantineBucket = "@hot"

// newSources are the buckets that studies may come from. One without an entry is reached with the SDK's own environment.
func (a *app) newSources() *worker.Sources {
	return worker.NewSources(func(ctx context.Context, bucket string) (worker.Bucket, error) {
		if bucket == quarantineBucket {
			return worker.BucketOfStore(a.stores.Hot()), nil
		}
		b := config.S3{Bucket: bucket}
		for _, s := range a.cfg.Sources {
			if s.Bucket == bucket {
				b = s.S3
			}
		}
		src, err := s3.OpenSource(ctx, bucketOptions(b))
		if err != nil {
			return nil, err
		}
		return worker.BucketOf(src, s3.ErrChanged), nil
	})
}

// Hot implements study.Stores: the first tier.
func (s *stores) Hot() objstore.Store { return s.byName[s.names[0]] }

// Tier implements study.Stores.
func (s *stores) Tier(name string) (objstore.Store, error) {
	if store, ok := s.byName[name]; ok {
		return store, nil
	}
	return nil, fmt.Errorf("a study lies in tier %q, which the configuration does not have: add it to `tiers`", name)
}

// place is where a tier's objects lie: tiers of one place differ in their class.
func place(t config.Tier) string {
	if t.Kind == "s3" {
		return strings.Join([]string{"s3", t.S3.Endpoint, t.S3.Bucket, t.S3.Prefix}, "\x00")
	}
	return "file\x00" + t.Path
}

// Shared implements lifecycle.Places.
func (s *stores) Shared(from, to string) (shared bool, class objstore.Class) {
	i, k := slices.Index(s.names, from), slices.Index(s.names, to)
	if i < 0 || k < 0 {
		return false, ""
	}
	if class = s.tiers[k].Class; class != "" {
		return place(s.tiers[i]) == place(s.tiers[k]), class
	}
	if c := s.tiers[k].Classes; len(c) > 0 {
		class = c[0].Name
	}
	return place(s.tiers[i]) == place(s.tiers[k]), class
}

// restores is how long restores of a class take: as the configuration says of directories; of buckets as their providers state.
func (s *stores) restores(class objstore.Class) (r lifecycle.Retrieval) {
	for _, t := range s.tiers {
		for _, c := range t.Classes {
			if t.Kind == "file" && c.Name == class && c.Archive {
				r.Standard = max(r.Standard, c.RestoreDelay, 1)
			}
		}
	}
	return r
}

func (s *stores) Close() error {
	var errs []error
	for _, o := range s.opened {
		if o.Closer != nil {
			errs = append(errs, o.Closer.Close())
		}
	}
	return errors.Join(errs...)
}

// metered counts the bytes read from a store.
type metered struct {
	objstore.Store
	read *atomic.Int64
}

func (m metered) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objstore.Info, error) {
	r, info, err := m.Store.Get(ctx, key, offset, length)
	if err != nil {
		return nil, info, err
	}
	return &meteredBody{r, m.read}, info, nil
}

type meteredBody struct {
	io.ReadCloser
	read *atomic.Int64
}

func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	return n, err
}
