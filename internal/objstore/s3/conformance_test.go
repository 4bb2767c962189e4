package s3

import (
	"testing"
	"time"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/storetest"
	"github.com/radtier/radtier/internal/testkit/archivefake"
	"github.com/radtier/radtier/internal/testkit/ossfake"
)

// heapLimit is what a put in parts of 5 MiB may take, two in flight, and as much again for what is not collected yet.
const heapLimit = 2 * 4 * minPartBytes

func conform(t *testing.T, o Options, opts storetest.Options) {
	o.PartBytes, o.Concurrency = minPartBytes, 2
	o.test.pageKeys = 7 // every listing has pages
	opts.Reopen = func(t *testing.T, s objstore.Store) objstore.Store {
		again := o
		again.Create = false
		return mustOpen(t, again)
	}
	opts.BigBytes = 24 << 20
	if opts.MaxHeapBytes == 0 {
		opts.MaxHeapBytes = heapLimit
	}
	store := mustOpen(t, o)
	storetest.Run(t, func(*testing.T) objstore.Store { return store }, opts)
	leaks(t, store)
}

// leaks fails the test if uploads were left unfinished.
func leaks(t *testing.T, s *Store) {
	t.Helper()
	for u, err := range s.Uploads(t.Context(), s.o.Now().AddDate(1, 0, 0)) {
		t.Errorf("an unfinished upload is left: %+v, %v", u, err)
	}
}

func TestConformance(t *testing.T) {
	t.Run("RGW", func(t *testing.T) {
		o := bucketOn(t, rgw(t))
		o.Prefix = "some/prefix/"
		conform(t, o, storetest.Options{})
	})
	t.Run("Versitygw", func(t *testing.T) { conform(t, bucketOn(t, versitygw(t)), storetest.Options{}) })
	t.Run("Archive", func(t *testing.T) { // a real server behind a fake that has RestoreObject
		server := rgw(t)
		fake := archivefake.Start(t, server.Endpoint, archivefake.Options{"GLACIER": {"Standard": time.Hour}})
		server.Endpoint = fake.Endpoint
		o := bucketOn(t, server)
		o.Addressing, o.Now = "path", fake.Now
		o.Classes = []Class{{Name: "STANDARD"}, {Name: "STANDARD_IA", MinDays: 30}, {Name: "GLACIER", Archive: true, MinDays: 90}}
		conform(t, o, storetest.Options{ArchiveClass: "GLACIER", RestoreDelay: time.Hour, Advance: fake.Advance})
	})
	for name, like := range map[string]ossfake.Options{"LikeOSS": {}, "LikeOSSByPath": {PathStyle: true, S3ETags: true, HonourDays: true}} {
		t.Run(name, func(t *testing.T) {
			like.RestoreDelay = time.Hour
			server := ossfake.Start(t, like)
			o := bucketOn(t, s3Server{server.Endpoint, ossfake.AccessKey, ossfake.SecretKey, ossfake.Region})
			o.test.dial, o.Now = server.Dial, server.Now
			o.Classes = []Class{{Name: "STANDARD"}, {Name: "STANDARD_IA", MinDays: 30}, {Name: "GLACIER", Archive: true, MinDays: 60}}
			conform(t, o, storetest.Options{ArchiveClass: "GLACIER", RestoreDelay: time.Hour, Advance: server.Advance, MaxHeapBytes: -1}) // the fake keeps objects in this process
		})
	}
}
