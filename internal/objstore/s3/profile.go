package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

// Profile is what a probe saw an endpoint and a bucket do. Nothing in it is taken from documentation.
type Profile struct {
	Endpoint string // "" is AWS itself
	Bucket   string
	Server   string // as the server calls itself; may be empty
	Region   string

	Addressing string // AddressingPath or AddressingVirtual
	Checksums  string // ChecksumsSDK or ChecksumsNone, in use

	CreateOnlyPut       bool // If-None-Match of racing and of later puts had one winner
	CreateOnlyMultipart bool // the same of CompleteMultipartUpload
	CreateOnlyCopy      bool // the same, not racing, of CopyObject
	IfMatchGet          bool // If-Match lets the right ETag through and no other
	VerifiedCRC         bool // a put with a wrong CRC was refused
	WholeObjectChecksum bool // an upload in parts with a wrong CRC-64 of the whole was refused, and Head shows the right one
	ETagIsMD5           bool // of objects put in one request, and of parts
	CompositeETag       bool // of objects put in parts: MD5 of the parts' MD5s, and their number
	Multipart           bool

	Classes               []ClassProfile
	SelfDescribingClasses bool // Head shows the class of each
	Copy                  bool
	CopyToClass           bool // Copy may change the class
	Restore               bool // the server knows RestoreObject

	Lifecycle  []LifecycleRule // enabled rules that touch the prefix
	Versioning string          // "off", "Enabled", "Suspended", or "unknown"
	ObjectLock string          // "off", "on", "default retention", or "unknown"

	Findings []Finding
	Requests int64 // that the probe took
	ProbedAt time.Time

	needMD5      bool // what arrives is compared by MD5
	metadata     bool // the server keeps metadata of objects
	copyInParts  bool // UploadPartCopy works
	defaultClass objstore.Class
}

// ClassProfile is what was seen of one storage class.
type ClassProfile struct {
	Class
	Works bool           // a put in it is accepted, and Head then shows it
	Got   objstore.Class // what Head showed; empty if the put was refused
}

// LifecycleRule is an enabled rule of the bucket that touches our prefix.
type LifecycleRule struct {
	ID, Prefix string
	Action     string // "expire", "transition to GLACIER", "abort uploads", ...; several are joined by commas
	Days       int    // of the first action; 0 if it has a date or none
	Tagged     bool   // it is for objects with certain tags only; radtier sets none
	harmful    bool
}

// Levels of findings.
const (
	LevelOK     = "ok"
	LevelNote   = "note"
	LevelWarn   = "warn"
	LevelRefuse = "refuse" // [Open] does not use the bucket
)

// Finding is something a probe has to say to an operator.
type Finding struct {
	Level string
	What  string
	Do    string // empty if there is nothing to do
}

func (f Finding) String() string {
	if f.Do == "" {
		return f.Level + ": " + f.What
	}
	return fmt.Sprintf("%s: %s; %s", f.Level, f.What, f.Do)
}

// UnsafeError says why a bucket is not used.
type UnsafeError struct{ Findings []Finding }

func (e *UnsafeError) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.What + "; " + f.Do
	}
	return "the bucket is not safe to use: " + strings.Join(lines, " | ")
}

func (p *Profile) find(level, what, do string) {
	p.Findings = append(p.Findings, Finding{Level: level, What: what, Do: do})
}

func (p *Profile) refused() []Finding {
	var list []Finding
	for _, f := range p.Findings {
		if f.Level == LevelRefuse {
			list = append(list, f)
		}
	}
	return list
}

// Check probes a bucket as [Open] does and reports everything. What makes the
// bucket unusable, also that it cannot be reached, is a finding of level
// refuse; an error is returned only for options that are wrong and a context that ended.
func Check(ctx context.Context, o Options) (Profile, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Profile{}, err
	}
	s, err := inspect(ctx, o)
	if err == nil {
		s.conn.close()
		return s.profile, nil
	}
	if ctx.Err() != nil {
		return Profile{}, err
	}
	p := Profile{Endpoint: o.Endpoint, Bucket: o.Bucket, Addressing: o.Addressing, ProbedAt: o.Now()}
	do := "see the message"
	var config *ConfigError
	switch {
	case errors.As(err, &config):
		do = config.Do
		err = fmt.Errorf("%s: %w", config.Op, config.Err)
	case objstore.IsTransient(err):
		do = "check endpoint, network and server, then try again"
	}
	p.find(LevelRefuse, err.Error(), do)
	return p, nil
}
