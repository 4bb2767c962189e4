package s3

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/storetest"
	"github.com/radtier/radtier/internal/testkit/billfake"
)

// billed starts the fake in front of a server and opens a store behind it.
func billed(t *testing.T, server s3Server) (*billfake.Proxy, *Store) {
	t.Helper()
	fake := billfake.Start(t, server.Endpoint)
	server.Endpoint = fake.Endpoint
	o := bucketOn(t, server)
	o.Addressing, o.PartBytes = "path", 5<<20
	o.Classes = []Class{{Name: "STANDARD"}, {Name: "STANDARD_IA", MinDays: 30}}
	return fake, mustOpen(t, o)
}

// TestBillFakeIsTransparent: the fake changes nothing of what a store does.
func TestBillFakeIsTransparent(t *testing.T) {
	server := rgw(t)
	server.Endpoint = billfake.Start(t, server.Endpoint).Endpoint
	o := bucketOn(t, server)
	o.Addressing = "path"
	conform(t, o, storetest.Options{})
}

// TestBillFake: ninety days of puts in one and in several parts, copies into another class, reads, deletions and failures, against sums that are made beside it.
func TestBillFake(t *testing.T) {
	fake, s := billed(t, rgw(t))
	start := time.Date(2027, 1, 31, 22, 0, 0, 0, time.UTC)
	probed := map[string]int64{}
	for _, r := range fake.Bill(time.Unix(0, 0), start) {
		probed[r.Meter] += r.Quantity.Int64()
	}
	if probed["requests-put"] == 0 || probed["byte-seconds"] < 0 {
		t.Fatalf("the probe of the bucket was not counted: %v", probed)
	}
	fake.Stand(start)
	ctx, rng := t.Context(), rand.New(rand.NewPCG(5, 5))
	type object struct {
		size  int64
		class string
		from  time.Time
	}
	live, want := map[string]object{}, map[string]*big.Int{}
	add := func(class, meter string, n int64) {
		id := class + " " + meter
		if want[id] == nil {
			want[id] = &big.Int{}
		}
		want[id].Add(want[id], big.NewInt(n))
	}
	end := func(key string) {
		o := live[key]
		seconds := fake.Now().Unix() - o.from.Unix()
		add(o.class, "byte-seconds", seconds*o.size)
		add(o.class, "object-seconds", seconds)
		delete(live, key)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	keys := func() (list []string) {
		for k := range live {
			list = append(list, k)
		}
		return list
	}
	for n := range 120 {
		fake.Advance(time.Duration(rng.IntN(36)) * time.Hour)
		key := fmt.Sprintf("k/%03d", n)
		all := keys()
		switch rng.IntN(6) {
		case 0, 1: // one part
			size := rng.Int64N(200 << 10)
			_, err := s.Put(ctx, key, bytes.NewReader(make([]byte, size)), objstore.PutOptions{Size: size})
			check(err)
			live[key] = object{size, "STANDARD", fake.Now()}
			add("STANDARD", "bytes-in", size)
		case 2: // several parts, which are there only while it goes on
			if n%3 > 0 {
				continue
			}
			size := int64(11<<20) + rng.Int64N(100)
			_, err := s.Put(ctx, key, bytes.NewReader(make([]byte, size)), objstore.PutOptions{Size: size})
			check(err)
			live[key] = object{size, "STANDARD", fake.Now()}
			add("STANDARD", "bytes-in", size)
		case 3:
			if len(all) > 0 {
				from := all[rng.IntN(len(all))]
				_, err := s.Copy(ctx, from, key, "STANDARD_IA")
				check(err)
				live[key] = object{live[from].size, "STANDARD_IA", fake.Now()}
			}
		case 4:
			if len(all) > 0 {
				key := all[rng.IntN(len(all))]
				check(s.Delete(ctx, key))
				end(key)
			}
		default:
			if len(all) > 0 {
				key := all[rng.IntN(len(all))]
				r, _, err := s.Get(ctx, key, 0, min(live[key].size, 1000))
				if live[key].size == 0 {
					continue
				}
				check(err)
				_ = r.Close()
			}
		}
	}
	// What fails is counted apart and stores nothing; an upload that is given up leaves no parts behind.
	broken, cancel := context.WithCancel(ctx)
	_, err := s.Put(broken, "broken", &failing{left: 7 << 20, end: cancel}, objstore.PutOptions{Size: -1})
	if err == nil {
		t.Fatal("a put whose body fails succeeded")
	}
	fake.Advance(24 * time.Hour)
	for _, key := range keys() {
		end(key)
	}
	got := map[string]*big.Int{}
	for _, r := range fake.Bill(start, fake.Now()) {
		id := r.Class + " " + r.Meter
		if got[id] == nil {
			got[id] = &big.Int{}
		}
		got[id].Add(got[id], r.Quantity)
	}
	for id, n := range want {
		if strings.HasSuffix(id, "seconds") && (got[id] == nil || got[id].Cmp(n) != 0) {
			t.Errorf("%s: billed %v, want %v", id, got[id], n)
		}
	}
	if b := got["STANDARD bytes-in"]; b == nil || b.Cmp(want["STANDARD bytes-in"]) < 0 {
		t.Errorf("bytes in: billed %v, want at least %v", b, want["STANDARD bytes-in"])
	}
	for _, id := range []string{"STANDARD requests-put", "STANDARD_IA requests-copy", "STANDARD requests-get", "STANDARD requests-delete"} {
		if got[id] == nil {
			t.Errorf("%s: nothing is billed", id)
		}
	}
	for _, o := range fake.Objects() {
		if o.Part && o.To.IsZero() {
			t.Errorf("a part of %s is still billed", o.Key)
		}
	}
	var csv bytes.Buffer
	check(billfake.WriteCSV(&csv, fake.Bill(start, fake.Now())))
	if !strings.HasPrefix(csv.String(), "day,bucket,class,meter,quantity\n2027-0") {
		t.Errorf("the bill begins with %.80q", csv.String())
	}
}

// failing is a body that breaks off.
type failing struct {
	left int
	end  func()
}

func (f *failing) Read(b []byte) (int, error) {
	if f.left <= 0 {
		f.end()
		return 0, fmt.Errorf("the body broke off")
	}
	n := min(len(b), f.left)
	clear(b[:n])
	f.left -= n
	return n, nil
}
