package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// item is a key of an entry of a list: of `tiers` or of `sources`.
type item struct {
	name, def, unit, doc string
	kind                 string // only of tiers of this kind; "" is any
	secret               bool
	set                  func(t *Tier, text string) error // a source is a tier of kind s3 without a name
	get                  func(t *Tier) string
}

// tierItems is the table of the keys of a tier.
func tierItems() []item {
	return append([]item{
		{name: "name", def: "hot", doc: "Name of the tier in manifests: never rename one that is in use. 1 to 64 letters, digits and ._-",
			set: func(t *Tier, s string) error {
				if catalog.CheckTenant(s) != nil { // the same rule
					return fmt.Errorf("%q is no name of a tier: 1 to 64 letters, digits and ._-", s)
				}
				t.Name = s
				return nil
			}, get: func(t *Tier) string { return t.Name }},
		{name: "kind", def: "file", doc: "file: objects are files in a directory. s3: a bucket of an S3 server.",
			set: func(t *Tier, s string) error { t.Kind = s; return oneOf("file", "s3")(s) }, get: func(t *Tier) string { return t.Kind }},
		{name: "path", def: "objects", kind: "file", doc: "Directory of kind file, relative to `data`.",
			set: func(t *Tier, s string) error { t.Path = s; return notEmpty("a directory")(s) }, get: func(t *Tier) string { return t.Path }},
		{name: "class", doc: "Storage class of new objects, one of `classes`; empty is the first of them. An archive class is possible for every tier but the first: `radtier restore` asks the provider for what lies there.",
			set: func(t *Tier, s string) error {
				if s != "" && !objstore.ValidPart(s) {
					return fmt.Errorf("%q is no storage class", s)
				}
				t.Class = objstore.Class(s)
				return nil
			}, get: func(t *Tier) string { return string(t.Class) }},
		{name: "prices", doc: "What the tier costs: a price book, shipped (`radtier prices list`) or a file relative to `data`, and a class in it, as aliyun-oss-cn:IA. Plans then judge every move; empty: nothing is known.",
			set: func(t *Tier, s string) error {
				if book, class, ok := cutLast(s, ":"); s != "" && (!ok || book == "" || class == "") {
					return fmt.Errorf("%q is no price book and class, such as aliyun-oss-cn:IA", s)
				}
				t.Prices = s
				return nil
			}, get: func(t *Tier) string { return t.Prices }},
	}, bucketItems(true)...)
}

// sourceItems is the table of the keys of a source.
func sourceItems() []item { return bucketItems(false) }

func bucketItems(store bool) []item {
	word := func(name, doc string, at func(*Tier) *string, check func(string) error) item {
		return item{name: name, kind: "s3", doc: doc, get: func(t *Tier) string { return *at(t) }, set: func(t *Tier, s string) error {
			*at(t) = s
			if check == nil || s == "" {
				return nil
			}
			return check(s)
		}}
	}
	hidden := func(name, doc string, at func(*Tier) *Secret) item {
		return item{name: name, kind: "s3", secret: true, doc: doc, get: func(t *Tier) string { return at(t).String() },
			set: func(t *Tier, s string) error { *at(t) = Secret(s); return nil }}
	}
	count := func(name, def, doc string, most int, at func(*Tier) *int) item {
		return item{name: name, def: def, kind: "s3", doc: doc, get: func(t *Tier) string { return numberText(*at(t)) }, set: func(t *Tier, s string) error {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 || n > most {
				return fmt.Errorf("%q is not a whole number from 1 to %d", s, most)
			}
			*at(t) = n
			return nil
		}}
	}
	prefix := "Keys of objects begin with it; empty, or with a slash at its end."
	items := []item{
		word("bucket", "Name of the bucket.", func(t *Tier) *string { return &t.S3.Bucket }, func(s string) error {
			if len(s) < 3 || len(s) > 63 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != "" {
				return fmt.Errorf("%q is no name of a bucket: 3 to 63 letters, digits and .-_", s)
			}
			return nil
		}),
	}
	if store {
		items = append(items, word("prefix", prefix, func(t *Tier) *string { return &t.S3.Prefix }, func(s string) error {
			if !strings.HasSuffix(s, "/") || objstore.CheckKey(strings.TrimSuffix(s, "/")) != nil {
				return fmt.Errorf("%q must be parts of letters, digits and ._=+-, each followed by a slash", s)
			}
			return nil
		}))
	}
	items = append(items,
		word("endpoint", "URL of the server, like https://s3.example.org; empty is AWS, where `region` decides.", func(t *Tier) *string { return &t.S3.Endpoint }, func(s string) error {
			if u, err := url.Parse(s); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
				return fmt.Errorf("it must be a URL such as https://s3.example.org, without user and password")
			}
			return nil
		}),
		word("region", "Region; empty takes that of the SDK's environment or profile, with an endpoint at last us-east-1.", func(t *Tier) *string { return &t.S3.Region }, nil),
		word("addressing", "Where the bucket's name goes: path, virtual (in the host name), or auto; empty is auto.", func(t *Tier) *string { return &t.S3.Addressing }, oneOf("auto", "path", "virtual")),
		hidden("access_key", "Access key. Better leave both keys out: then AWS_ACCESS_KEY_ID, a profile, a web identity or the instance's role is used.", func(t *Tier) *Secret { return &t.S3.AccessKey }),
		hidden("secret_key", "Its secret.", func(t *Tier) *Secret { return &t.S3.SecretKey }),
		hidden("session_token", "Its session token, of temporary keys.", func(t *Tier) *Secret { return &t.S3.SessionToken }),
		word("profile", "Profile of the SDK's shared configuration that has the keys.", func(t *Tier) *string { return &t.S3.Profile }, nil),
		word("ca_file", "PEM file of authorities that are trusted beside the system's, relative to `data`.", func(t *Tier) *string { return &t.S3.CAFile }, nil),
		count("attempts", "5", "How often one request is sent at most.", 100, func(t *Tier) *int { return &t.S3.Attempts }),
	)
	if !store {
		return items
	}
	return append(items,
		word("checksums", "How bodies are protected on their way: sdk (CRC, needs aws-chunked over TLS), none (MD5 instead), or auto; empty is auto.", func(t *Tier) *string { return &t.S3.Checksums }, oneOf("auto", "sdk", "none")),
		item{name: "part_size", def: "16MiB", unit: "bytes", kind: "s3", doc: "Size of a part; larger objects go up in several. 5MiB to 1GiB.", get: func(t *Tier) string {
			if t.S3.PartSize == 0 {
				return ""
			}
			return FormatBytes(t.S3.PartSize)
		}, set: func(t *Tier, s string) error {
			n, err := ParseBytes(s)
			if err == nil && (n < 5<<20 || n > 1<<30) {
				err = fmt.Errorf("%s is not from 5MiB to 1GiB", s)
			}
			t.S3.PartSize = n
			return err
		}},
		count("concurrency", "4", "Parts of one object in flight at once.", 256, func(t *Tier) *int { return &t.S3.Concurrency }),
		item{name: "create", def: "false", kind: "s3", doc: "Make the bucket if it is missing.", get: func(t *Tier) string { return strconv.FormatBool(t.S3.Create) }, set: func(t *Tier, s string) error {
			t.S3.Create = s == "true"
			return oneOf("true", "false")(s)
		}},
	)
}

func numberText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// classKeys documents the keys of one class of a tier.
func classKeys() []Key {
	return []Key{
		{Name: "tiers[].classes[].name", Default: "STANDARD", Doc: "Storage classes of the tier, hot to cold; new objects get the first. Of kind file each is a directory below `path`; of kind s3 none means those that the server was seen to have."},
		{Name: "tiers[].classes[].min_days", Default: "0", Unit: "days", Doc: "Minimum storage duration that a provider bills."},
		{Name: "tiers[].classes[].archive", Default: "false", Doc: "Objects of the class must be restored before they can be read."},
		{Name: "tiers[].classes[].restore_delay", Default: "0s", Unit: "duration", Doc: "How long a restore takes (archive classes of kind file)."},
	}
}

// TierKeys documents the keys of one entry of `tiers`.
func TierKeys() []Key { return append(documented("tiers[].", tierItems()), classKeys()...) }

// SourceKeys documents the keys of one entry of `sources`.
func SourceKeys() []Key { return documented("sources[].", sourceItems()) }

func documented(prefix string, items []item) []Key {
	var keys []Key
	for _, it := range items {
		doc := it.doc
		if it.kind == "s3" && prefix == "tiers[]." {
			doc = "(kind s3) " + doc
		}
		keys = append(keys, Key{Name: prefix + it.name, Default: it.def, Unit: it.unit, Doc: doc, Secret: it.secret})
	}
	return keys
}

// ItemValue is one key of an entry as `config show` prints it.
type ItemValue struct{ Name, Value string }

// Values are the effective keys of a tier, secrets hidden; what is not set of a bucket is left out.
func (t Tier) Values() []ItemValue { return values(&t, tierItems(), t.Kind) }

// Values are the effective keys of a source, secrets hidden.
func (s Source) Values() []ItemValue { return values(&Tier{S3: s.S3}, sourceItems(), "s3") }

func values(t *Tier, items []item, kind string) []ItemValue {
	var list []ItemValue
	for _, it := range items {
		if it.kind != "" && it.kind != kind {
			continue
		}
		if v := it.get(t); v != "" && v != "false" {
			list = append(list, ItemValue{it.name, v})
		}
	}
	return list
}

// names of the items that an entry of this kind may have.
func names(items []item, kind string) string {
	var list []string
	for _, it := range items {
		if it.kind == "" || kind == "" || it.kind == kind {
			list = append(list, it.name)
		}
	}
	return strings.Join(list, ", ")
}

func find(items []item, name string) (item, bool) {
	i := slices.IndexFunc(items, func(it item) bool { return it.name == name })
	if i < 0 {
		return item{}, false
	}
	return items[i], true
}

// cutLast cuts a text at the last separator.
func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
