package s3

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/tiers"
)

// Addressing says where the bucket's name goes in a URL.
const (
	AddressingAuto    = "auto"    // path for IP addresses, localhost and names with dots in the bucket; else virtual, or path if the virtual name cannot be reached
	AddressingPath    = "path"    // https://endpoint/bucket/key
	AddressingVirtual = "virtual" // https://bucket.endpoint/key
)

// Checksums says how bodies are protected on their way.
const (
	ChecksumsAuto = "auto" // sdk where the server was seen to verify it, else none
	ChecksumsSDK  = "sdk"  // CRC of the SDK; over TLS as a trailer of an aws-chunked body
	ChecksumsNone = "none" // no CRC and no aws-chunked; Content-MD5 on each put and part, compared with its ETag
)

const (
	minPartBytes = 5 << 20 // what S3 demands of all parts but the last
	maxParts     = 10_000
	// largestCopy is what one CopyObject may copy.
	largestCopy = 5 << 30
	// stallLimit ends a connection on which no byte has moved, in either direction, while an answer is awaited.
	stallLimit = 2 * time.Minute
)

// Class is one storage class of a bucket.
type Class struct {
	Name    objstore.Class
	Archive bool // must be restored before it can be read
	MinDays int  // minimum duration that the provider bills, in days
}

// Options says which bucket to use, and how. Bucket is the only field that must be set.
type Options struct {
	Endpoint string // URL of the server; "" is AWS itself, where Region decides
	Region   string // "" takes the SDK's chain (environment, profile); with an Endpoint at last "us-east-1"
	Bucket   string
	Prefix   string // keys lie under it; "" or ends with "/"
	// Addressing is one of the Addressing constants; "" is auto.
	Addressing string
	// AccessKey, SecretKey and SessionToken; "" takes the SDK's chain: environment, profile, web identity, IMDS.
	AccessKey, SecretKey, SessionToken string
	AWSProfile                         string // profile of the SDK's shared configuration
	CAFile                             string // PEM bundle trusted in addition to the system's (and to AWS_CA_BUNDLE)
	// Classes from hot to cold; the first is that of new objects. Empty: what
	// the endpoint was seen to offer of the classes that AWS names.
	Classes []Class
	// Checksums is one of the Checksums constants; "" is auto.
	Checksums string
	// PartBytes is the size of a part, and of the largest body that goes up in
	// one request; default 16 MiB, at least 5 MiB.
	PartBytes int64
	// Concurrency is how many parts of one put are in flight; default 4. A put
	// in parts holds at most PartBytes*(Concurrency+2) bytes, another its body.
	Concurrency int
	// Attempts is how often the SDK sends one request at most; default 5.
	Attempts int
	Create   bool // make the bucket if it is missing
	// ReadOnly opens the bucket without a probe, in one request: for programs that only read. All that writes is ErrUnsupported.
	ReadOnly bool
	Now      func() time.Time // the clock that restores are compared with; default time.Now

	test hooks
}

// hooks are changed by tests only.
type hooks struct {
	maxBackoff  time.Duration
	stall       time.Duration
	largestCopy int64
	copyPart    int64
	pageKeys    int32
	dial        dialer
}

func (o Options) withDefaults() (Options, error) {
	bad := func(format string, args ...any) (Options, error) {
		return Options{}, fmt.Errorf("s3 options: "+format, args...)
	}
	if o.Bucket == "" {
		return bad("no bucket is named")
	}
	if o.Endpoint != "" {
		u, err := url.Parse(o.Endpoint)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
			return bad("the endpoint must be a URL such as https://s3.example.org, without user and password")
		}
	}
	if o.Prefix != "" && (!strings.HasSuffix(o.Prefix, "/") || objstore.CheckKey(strings.TrimSuffix(o.Prefix, "/")) != nil) {
		return bad("prefix %q must be a valid key followed by a slash", o.Prefix)
	}
	if len(o.Prefix) > 1024-objstore.MaxKeyBytes {
		return bad("the prefix has %d bytes, the most is %d", len(o.Prefix), 1024-objstore.MaxKeyBytes)
	}
	if (o.AccessKey == "") != (o.SecretKey == "") {
		return bad("access key and secret key go together: give both or none")
	}
	setDefault(&o.Addressing, AddressingAuto)
	setDefault(&o.Checksums, ChecksumsAuto)
	switch o.Addressing {
	case AddressingAuto, AddressingPath, AddressingVirtual:
	default:
		return bad("addressing %q is not auto, path or virtual", o.Addressing)
	}
	switch o.Checksums {
	case ChecksumsAuto, ChecksumsSDK, ChecksumsNone:
	default:
		return bad("checksums %q is not auto, sdk or none", o.Checksums)
	}
	setDefault(&o.PartBytes, 16<<20)
	setDefault(&o.Concurrency, 4)
	setDefault(&o.Attempts, 5)
	if o.PartBytes < minPartBytes || o.PartBytes > 1<<30 {
		return bad("part size %d: must be 5 MiB to 1 GiB", o.PartBytes)
	}
	if o.Concurrency < 1 || o.Attempts < 1 {
		return bad("concurrency and attempts must be at least 1")
	}
	if len(o.Classes) > 0 {
		if err := tierClasses(o.Classes).Check(); err != nil {
			return bad("%w", err)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	setDefault(&o.test.maxBackoff, 20*time.Second)
	setDefault(&o.test.stall, stallLimit)
	setDefault(&o.test.largestCopy, largestCopy)
	setDefault(&o.test.copyPart, 512<<20)
	setDefault(&o.test.pageKeys, 1000)
	return o, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func tierClasses(classes []Class) tiers.Classes {
	list := make(tiers.Classes, len(classes))
	for i, c := range classes {
		list[i] = tiers.Class{Name: c.Name, MinDays: c.MinDays, Archive: c.Archive}
	}
	return list
}

// host returns the endpoint's host name without its port; empty for AWS.
func (o Options) host() string {
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// aws reports whether the endpoint is Amazon's own.
func (o Options) aws() bool {
	host := o.host()
	return o.Endpoint == "" || strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}

// addressings returns the ways to try, in order.
func (o Options) addressings() []string {
	if o.Addressing != AddressingAuto {
		return []string{o.Addressing}
	}
	host := o.host()
	switch {
	case net.ParseIP(host) != nil, host == "localhost", strings.Contains(o.Bucket, "."):
		return []string{AddressingPath}
	case o.aws():
		return []string{AddressingVirtual}
	}
	return []string{AddressingVirtual, AddressingPath}
}
