package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/radtier/radtier/internal/objstore"
)

// probe asks an endpoint what it does, with tiny objects under a random folder
// of the reserved prefix. It takes about 70 requests (Profile.Requests counts them), many of them at
// once, keeps nothing, and may run beside other probes. An object in each
// class is among them: a class with a minimum duration bills it for a few kilobytes.
type probe struct {
	o    Options
	conn *connection
	api  *s3.Client
	p    *Profile
	base string // of the server's keys, with a slash at its end

	mu      sync.Mutex
	keys    []string
	uploads map[string]string // id to key
}

const (
	racers    = 8
	probeLife = 24 * time.Hour // older objects under the reserved prefix are of probes that were killed
	skewLimit = 2 * time.Minute
)

// inspect connects and probes.
func inspect(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{o: o, profile: Profile{Endpoint: o.Endpoint, Bucket: o.Bucket, ProbedAt: o.Now()}}
	if err := s.reach(ctx); err != nil {
		return nil, err
	}
	pr := &probe{o: o, conn: s.conn, api: s.conn.api, p: &s.profile, base: o.Prefix + reservedPrefix + rand.Text() + "/", uploads: make(map[string]string)}
	err = pr.run(ctx)
	pr.clean(ctx)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		s.conn.close()
		return nil, err
	}
	s.profile.Requests = s.conn.requests.Load()
	// The store works with a client whose checksums are what the probe decided.
	if s.profile.Checksums == ChecksumsNone {
		opts := s.api.Options()
		setChecksums(&opts, ChecksumsNone)
		s.api = s3.New(opts)
	}
	s.classes = tierClasses(pr.classes())
	return s, nil
}

// reach finds the addressing that works, and makes the bucket if that is asked for.
func (s *Store) reach(ctx context.Context) error {
	var last error
	for _, addressing := range s.o.addressings() {
		conn, err := connect(ctx, s.o, addressing, ChecksumsSDK)
		if err != nil {
			return err
		}
		s.conn, s.api = conn, conn.api
		s.profile.Addressing, s.profile.Region = addressing, conn.region
		last = s.knock(ctx)
		var dns *net.DNSError
		var host x509.HostnameError
		if !errors.As(last, &dns) && !errors.As(last, &host) {
			break
		}
		conn.close()
	}
	if last != nil {
		s.conn.close()
	}
	return last
}

// knock looks whether the bucket is there.
func (s *Store) knock(ctx context.Context) error {
	for made := false; ; made = true {
		out, err := s.api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.o.Bucket})
		if err == nil {
			if reply, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response); ok {
				s.profile.Server = reply.Header.Get("Server")
				s.checkClock(reply.Header.Get("Date"))
			}
			return nil
		}
		if isCode(err, "Forbidden") { // a reply to HEAD has no body: a listing says why
			one := int32(1)
			if _, why := s.api.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.o.Bucket, Prefix: &s.o.Prefix, MaxKeys: &one}); why != nil {
				err = why
			}
		}
		missing := failure(ctx, "look for bucket "+s.o.Bucket, "", err)
		if !errors.Is(missing, objstore.ErrNotFound) && !isCode(err, "NoSuchBucket") {
			return missing
		}
		if !s.o.Create || made {
			return &ConfigError{Op: "look for bucket " + s.o.Bucket, Do: advice["NoSuchBucket"], Err: err404}
		}
		in := &s3.CreateBucketInput{Bucket: &s.o.Bucket}
		if s.o.aws() && s.conn.region != "us-east-1" {
			in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(s.conn.region)}
		}
		_, err = s.api.CreateBucket(ctx, in)
		if err != nil && !isCode(err, "BucketAlreadyOwnedByYou") && !isCode(err, "BucketAlreadyExists") {
			return failure(ctx, "create bucket "+s.o.Bucket, "", err)
		}
	}
}

var err404 = errors.New("the server knows no such bucket")

func isCode(err error, code string) bool {
	got, _ := codeOf(err)
	return got == code
}

func (s *Store) checkClock(date string) {
	at, err := time.Parse(time.RFC1123, date)
	if err != nil {
		return
	}
	if skew := time.Since(at); skew.Abs() > skewLimit {
		s.profile.find(LevelWarn, fmt.Sprintf("this machine's clock is %v ahead of the server's", skew.Round(time.Second)),
			"set the clocks (NTP): servers refuse requests that seem 15 minutes old, and grace periods are measured by both")
	}
}

func (pr *probe) run(ctx context.Context) error {
	if err := pr.body(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context){
		pr.conditions, pr.multipart, pr.wholeChecksum, pr.storageClasses, pr.copies, pr.restore, pr.bucket, pr.listing,
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		step(ctx)
	}
	return nil
}

// key returns a new key of the probe and remembers it for the end.
func (pr *probe) key(name string) *string {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	key := pr.base + name
	pr.keys = append(pr.keys, key)
	return &key
}

// plain makes a request without checksums of the SDK where these are not in use.
func (pr *probe) plain(so *s3.Options) { setChecksums(so, pr.p.Checksums) }

// pattern returns n bytes that are not all alike.
func pattern(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return data
}

// body finds how bodies can be sent so that they come back as they were, and
// what the server verifies. An error means that nothing can be stored at all.
func (pr *probe) body(ctx context.Context) error {
	data := pattern(3000)
	pr.p.Checksums = ChecksumsSDK
	var sdkErr error
	if pr.o.Checksums != ChecksumsNone {
		if sdkErr = pr.trip(ctx, "sdk", data); sdkErr == nil {
			pr.p.VerifiedCRC = pr.refusesCRC(ctx, data)
		}
	}
	switch {
	case sdkErr != nil && (objstore.IsTransient(sdkErr) || ctx.Err() != nil) && !refusedByClient(sdkErr):
		return sdkErr
	case pr.o.Checksums == ChecksumsSDK && sdkErr != nil:
		pr.p.find(LevelRefuse, fmt.Sprintf("the server does not take the SDK's checksums (%v)", sdkErr), "set checksums to auto or none")
		fallthrough // what else there is to find is found without them
	case pr.o.Checksums == ChecksumsNone || sdkErr != nil || (pr.o.Checksums == ChecksumsAuto && !pr.p.VerifiedCRC):
		pr.p.Checksums = ChecksumsNone
		if err := pr.trip(ctx, "none", data); err != nil {
			return err
		}
	}
	pr.p.needMD5 = !pr.p.VerifiedCRC || pr.p.Checksums == ChecksumsNone
	if pr.p.Checksums == ChecksumsNone {
		pr.p.VerifiedCRC = false
		pr.verifiesMD5(ctx, data)
	}
	switch {
	case pr.p.needMD5 && !pr.p.ETagIsMD5:
		pr.p.find(LevelWarn, "ETags are not MD5s here and the server verifies no CRC: bytes that change on their way to the disk are found only by reading them back",
			"leave the read-back of volumes on; if the bucket encrypts with a key of a key service, this is why")
	case !pr.p.metadata:
		pr.p.find(LevelWarn, "the server loses the metadata of objects: a put whose reply was lost may be reported as a failure", "")
	}
	return nil
}

// trip puts bytes and gets them back, in the mode that is being tried.
func (pr *probe) trip(ctx context.Context, name string, data []byte) error {
	key := pr.key("body-" + name)
	token := rand.Text()
	put, err := pr.api.PutObject(ctx, &s3.PutObjectInput{Bucket: &pr.o.Bucket, Key: key, Body: bytes.NewReader(data), Metadata: map[string]string{tokenName: token}}, pr.plain)
	if err != nil {
		return failure(ctx, "probe: put", *key, err)
	}
	out, err := pr.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &pr.o.Bucket, Key: key}, pr.plain)
	if err != nil {
		return failure(ctx, "probe: get", *key, err)
	}
	defer out.Body.Close()
	got, err := io.ReadAll(io.LimitReader(out.Body, 1<<20))
	if err != nil {
		return failure(ctx, "probe: get", *key, err)
	}
	if !bytes.Equal(got, data) {
		return fmt.Errorf("probe: an object of %d bytes put with checksums %q comes back as %d other bytes: the server stores the framing of the request", len(data), name, len(got))
	}
	sum := md5.Sum(data)
	pr.p.ETagIsMD5 = strings.EqualFold(cleanETag(aws.ToString(put.ETag)), hex.EncodeToString(sum[:])) // OSS writes it in upper case
	pr.p.metadata = out.Metadata[tokenName] == token
	pr.p.defaultClass = className(string(out.StorageClass))
	return nil
}

// refusesCRC reports whether a put with a wrong CRC fails.
func (pr *probe) refusesCRC(ctx context.Context, data []byte) bool {
	_, err := pr.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &pr.o.Bucket, Key: pr.key("wrong-crc"), Body: bytes.NewReader(data), ChecksumCRC32: aws.String("AAAAAA=="),
	})
	return refusedByClient(err)
}

// verifiesMD5 reports a server that stores bytes which are not those of their Content-MD5.
func (pr *probe) verifiesMD5(ctx context.Context, data []byte) {
	_, err := pr.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &pr.o.Bucket, Key: pr.key("wrong-md5"), Body: bytes.NewReader(data), ContentMD5: aws.String("AAAAAAAAAAAAAAAAAAAAAA=="),
	}, pr.plain)
	if !refusedByClient(err) && pr.p.ETagIsMD5 {
		pr.p.find(LevelNote, "the server does not verify Content-MD5; what it stored is compared by its ETag", "")
	}
}

// refusedByClient reports whether a request was answered with a 4xx.
func refusedByClient(err error) bool {
	_, status := codeOf(err)
	return err != nil && status >= 400 && status < 500
}

// conditions finds whether conditional requests are kept.
func (pr *probe) conditions(ctx context.Context) {
	key := pr.key("race")
	var won, refused atomic.Int32
	put := func() {
		_, err := pr.api.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &pr.o.Bucket, Key: key, Body: bytes.NewReader(pattern(100)), IfNoneMatch: aws.String("*"),
		}, pr.plain)
		switch {
		case err == nil:
			won.Add(1)
		case lostRace(err):
			refused.Add(1)
		}
	}
	var all sync.WaitGroup
	for range racers {
		all.Go(put)
	}
	all.Wait()
	put() // and one who comes late
	// No winner: its reply was lost, and the SDK's repetition was refused.
	pr.p.CreateOnlyPut = won.Load() <= 1 && won.Load()+refused.Load() == racers+1
	if !pr.p.CreateOnlyPut {
		pr.p.find(LevelNote, fmt.Sprintf("puts are not create-only: of %d with If-None-Match %d were stored and %d refused as too late", racers+1, won.Load(), refused.Load()), "")
	}
	head, err := pr.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &pr.o.Bucket, Key: key})
	if err != nil {
		return
	}
	get := func(etag string) error {
		out, err := pr.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &pr.o.Bucket, Key: key, IfMatch: &etag}, pr.plain)
		if err == nil {
			out.Body.Close()
		}
		return err
	}
	pr.p.IfMatchGet = get(aws.ToString(head.ETag)) == nil && lostRace(get(`"00000000000000000000000000000000"`))
}

// lostRace reports whether a conditional request was refused by its condition.
func lostRace(err error) bool {
	code, status := codeOf(err)
	return err != nil && (status == 412 || code == "PreconditionFailed" || code == "ConditionalRequestConflict")
}

// clean removes what the probe has made, and what killed probes have left.
func (pr *probe) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	var all sync.WaitGroup
	gate := make(chan struct{}, racers)
	work := func(do func() error) {
		gate <- struct{}{}
		all.Go(func() {
			defer func() { <-gate }()
			if err := do(); err != nil {
				pr.mu.Lock()
				defer pr.mu.Unlock()
				pr.p.find(LevelWarn, "the probe could not remove an object of its own: "+failure(ctx, "delete", "", err).Error(),
					"give the credentials permission to delete, and remove "+pr.o.Prefix+reservedPrefix)
			}
		})
	}
	for id, key := range pr.uploads {
		work(func() error {
			_, err := pr.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &pr.o.Bucket, Key: &key, UploadId: &id})
			if _, status := codeOf(err); status == 404 {
				return nil
			}
			return err
		})
	}
	for _, key := range pr.keys {
		work(func() error {
			_, err := pr.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &pr.o.Bucket, Key: &key})
			if _, status := codeOf(err); status == 404 {
				return nil
			}
			return err
		})
	}
	all.Wait()
}
