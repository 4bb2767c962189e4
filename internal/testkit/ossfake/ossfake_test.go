package ossfake

import (
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestSignatures(t *testing.T) {
	c := newClient(t, Options{})
	for _, key := range []string{"plain", "a b+c/ü=&?#%~'()*!:@,;", "//x//", "中文"} {
		c.put(t, key, "data of "+key, "")
		c.wantData(t, key, "data of "+key)
	}
	key := aws.String("plain")
	for _, tt := range []struct {
		what   string
		change func(*s3.Options)
		status int
		code   string
	}{
		{"a wrong secret", func(o *s3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider(AccessKey, "other", "") }, 403, "SignatureDoesNotMatch"},
		{"a wrong key", func(o *s3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider("other", SecretKey, "") }, 403, "InvalidAccessKeyId"},
		{"a wrong region", func(o *s3.Options) { o.Region = "oss-cn-other" }, 400, "AuthorizationHeaderMalformed"},
	} {
		_, err := c.api(tt.change).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(testBucket), Key: key})
		wantCode(t, tt.what, err, tt.status, tt.code)
	}
	status, body := c.send(t, "GET", "/plain", nil, "", "")
	wantReply(t, "an unsigned request", status, body, 403, "AccessDenied")
	status, body = c.send(t, "PUT", "/plain", map[string]string{"Content-Type": "text/plain"}, "new", SecretKey)
	if status != 200 {
		t.Errorf("a signed put: got %d %s, want 200", status, body)
	}
	// What is signed cannot be changed on its way.
	tamper := c.http.Transport.(*http.Transport)
	c.http.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		r.URL.RawQuery = "prefix=other"
		return tamper.RoundTrip(r)
	})
	status, body = c.send(t, "GET", "/?prefix=mine", nil, "", SecretKey)
	wantReply(t, "a changed query", status, body, 403, "SignatureDoesNotMatch")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPathStyleIsRefused(t *testing.T) {
	c := newClient(t, Options{})
	_, err := c.api(func(o *s3.Options) { o.UsePathStyle = true }).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(testBucket)})
	wantCode(t, "by path", err, 403, "SecondLevelDomainForbidden")
	allowed := newClient(t, Options{PathStyle: true})
	allowed.put(t, "k", "data", "")
	allowed.wantData(t, "k", "data")
}

func TestConditionsOfWritesAreRefused(t *testing.T) {
	c := newClient(t, Options{})
	etag := c.put(t, "k", "old", "")
	for _, header := range []map[string]string{{"If-None-Match": "*"}, {"If-Match": etag}} {
		status, body := c.send(t, "PUT", "/k", header, "new", SecretKey)
		wantReply(t, fmt.Sprint("put with ", header), status, body, 501, "NotImplemented")
		header["X-Amz-Copy-Source"] = testBucket + "/k"
		status, body = c.send(t, "PUT", "/copy", header, "", SecretKey)
		wantReply(t, fmt.Sprint("copy with ", header), status, body, 501, "NotImplemented")
	}
	id, parts := c.upload(t, "k", "part")
	_, err := c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(testBucket), Key: aws.String("k"), UploadId: id, MultipartUpload: parts, IfNoneMatch: aws.String("*"),
	})
	wantCode(t, "complete with If-None-Match", err, 501, "NotImplemented")
	c.wantData(t, "k", "old")
	for _, tt := range []struct {
		match, noneMatch string
		status           int
	}{{etag, "", 200}, {strings.ToLower(etag), "", 200}, {`"other"`, "", 412}, {"", etag, 304}, {"", `"other"`, 200}} {
		header := map[string]string{}
		if tt.match != "" {
			header["If-Match"] = tt.match
		}
		if tt.noneMatch != "" {
			header["If-None-Match"] = tt.noneMatch
		}
		if status, _ := c.send(t, "GET", "/k", header, "", SecretKey); status != tt.status {
			t.Errorf("get with %v: got %d, want %d", header, status, tt.status)
		}
	}
}

func TestBodies(t *testing.T) {
	c := newClient(t, Options{})
	sum := md5.Sum([]byte("data"))
	right := base64Of(sum[:])
	for _, tt := range []struct {
		what   string
		header map[string]string
		status int
		code   string
	}{
		{"signed chunks", map[string]string{"X-Amz-Content-Sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "Content-Encoding": "aws-chunked"}, 400, "InvalidArgument"},
		{"a trailer", map[string]string{"X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Trailer": "x-amz-checksum-crc32"}, 400, "InvalidArgument"},
		{"an encoding", map[string]string{"Content-Encoding": "gzip,aws-chunked"}, 400, "InvalidArgument"},
		{"only a trailer", map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc32"}, 400, "InvalidArgument"},
		{"another SHA-256", map[string]string{"X-Amz-Content-Sha256": strings.Repeat("0", 64)}, 400, "XAmzContentSHA256Mismatch"},
		{"no MD5", map[string]string{"Content-Md5": "nonsense"}, 400, "InvalidDigest"},
		{"another MD5", map[string]string{"Content-Md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, 400, "BadDigest"},
		{"an unknown class", map[string]string{"X-Amz-Storage-Class": "GLACIER_IR"}, 400, "InvalidStorageClass"},
	} {
		status, body := c.send(t, "PUT", "/refused", tt.header, "data", SecretKey)
		wantReply(t, tt.what, status, body, tt.status, tt.code)
	}
	if _, err := c.get(t, "refused"); err == nil {
		t.Error("a refused body was stored")
	}
	for what, header := range map[string]map[string]string{
		"the right MD5": {"Content-Md5": right}, "no signature of the body": {"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"},
		"a wrong CRC, which is ignored": {"X-Amz-Checksum-Crc32": "AAAAAA=="},
	} {
		if status, body := c.send(t, "PUT", "/taken", header, "data", SecretKey); status != 200 {
			t.Errorf("%s: got %d %s, want 200", what, status, body)
		}
	}
	c.wantData(t, "taken", "data")
}

func TestGetHeadDelete(t *testing.T) {
	c := newClient(t, Options{})
	bucket, key := aws.String(testBucket), aws.String("dir/k")
	if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: bucket, Key: key, Body: strings.NewReader("0123456789"), StorageClass: types.StorageClassStandardIa,
		Metadata: map[string]string{"token": "abc"}, ContentType: aws.String("text/x-test"),
	}); err != nil {
		t.Fatal(err)
	}
	head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: key})
	wantETag := fmt.Sprintf(`"%X"`, md5.Sum([]byte("0123456789")))
	if err != nil || *head.ContentLength != 10 || head.StorageClass != "STANDARD_IA" || head.Metadata["token"] != "abc" || *head.ContentType != "text/x-test" || *head.ETag != wantETag {
		t.Errorf("head: got %+v, %v, want 10 bytes in STANDARD_IA, its metadata and the ETag %s", head, err, wantETag)
	}
	for _, tt := range []struct{ spec, want string }{{"bytes=2-4", "234"}, {"bytes=7-", "789"}, {"bytes=-2", "89"}, {"bytes=8-100", "89"}, {"bytes=0-0", "0"}} {
		if status, body := c.send(t, "GET", "/dir/k", map[string]string{"Range": tt.spec}, "", SecretKey); status != 206 || body != tt.want {
			t.Errorf("get %s: got %d %q, want 206 %q", tt.spec, status, body, tt.want)
		}
	}
	status, body := c.send(t, "GET", "/dir/k", map[string]string{"Range": "bytes=10-"}, "", SecretKey)
	wantReply(t, "a range after the end", status, body, 416, "InvalidRange")
	for range 2 { // what is not there can be deleted
		if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key}); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	_, err = c.get(t, *key)
	wantCode(t, "get of what was deleted", err, 404, "NoSuchKey")
	_, err = c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("other")})
	wantCode(t, "another bucket", err, 404, "NotFound")
	_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("other"), Key: key})
	wantCode(t, "an object of another bucket", err, 404, "NoSuchBucket")
}

func TestList(t *testing.T) {
	c := newClient(t, Options{})
	var all []string
	for i := range 25 {
		all = append(all, fmt.Sprintf("p/%02d + ü&<", i))
	}
	all = append(all, "p/Z", "q", "a", "p0")
	for _, key := range all {
		c.put(t, key, key, "")
	}
	slices.Sort(all)
	for _, tt := range []struct{ prefix, after string }{{"", ""}, {"p/", ""}, {"p/", "p/07 + ü&<"}, {"", "p/07"}, {"none", ""}} {
		var want, got []string
		for _, key := range all {
			if strings.HasPrefix(key, tt.prefix) && key > tt.after {
				want = append(want, key)
			}
		}
		pages := s3.NewListObjectsV2Paginator(c.Client, &s3.ListObjectsV2Input{
			Bucket: aws.String(testBucket), Prefix: &tt.prefix, StartAfter: &tt.after, MaxKeys: aws.Int32(4), EncodingType: types.EncodingTypeUrl,
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Contents) > 4 {
				t.Errorf("a page of %d, want 4 at most", len(page.Contents))
			}
			for _, o := range page.Contents {
				got = append(got, unescape(t, *o.Key))
				if *o.Size == 0 || o.StorageClass != "STANDARD" || *o.ETag == "" || o.LastModified == nil {
					t.Errorf("%s: got %+v, want size, class, ETag and time", *o.Key, o)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("list %q after %q: got %q, want %q", tt.prefix, tt.after, got, want)
		}
	}
}

func TestCopy(t *testing.T) {
	c := newClient(t, Options{MaxCopyBytes: 10})
	bucket := aws.String(testBucket)
	if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String("from"), Body: strings.NewReader("data"), Metadata: map[string]string{"a": "old"}}); err != nil {
		t.Fatal(err)
	}
	c.put(t, "large", "more than 10 bytes", "")
	for _, tt := range []struct {
		in         s3.CopyObjectInput
		meta       string
		wantClass  types.StorageClass
		wantStatus int
		wantCode   string
	}{
		{s3.CopyObjectInput{Key: aws.String("to"), StorageClass: "GLACIER"}, "old", "GLACIER", 0, ""},
		{s3.CopyObjectInput{Key: aws.String("from"), StorageClass: "STANDARD_IA", MetadataDirective: "REPLACE", Metadata: map[string]string{"a": "new"}}, "new", "STANDARD_IA", 0, ""},
		{s3.CopyObjectInput{Key: aws.String("x"), CopySource: aws.String(testBucket + "/none")}, "", "", 404, "NoSuchKey"},
		{s3.CopyObjectInput{Key: aws.String("x"), CopySource: aws.String(testBucket + "/to")}, "", "", 403, "InvalidObjectState"},
		{s3.CopyObjectInput{Key: aws.String("x"), CopySource: aws.String(testBucket + "/large")}, "", "", 400, "EntityTooLarge"},
		{s3.CopyObjectInput{Key: aws.String("x"), CopySourceIfMatch: aws.String(`"other"`)}, "", "", 412, "PreconditionFailed"},
	} {
		tt.in.Bucket = bucket
		if tt.in.CopySource == nil {
			tt.in.CopySource = aws.String(testBucket + "/from")
		}
		_, err := c.CopyObject(t.Context(), &tt.in)
		if tt.wantCode != "" {
			wantCode(t, *tt.in.CopySource, err, tt.wantStatus, tt.wantCode)
			continue
		}
		head, err2 := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: tt.in.Key})
		if err := errors.Join(err, err2); err != nil || head.StorageClass != tt.wantClass || head.Metadata["a"] != tt.meta || *head.ContentLength != 4 {
			t.Errorf("copy to %s: got %+v, %v, want class %s and metadata %q", *tt.in.Key, head, err, tt.wantClass, tt.meta)
		}
	}
}

func TestRestore(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name, class, tier string
		o                 Options
		delay, lasts      time.Duration
		again             time.Duration // from the first day's end, after asking once more
	}{
		{"archive", "GLACIER", "Standard", Options{}, time.Minute, day, day},
		{"cold archive", "DEEP_ARCHIVE", "Standard", Options{}, 5 * time.Hour, day, day},
		{"expedited", "DEEP_ARCHIVE", "Expedited", Options{}, time.Hour, day, day},
		{"bulk", "DEEP_ARCHIVE", "Bulk", Options{}, 12 * time.Hour, day, day},
		{"days are honoured", "GLACIER", "Standard", Options{HonourDays: true, RestoreDelay: time.Hour}, time.Hour, 3 * day, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, tt.o)
			bucket, key := aws.String(testBucket), aws.String("k")
			c.put(t, "k", "data", tt.class)
			c.put(t, "hot", "data", "STANDARD_IA")
			restore := func(key string) error {
				_, err := c.RestoreObject(t.Context(), &s3.RestoreObjectInput{Bucket: bucket, Key: &key, RestoreRequest: &types.RestoreRequest{
					Days: aws.Int32(3), GlacierJobParameters: &types.GlacierJobParameters{Tier: types.Tier(tt.tier)},
				}})
				return err
			}
			want := func(when, header string, readable bool) {
				t.Helper()
				head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: key})
				if err != nil || !strings.Contains(aws.ToString(head.Restore), header) || header == "" && head.Restore != nil || string(head.StorageClass) != tt.class {
					t.Errorf("%s: head shows %q in %s, %v, want %q in %s", when, aws.ToString(head.Restore), head.StorageClass, err, header, tt.class)
				}
				_, err = c.get(t, "k")
				if readable != (err == nil) {
					t.Errorf("%s: get says %v, want readable: %v", when, err, readable)
				} else if !readable {
					wantCode(t, when, err, 403, "InvalidObjectState")
				}
			}
			want("at first", "", false)
			wantCode(t, "restore of what is not archived", restore("hot"), 400, "OperationNotSupported")
			wantCode(t, "restore of nothing", restore("none"), 404, "NoSuchKey")
			if err := restore("k"); err != nil {
				t.Fatal(err)
			}
			want("asked", `ongoing-request="true"`, false)
			wantCode(t, "restore while one is under way", restore("k"), 409, "RestoreAlreadyInProgress")
			c.s.Advance(tt.delay)
			want("after the delay", `ongoing-request="false", expiry-date=`, true)
			c.s.Advance(tt.lasts - time.Minute)
			want("just before the end", "expiry-date", true)
			if err := restore("k"); err != nil {
				t.Errorf("restore of what is restored: %v", err)
			}
			if tt.again > 0 {
				c.s.Advance(tt.again)
				want("longer", "expiry-date", true)
				for range 20 {
					if err := restore("k"); err != nil {
						t.Fatal(err)
					}
				}
				c.s.Advance(5*day + time.Minute) // the seventh day is over
			} else {
				c.s.Advance(3*day - time.Minute)
				want("longer", "expiry-date", true)
				c.s.Advance(2 * time.Minute)
			}
			want("at the end", "", false)
			if err := restore("k"); err != nil {
				t.Errorf("a second restore: %v", err)
			}
			c.put(t, "k", "new", tt.class)
			want("a new object", "", false)
		})
	}
}

func TestConfigurations(t *testing.T) {
	c := newClient(t, Options{})
	bucket := aws.String(testBucket)
	_, err := c.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket})
	wantCode(t, "no lifecycle", err, 404, "NoSuchLifecycleConfiguration")
	_, err = c.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{Bucket: bucket})
	wantCode(t, "no object lock", err, 404, "ObjectLockConfigurationNotFoundError")
	if v, err := c.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: bucket}); err != nil || v.Status != "" {
		t.Errorf("versioning: got %+v, %v, want an empty status", v, err)
	}
	c.s.SetLifecycle(t, testBucket, `<LifecycleConfiguration><Rule><ID>r</ID><Prefix>p/</Prefix><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>`)
	c.s.SetVersioning(t, testBucket, "Enabled")
	c.s.SetObjectLock(t, testBucket, `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>`)
	if l, err := c.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket}); err != nil || len(l.Rules) != 1 || *l.Rules[0].Expiration.Days != 3 {
		t.Errorf("lifecycle: got %+v, %v, want the rule", l, err)
	}
	if v, err := c.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: bucket}); err != nil || v.Status != "Enabled" {
		t.Errorf("versioning: got %+v, %v, want Enabled", v, err)
	}
	if l, err := c.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{Bucket: bucket}); err != nil || l.ObjectLockConfiguration.ObjectLockEnabled != "Enabled" {
		t.Errorf("object lock: got %+v, %v, want Enabled", l, err)
	}
	c.put(t, "k", "x", "")
	_, err = c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: bucket})
	wantCode(t, "delete of a bucket with an object", err, 409, "BucketNotEmpty")
}

func TestFaults(t *testing.T) {
	c := newClient(t, Options{})
	c.put(t, "k", "old", "")
	for _, tt := range []struct {
		status int
		code   string
	}{{503, "SlowDown"}, {500, "InternalError"}} {
		c.s.SetFault(func(r *http.Request) (int, string) {
			if r.Method == http.MethodPut {
				return tt.status, tt.code
			}
			return 0, ""
		})
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: aws.String("k"), Body: strings.NewReader("new")})
		wantCode(t, "put", err, tt.status, tt.code)
		c.wantData(t, "k", "old")
	}
	c.s.SetFault(nil)
	data := strings.Repeat("0123456789", 30_000)
	c.put(t, "k", data, "")
	c.s.SetCut(func(*http.Request) int64 { return 100_000 })
	if got, err := c.get(t, "k"); !errors.Is(err, io.ErrUnexpectedEOF) || got != data[:100_000] {
		t.Errorf("get of a body that is cut: got %d bytes, %v, want 100000 and io.ErrUnexpectedEOF", len(got), err)
	}
	c.s.SetCut(nil)
	c.wantData(t, "k", data)
}
