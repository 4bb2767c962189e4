package file

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/storetest"
	"github.com/radtier/radtier/internal/objstore/tiers"
)

var threeTiers = tiers.Classes{{Name: "HOT"}, {Name: "COOL", MinDays: 30}, {Name: "DEEP", MinDays: 180, Archive: true, RestoreDelay: 12 * time.Hour}}

// variants are the ways a file system can be; each keeps the whole contract.
var variants = []struct {
	name string
	opts Options
}{
	{"OneClass", Options{}},
	{"Tiers", Options{Classes: threeTiers}},
	{"NoNamelessFiles", Options{noNameless: true}},
	{"NoAttributes", Options{Classes: threeTiers, noAttributes: true}},
	{"NeitherNamelessNorAttributes", Options{Classes: threeTiers, noNameless: true, noAttributes: true}},
}

func TestConformance(t *testing.T) {
	for i, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			opts := v.opts
			suite := storetest.Options{}
			if i > 0 { // the big object takes the same way in all of them
				suite.BigBytes = 8 << 20
			}
			if opts.Classes != nil {
				var moved atomic.Int64
				opts.Clock = func() time.Time {
					return time.Date(2030, 1, 1, 0, 0, 0, 123456789, time.UTC).Add(time.Duration(moved.Load()))
				}
				suite.ArchiveClass, suite.RestoreDelay = "DEEP", 12*time.Hour
				suite.Advance = func(d time.Duration) { moved.Add(int64(d)) }
			}
			var root string
			open := func(t *testing.T) objstore.Store {
				root = t.TempDir()
				return openAtRoot(t, root, opts)
			}
			suite.Reopen = func(t *testing.T, s objstore.Store) objstore.Store {
				if err := s.(*Store).Close(); err != nil {
					t.Fatalf("close: %v", err)
				}
				return openAtRoot(t, root, opts)
			}
			storetest.Run(t, open, suite)
		})
	}
}

func openAtRoot(t testing.TB, root string, opts Options) *Store {
	t.Helper()
	s, err := Open(root, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a second close of a reopened store fails, harmlessly
	return s
}
