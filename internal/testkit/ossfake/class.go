package ossfake

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"time"
)

// class is a storage class of OSS, by its own name.
type class string

const (
	standard    class = "Standard"
	infrequent  class = "IA"
	archive     class = "Archive"
	coldArchive class = "ColdArchive"
)

// names are the classes as S3 clients name them; see the package comment for what of it is assumed.
var names = map[class]string{standard: "STANDARD", infrequent: "STANDARD_IA", archive: "GLACIER", coldArchive: "DEEP_ARCHIVE"}

// class reads the storage class that a request asks for.
func (q *request) class() (class, *refusal) {
	name := q.r.Header.Get("X-Amz-Storage-Class")
	if name == "" {
		return standard, nil
	}
	for c, n := range names {
		if n == name {
			return c, nil
		}
	}
	return "", &refusal{status: 400, code: "InvalidStorageClass", message: "The storage class you specified is not valid.", name: "x-amz-storage-class", value: name}
}

func (c class) cold() bool { return c == archive || c == coldArchive }

// thaw is a restore of an archived object.
type thaw struct{ ready, until time.Time }

const (
	thawDay = 24 * time.Hour
	maxThaw = 7 * thawDay
)

// state is what x-amz-restore says at a time, and whether the object can be read.
func (o *object) state(now time.Time) (header string, readable bool) {
	switch {
	case !o.class.cold():
		return "", true
	case o.thaw.ready.IsZero(), !now.Before(o.thaw.until):
		return "", false
	case now.Before(o.thaw.ready):
		return `ongoing-request="true"`, false
	}
	return fmt.Sprintf(`ongoing-request="false", expiry-date="%s"`, o.thaw.until.UTC().Format(http.TimeFormat)), true
}

// delay is how long a restore takes.
func (s *Server) delay(c class, tier string) time.Duration {
	switch {
	case s.o.RestoreDelay > 0:
		return s.o.RestoreDelay
	case c == archive:
		return time.Minute
	case tier == "Expedited":
		return time.Hour
	case tier == "Bulk":
		return 12 * time.Hour
	}
	return 5 * time.Hour
}

func (q *request) restoreObject() *refusal {
	var in struct {
		Days                 int
		Tier                 string
		GlacierJobParameters struct{ Tier string }
	}
	if len(q.body) > 0 && xml.Unmarshal(q.body, &in) != nil {
		return malformed
	}
	if in.GlacierJobParameters.Tier != "" {
		in.Tier = in.GlacierJobParameters.Tier
	}
	q.s.mu.Lock()
	defer q.s.mu.Unlock()
	o := q.s.buckets[q.bucket].objects[q.key]
	if o == nil {
		return noSuchKey
	}
	if !o.class.cold() {
		return &refusal{status: 400, code: "OperationNotSupported", message: "The operation is not supported for this resource"}
	}
	now := q.s.now()
	lasts := thawDay
	if q.s.o.HonourDays {
		lasts = time.Duration(max(1, in.Days)) * thawDay
	}
	switch header, readable := o.state(now); {
	case readable && q.s.o.HonourDays:
		o.thaw.until = now.Add(lasts)
	case readable:
		o.thaw.until = o.thaw.until.Add(lasts)
		if last := o.thaw.ready.Add(maxThaw); o.thaw.until.After(last) {
			o.thaw.until = last
		}
	case header != "":
		return &refusal{status: 409, code: "RestoreAlreadyInProgress", message: "The restore operation is in progress."}
	default:
		o.thaw.ready = now.Add(q.s.delay(o.class, in.Tier))
		o.thaw.until = o.thaw.ready.Add(lasts)
		q.w.WriteHeader(http.StatusAccepted)
		return nil
	}
	q.w.WriteHeader(http.StatusOK)
	return nil
}
