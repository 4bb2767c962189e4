package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// The hash is part of every key ever written: it must never change. Wanted values are from sha256sum.
func TestStudyHashIsFixed(t *testing.T) {
	for _, c := range []struct {
		k    StudyKey
		want string
	}{
		{StudyKey{"north", "1.2.3"}, "fe26e49a7638d1f158bfe915570427e3860bfd53"},
		{StudyKey{"north", "\xc4\xe3\x00"}, "dd4c90d3c30069bd1a2059a556261142223a5e72"},
	} {
		if got := c.k.Hash(); got != c.want {
			t.Errorf("hash of %q is %s, want %s", c.k, got, c.want)
		}
	}
	if CheckTenant("a\x00b") == nil {
		t.Error("a tenant may hold a NUL: two keys would have one hash")
	}
}

func TestKeysParse(t *testing.T) {
	k := StudyKey{"north.1-a_b", "1.2.3"}
	for _, c := range []struct {
		key  string
		want ObjectKey
	}{
		{ManifestKey(k, 7, "JOB1", 12), ObjectKey{Kind: KindManifest, Generation: 7, Job: "JOB1", Attempt: 12}},
		{PublishedKey(ManifestKey(k, 9999999999, "JOB1", 1)), ObjectKey{Kind: KindPublished, Generation: 9999999999, Job: "JOB1", Attempt: 1}},
		{PackKey(k, "JOB1", 2, 3), ObjectKey{Kind: KindPack, Job: "JOB1", Attempt: 2}},
		{PackKey(k, "JOB1", 2, 1234), ObjectKey{Kind: KindPack, Job: "JOB1", Attempt: 2}},
		{HotKey(k, "JOB1", 2), ObjectKey{Kind: KindHot, Job: "JOB1", Attempt: 2}},
		{PictureKey(k, "JOB1", 2), ObjectKey{Kind: KindPicture, Job: "JOB1", Attempt: 2}},
		{RecordKey(k, "JOB1", 2), ObjectKey{Kind: KindRecord, Job: "JOB1", Attempt: 2}},
		{AnnotationKey(k, "JOB1", 2, 3), ObjectKey{Kind: KindAnnotation, Job: "JOB1", Attempt: 2}},
	} {
		c.want.Tenant, c.want.Hash = k.Tenant, k.Hash()
		if err := objstore.CheckKey(c.key); err != nil {
			t.Error(err)
		}
		if got, ok := ParseKey(c.key); !ok || got != c.want || got.Prefix() != k.Prefix() {
			t.Errorf("%s: got %+v, %v; want %+v", c.key, got, ok, c.want)
		}
	}
	pre := k.Prefix()
	for _, bad := range []string{
		"", "t", pre, pre + "m/", pre + "m/0000000001-J.1", pre + "m/1-J.1.json", pre + "m/00000000010-J.1.json", pre + "m/0000000000-J.1.json", pre + "m/0000000001-J.01.json",
		pre + "m/0000000001-J.0.json", pre + "m/0000000001-.1.json", pre + "m/0000000001-J_.1.json", pre + "m/0000000001-J.1.json.ok.ok", pre + "p/J.1.zip", pre + "p/J.1-.zip",
		pre + "p/J.1-x.zip", pre + "h/J", pre + "h/J.1/x", pre + "q/J.1", pre + "r/J.1", pre + "r/J.1-01.json", pre + "n/J.1.json", pre + "n/J.1-01.zip", pre + "n/J.1-x.json", pre + "mm/J.1", pre + "k/0000000001-J.1.json", strings.Replace(pre, "/s/", "/z/", 1) + "h/J.1",
		"t/../s/" + k.Hash()[:2] + "/" + k.Hash() + "/h/J.1", "t/x/s/zz/" + k.Hash() + "/h/J.1", pre + "h/J.9999999999999999999",
	} {
		if got, ok := ParseKey(bad); ok {
			t.Errorf("%s was parsed as %+v", bad, got)
		}
	}
}

func TestCheckTenant(t *testing.T) {
	for name, ok := range map[string]bool{"north": true, "H-1.2_x": true, "1": true, strings.Repeat("a", 64): true, "": false, strings.Repeat("a", 65): false, ".": false, "..": false,
		"-a": false, "a/b": false, "a b": false, "医院": false, "a\x00": false} {
		if err := CheckTenant(name); (err == nil) != ok {
			t.Errorf("tenant %q: %v, want ok %v", name, err, ok)
		}
	}
}

func TestNewID(t *testing.T) {
	at := time.UnixMilli(1469918176385) // the example of the ULID specification
	if id := newID(at); !strings.HasPrefix(id, "01ARYZ6S41") || len(id) != 26 || !validJob(id) {
		t.Errorf("id of that time is %s, want 01ARYZ6S41...", id)
	}
	var ids []string
	for i := range 100 {
		ids = append(ids, newID(at.Add(time.Duration(i)*time.Millisecond)))
	}
	if !slices.IsSorted(ids) {
		t.Errorf("ids are not in the order of time: %v", ids)
	}
	if newID(at) == newID(at) {
		t.Error("two ids are equal")
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"1.2.840", `\x41`, "\\", "\x00\xff", "日本", "\u2028", "a\\x4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := escape(s)
		if strings.ToValidUTF8(e, "") != e || strings.ContainsAny(e, "\x00\n\r\x7f") {
			t.Fatalf("%q was escaped as %q", s, e)
		}
		if got := unescape(e); got != s {
			t.Fatalf("%q came back as %q by way of %q", s, got, e)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	k := StudyKey{"north", "1.2.3"}
	f.Add(ManifestKey(k, 7, "JOB1", 12))
	f.Add(PackKey(k, "JOB1", 2, 3))
	f.Add(HotKey(k, "JOB1", 2))
	f.Fuzz(func(t *testing.T, key string) {
		o, ok := ParseKey(key)
		if !ok {
			return
		}
		if err := objstore.CheckKey(key); err != nil && len(key) < objstore.MaxPartBytes {
			t.Fatalf("parsed an invalid key: %v", err)
		}
		if !strings.HasPrefix(key, o.Prefix()) {
			t.Fatalf("%s is not below %s", key, o.Prefix())
		}
	})
}
