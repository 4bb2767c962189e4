package file

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/storetest"
)

// BenchmarkPut stores objects of 300 kB, each durable before the next one of its writer.
func BenchmarkPut(b *testing.B) {
	const size = 300_000
	data := storetest.PatternBytes(1, size)
	for _, v := range variants {
		for _, writers := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/writers=%d", v.name, writers), func(b *testing.B) {
				s := openAtRoot(b, b.TempDir(), v.opts)
				b.SetBytes(size)
				b.ReportAllocs()
				var next atomic.Int64
				var all sync.WaitGroup
				for range writers {
					all.Go(func() {
						for {
							i := next.Add(1)
							if i > int64(b.N) {
								return
							}
							key := fmt.Sprintf("t/kn/s/%02x/%d/p/pack.zip", i%64, i%640*1000+i/640)
							if _, err := s.Put(b.Context(), key, bytes.NewReader(data), objstore.PutOptions{Size: size}); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
			})
		}
	}
}

// BenchmarkWriteSync is the floor of BenchmarkPut with one writer: the same bytes written and synced, without a name.
func BenchmarkWriteSync(b *testing.B) {
	data := storetest.PatternBytes(1, 300_000)
	s := openAtRoot(b, b.TempDir(), Options{})
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		tmp, err := s.newTemp(0)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := tmp.f.Write(data); err != nil {
			b.Fatal(err)
		}
		if err := tmp.f.Sync(); err != nil {
			b.Fatal(err)
		}
		tmp.discard()
	}
}

// BenchmarkGetRange reads one frame's worth from the middle of an object.
func BenchmarkGetRange(b *testing.B) {
	s := openAtRoot(b, b.TempDir(), Options{})
	if _, err := s.Put(b.Context(), "t/kn/s/00/x/p/pack.zip", storetest.Pattern(1, 8<<20), objstore.PutOptions{Size: 8 << 20}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(200_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := objstore.ReadRange(b.Context(), s, "t/kn/s/00/x/p/pack.zip", 3<<20, 200_000); err != nil {
			b.Fatal(err)
		}
	}
}
