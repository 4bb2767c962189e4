package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// StudyKey names a study. The UID is what was received, of any bytes; keys in a store hold only its hash.
type StudyKey struct {
	Tenant string
	UID    string
}

// hashChars is the length of a study's hash: 20 bytes in hex.
const hashChars = 40

// Hash returns the hex of the first 20 bytes of SHA-256(tenant NUL uid).
func (k StudyKey) Hash() string {
	sum := sha256.Sum256([]byte(k.Tenant + "\x00" + k.UID))
	return hex.EncodeToString(sum[:hashChars/2])
}

// Prefix is what all keys of the study's objects begin with; it ends with a slash.
func (k StudyKey) Prefix() string { return studyPrefix(k.Tenant, k.Hash()) }

func studyPrefix(tenant, hash string) string {
	return "t/" + tenant + "/s/" + hash[:2] + "/" + hash + "/"
}

// maxTenant is the longest name of a tenant, in bytes.
const maxTenant = 64

// CheckTenant reports why a name cannot be a tenant's: it must be 1 to 64
// letters, digits and ._- and begin with a letter or digit, because it is part of keys.
func CheckTenant(tenant string) error {
	ok := tenant != "" && len(tenant) <= maxTenant
	for i := range len(tenant) {
		c := tenant[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			ok = false
		}
	}
	if !ok {
		return fmt.Errorf("tenant %q: a name has 1 to %d letters, digits and ._- and begins with a letter or digit", tenant, maxTenant)
	}
	return nil
}

func checkStudy(k StudyKey) error {
	if err := CheckTenant(k.Tenant); err != nil {
		return err
	}
	if k.UID == "" || len(k.UID) > MaxUID {
		return fmt.Errorf("study of tenant %s: its UID has %d bytes, must have 1 to %d", k.Tenant, len(k.UID), MaxUID)
	}
	return nil
}

// MaxUID is the longest UID that is kept, in bytes. The standard allows 64.
const MaxUID = 1024

// ManifestKey is the key of a manifest: <study>/m/<generation, 10 digits>-<job>.<attempt>.json
func ManifestKey(k StudyKey, generation int64, job string, attempt int) string {
	return fmt.Sprintf("%sm/%010d-%s.%d.json", k.Prefix(), generation, job, attempt)
}

// PublishedKey is the key of the empty object that marks a manifest as published.
func PublishedKey(manifestKey string) string { return manifestKey + publishedSuffix }

const publishedSuffix = ".ok"

// PackKey is the key of the n-th pack of an attempt.
func PackKey(k StudyKey, job string, attempt, n int) string {
	return fmt.Sprintf("%s%d-%02d.zip", PackPrefix(k, job), attempt, n)
}

// PackPrefix is what the keys of all packs of a job begin with.
func PackPrefix(k StudyKey, job string) string { return k.Prefix() + "p/" + job + "." }

// HotKey is the key of the hot bundle of an attempt.
func HotKey(k StudyKey, job string, attempt int) string {
	return fmt.Sprintf("%sh/%s.%d", k.Prefix(), job, attempt)
}

// RecordKey is the key of the region record of an attempt.
func RecordKey(k StudyKey, job string, attempt int) string {
	return fmt.Sprintf("%sr/%s.%d.json", k.Prefix(), job, attempt)
}

// PictureKey is the key of the picture of an attempt's regions.
func PictureKey(k StudyKey, job string, attempt int) string {
	return fmt.Sprintf("%sg/%s.%d.png", k.Prefix(), job, attempt)
}

// AnnotationKey is the key of the n-th JSON annotation document of an attempt.
func AnnotationKey(k StudyKey, job string, attempt, n int) string {
	return fmt.Sprintf("%sn/%s.%d-%02d.json", k.Prefix(), job, attempt, n)
}

// QuarantineKey is the key of a file that could not be read, by its digest in hex. Its reason is beside it, see [QuarantineNote].
func QuarantineKey(tenant, sha256 string) string {
	return "t/" + tenant + "/q/" + sha256[:min(2, len(sha256))] + "/" + sha256
}

// QuarantineNote is the key of the note beside a quarantined file, which says why it is there.
func QuarantineNote(key string) string { return key + ".json" }

// ObjectKind is the part of a key after the study's prefix.
type ObjectKind byte

const (
	KindManifest  ObjectKind = 'm'
	KindPublished ObjectKind = 'k' // a manifest's .ok
	KindPack      ObjectKind = 'p'
	KindHot       ObjectKind = 'h'
	KindRecord    ObjectKind = 'r' // region record
	KindPicture   ObjectKind = 'g' // picture of the regions
	// KindAnnotation is a JSON annotation document as it was received.
	KindAnnotation ObjectKind = 'n'
	// KindCertificate is what says what was purged.
	KindCertificate ObjectKind = 'c'
)

// ObjectKey is a parsed key of a study's object.
type ObjectKey struct {
	Tenant, Hash string
	Kind         ObjectKind
	Generation   int64 // manifests only
	Job          string
	Attempt      int
}

// Prefix is the prefix of the study that the object belongs to.
func (o ObjectKey) Prefix() string { return studyPrefix(o.Tenant, o.Hash) }

// ParseKey takes apart a key of a study's object that a function of this package made. Others are not ok.
func ParseKey(key string) (o ObjectKey, ok bool) {
	part := strings.Split(key, "/")
	if len(part) != 7 || part[0] != "t" || part[2] != "s" || CheckTenant(part[1]) != nil || !isHex(part[4], hashChars) || part[3] != part[4][:2] || len(part[5]) != 1 {
		return o, false
	}
	o = ObjectKey{Tenant: part[1], Hash: part[4], Kind: ObjectKind(part[5][0])}
	name := part[6]
	switch o.Kind {
	case KindManifest:
		if n, found := strings.CutSuffix(name, publishedSuffix); found {
			name, o.Kind = n, KindPublished
		}
		digits, rest, found := strings.Cut(name, "-")
		rest, json := strings.CutSuffix(rest, ".json")
		if !found || !json || len(digits) < 10 || len(digits) > 18 {
			return o, false
		}
		if o.Generation, ok = parseNumber(digits); !ok || o.Generation < 1 || fmt.Sprintf("%010d", o.Generation) != digits {
			return o, false
		}
		name = rest
	case KindPack, KindAnnotation:
		suffix := ".zip"
		if o.Kind == KindAnnotation {
			suffix = ".json"
		}
		n, known := strings.CutSuffix(name, suffix)
		n, number, found := strings.Cut(n, "-")
		if _, ok := parseNumber(number); !known || !found || !ok {
			return o, false
		}
		name = n
	case KindRecord, KindPicture, KindCertificate:
		suffix := ".json"
		if o.Kind == KindPicture {
			suffix = ".png"
		}
		n, known := strings.CutSuffix(name, suffix)
		if !known {
			return o, false
		}
		name = n
	case KindHot:
	default:
		return o, false
	}
	job, attempt, found := strings.Cut(name, ".")
	n, ok := parseNumber(attempt)
	if !found || !ok || n < 1 || n > 1<<62 || strconv.FormatInt(n, 10) != attempt || !validJob(job) {
		return o, false
	}
	o.Job, o.Attempt = job, int(n)
	return o, true
}

func parseNumber(s string) (int64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// validJob reports whether s can be a job's id in a key: letters and digits, at most 64.
func validJob(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func isHex(s string, n int) bool {
	for i := range len(s) {
		if c := s[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return len(s) == n
}
