package s3

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/radtier/radtier/internal/objstore"
)

// facts is what docs/s3.md says of a server; the test keeps it true.
func facts(p Profile) string {
	var classes []string
	for _, c := range p.Classes {
		classes = append(classes, string(c.Name))
	}
	return fmt.Sprintf("addressing %s, checksums %s, create-only put %v multipart %v copy %v, if-match %v, verified CRC %v whole %v, MD5 ETag %v composite %v, multipart %v, classes %s, copy %v to class %v, restore %v, versioning %s, lock %s",
		p.Addressing, p.Checksums, p.CreateOnlyPut, p.CreateOnlyMultipart, p.CreateOnlyCopy, p.IfMatchGet, p.VerifiedCRC, p.WholeObjectChecksum,
		p.ETagIsMD5, p.CompositeETag, p.Multipart, strings.Join(classes, " "), p.Copy, p.CopyToClass, p.Restore, p.Versioning, p.ObjectLock)
}

func TestProfiles(t *testing.T) {
	cert, ca := certificate(t)
	const onRGW = "addressing path, checksums none, create-only put true multipart false copy false, if-match true, verified CRC false whole false, MD5 ETag true composite true, multipart true, classes STANDARD STANDARD_IA GLACIER_IR GLACIER DEEP_ARCHIVE, copy true to class true, restore false, versioning off, lock off"
	const onVersity = "addressing path, checksums sdk, create-only put true multipart true copy false, if-match true, verified CRC true whole true, MD5 ETag true composite true, multipart true, classes STANDARD, copy true to class false, restore false, versioning off, lock off"
	for _, tt := range []struct {
		name   string
		server func(*testing.T) s3Server
		want   string
	}{{"RGW", rgw, onRGW}, {"Versitygw", versitygw, onVersity}} {
		t.Run(tt.name, func(t *testing.T) {
			o := bucketOn(t, tt.server(t))
			o.Prefix = "p/"
			var all sync.WaitGroup
			for range 3 { // probes do not disturb each other
				all.Go(func() {
					p, err := Check(t.Context(), o)
					if got := facts(p); err != nil || got != tt.want || len(p.refused()) > 0 {
						t.Errorf("Check:\ngot  %s, %v\nwant %s\nfindings %v", got, err, tt.want, p.Findings)
					}
					if p.Requests > 100 {
						t.Errorf("the probe took %d requests, want at most 100", p.Requests)
					}
				})
			}
			all.Wait()
			s := mustOpen(t, o)
			for info, err := range s.List(t.Context(), reservedPrefix, "") {
				t.Errorf("the probe left %v, %v", info, err)
			}
			leaks(t, s)
			o.Endpoint, o.CAFile = newFront(t, o.Endpoint, cert).url, ca
			p, err := Check(t.Context(), o)
			if got := facts(p); err != nil || got != tt.want {
				t.Errorf("Check over TLS:\ngot  %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

// rawClient is a client of the SDK for what the store has no method for.
func rawClient(t *testing.T, o Options) *s3.Client {
	t.Helper()
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connect(t.Context(), o, AddressingPath, ChecksumsSDK)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.close)
	return conn.api
}

func TestUnsafeBuckets(t *testing.T) {
	rule := func(change func(*types.LifecycleRule)) func(*testing.T, *s3.Client, string) {
		return func(t *testing.T, api *s3.Client, bucket string) {
			r := types.LifecycleRule{ID: aws.String("r"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")}}
			change(&r)
			_, err := api.PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{
				Bucket: &bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{r}},
			})
			if err != nil {
				t.Fatalf("put lifecycle: %v", err)
			}
		}
	}
	expire := &types.LifecycleExpiration{Days: aws.Int32(30)}
	version := func(status types.BucketVersioningStatus) func(*testing.T, *s3.Client, string) {
		return func(t *testing.T, api *s3.Client, bucket string) {
			if _, err := api.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
				Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
			}); err != nil {
				t.Fatalf("put versioning: %v", err)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		set   func(*testing.T, *s3.Client, string)
		level string // of the one finding about it; "" for none
		words []string
	}{
		{"nothing", func(*testing.T, *s3.Client, string) {}, "", nil},
		{"expires everything", rule(func(r *types.LifecycleRule) { r.Expiration = expire }), LevelRefuse, []string{`"r"`, "expire", "30 days"}},
		{"expires a folder of ours", rule(func(r *types.LifecycleRule) { r.Filter.Prefix, r.Expiration = aws.String("p/t/"), expire }), LevelRefuse, []string{`"p/t/"`}},
		{"expires above us", rule(func(r *types.LifecycleRule) { r.Filter.Prefix, r.Expiration = aws.String("p"), expire }), LevelRefuse, nil},
		{"prefix of an old rule", rule(func(r *types.LifecycleRule) { r.Filter, r.Prefix, r.Expiration = nil, aws.String("p/"), expire }), LevelRefuse, nil},
		{"transitions", rule(func(r *types.LifecycleRule) {
			r.Transitions = []types.Transition{{Days: aws.Int32(60), StorageClass: types.TransitionStorageClassGlacier}}
		}), LevelRefuse, []string{"transition to GLACIER", "60 days"}},
		{"tagged", rule(func(r *types.LifecycleRule) {
			r.Filter = &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{Prefix: aws.String("p/"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}}
			r.Expiration = expire
		}), LevelWarn, []string{"tags"}},
		{"beside us", rule(func(r *types.LifecycleRule) { r.Filter.Prefix, r.Expiration = aws.String("other/"), expire }), "", nil},
		{"disabled", rule(func(r *types.LifecycleRule) { r.Status, r.Expiration = types.ExpirationStatusDisabled, expire }), "", nil},
		{"aborts uploads", rule(func(r *types.LifecycleRule) {
			r.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(7)}
		}), LevelOK, []string{"helps the sweep"}},
		{"versioned", version(types.BucketVersioningStatusEnabled), LevelRefuse, []string{"keeps versions"}},
		{"versioning suspended", func(t *testing.T, api *s3.Client, bucket string) {
			version(types.BucketVersioningStatusEnabled)(t, api, bucket)
			version(types.BucketVersioningStatusSuspended)(t, api, bucket)
		}, LevelRefuse, []string{"suspended"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := bucketOn(t, rgw(t))
			o.Prefix = "p/"
			api := rawClient(t, o)
			if _, err := api.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &o.Bucket}); err != nil {
				t.Fatal(err)
			}
			tt.set(t, api, o.Bucket)
			wantFinding(t, o, tt.level, tt.words...)
		})
	}
	t.Run("default retention", func(t *testing.T) {
		o := bucketOn(t, rgw(t))
		api := rawClient(t, o)
		if _, err := api.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &o.Bucket, ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
			t.Fatal(err)
		}
		_, err := api.PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{Bucket: &o.Bucket, ObjectLockConfiguration: &types.ObjectLockConfiguration{
			ObjectLockEnabled: types.ObjectLockEnabledEnabled,
			Rule:              &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance, Days: aws.Int32(1)}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := Check(t.Context(), o)
		if err != nil || p.ObjectLock != "default retention" || p.Versioning != "Enabled" || len(p.refused()) < 2 {
			t.Errorf("Check: got lock %q, versioning %q, %v, %v, want both refused", p.ObjectLock, p.Versioning, p.refused(), err)
		}
	})
}

// wantFinding fails the test unless Check has one finding of this level beyond the usual notes, with these words, and Open agrees.
func wantFinding(t *testing.T, o Options, level string, words ...string) {
	t.Helper()
	p, err := Check(t.Context(), o)
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	var found []Finding
	for _, f := range p.Findings {
		if f.Level != LevelNote {
			found = append(found, f)
		}
	}
	switch {
	case level == "" && len(found) == 0:
	case level == "" || len(found) != 1 || found[0].Level != level:
		t.Errorf("Check: got findings %v, want one of level %q", found, level)
	default:
		for _, word := range words {
			if !strings.Contains(found[0].String(), word) {
				t.Errorf("Check: got %q, want it to say %q", found[0], word)
			}
		}
		if level != LevelOK && found[0].Do == "" {
			t.Errorf("Check: %q does not say what to do", found[0])
		}
	}
	s, err := Open(t.Context(), o)
	var unsafe *UnsafeError
	if got := errors.As(err, &unsafe); got != (level == LevelRefuse) || (err != nil && !got) || objstore.IsTransient(err) {
		t.Errorf("Open: got %v, want refused %v", err, level == LevelRefuse)
	}
	if s != nil {
		_ = s.Close()
	}
}

func TestClassesThatAreNotThere(t *testing.T) {
	o := bucketOn(t, versitygw(t))
	o.Classes = []Class{{Name: "STANDARD"}, {Name: "STANDARD_IA"}}
	wantFinding(t, o, LevelRefuse, "STANDARD_IA", "is accepted and Head then shows", `"STANDARD"`)

	o = bucketOn(t, rgw(t))
	o.Classes = []Class{{Name: "STANDARD"}, {Name: "NO_SUCH"}}
	wantFinding(t, o, LevelRefuse, "NO_SUCH")

	o = bucketOn(t, rgw(t))
	o.Classes = []Class{{Name: "STANDARD"}, {Name: "GLACIER", Archive: true}}
	wantFinding(t, o, LevelRefuse, "GLACIER", "cannot restore")
}

func TestSettingsThatMayNotBeRead(t *testing.T) {
	for query, permission := range map[string]string{"lifecycle": "s3:GetLifecycleConfiguration", "versioning": "s3:GetBucketVersioning", "object-lock": "s3:GetBucketObjectLockConfiguration"} {
		o := bucketOn(t, rgw(t))
		f := newFront(t, o.Endpoint, nil)
		o.Endpoint = f.url
		f.interfere(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			if r.URL.Query().Has(query) {
				reply(w, 403, "AccessDenied")
				return
			}
			pass(w, r)
		}, nil)
		wantFinding(t, o, LevelWarn, permission)
	}
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	good := bucketOn(t, rgw(t))
	for _, tt := range []struct {
		name   string
		change func(*Options)
		words  string
	}{
		{"no such bucket", func(o *Options) { o.Create = false }, "create it"},
		{"wrong secret", func(o *Options) { o.SecretKey = "other" }, "check the secret key"},
		{"wrong key", func(o *Options) { o.AccessKey = "nobody" }, "does not know this access key"},
		{"nobody listens", func(o *Options) { o.Endpoint = "http://127.0.0.1:1" }, "refused"},
	} {
		o := good
		o.Attempts = 2
		tt.change(&o)
		_, err := Open(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), tt.words) || strings.Contains(err.Error(), o.SecretKey) {
			t.Errorf("%s: Open: got %v, want an error with %q", tt.name, err, tt.words)
		}
		if got, want := objstore.IsTransient(err), tt.name == "nobody listens"; got != want {
			t.Errorf("%s: Open: got transient %v, want %v (%v)", tt.name, got, want, err)
		}
		p, err := Check(t.Context(), o)
		if err != nil || len(p.refused()) != 1 || p.refused()[0].Do == "" {
			t.Errorf("%s: Check: got %v, %v, want one refusal", tt.name, p.Findings, err)
		}
	}
	for _, change := range []func(*Options){
		func(o *Options) { o.Bucket = "" }, func(o *Options) { o.Prefix = "noslash" }, func(o *Options) { o.Prefix = "/" },
		func(o *Options) { o.Endpoint = "localhost:80" }, func(o *Options) { o.Endpoint = "http://user:secret@localhost" }, func(o *Options) { o.SecretKey = "" },
		func(o *Options) { o.Addressing = "x" }, func(o *Options) { o.Checksums = "x" }, func(o *Options) { o.PartBytes = 1 },
		func(o *Options) { o.Classes = []Class{{Name: "A", Archive: true}} }, func(o *Options) { o.Concurrency = -1 },
	} {
		o := good
		change(&o)
		if _, err := Check(t.Context(), o); err == nil || strings.Contains(err.Error(), "secret@") {
			t.Errorf("Check(%+v): got %v, want an error", o, err)
		}
	}
}
