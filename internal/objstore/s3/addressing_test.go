package s3

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/radtier/radtier/internal/objstore"
)

// dialTo connects names under a domain to one address, as a wildcard DNS entry would; other names do not exist.
func dialTo(address string, names func(host string) bool) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr)
		if !names(host) {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

func TestVirtualAddressing(t *testing.T) {
	server := rgw(t)
	o := bucketOn(t, server)
	target, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	// The front takes bucket.s3.test, and asks the server behind it by path, signed anew.
	f := newFront(t, server.Endpoint, nil)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	f.interfere(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		bucket, ok := strings.CutSuffix(r.Host, ".s3.test")
		if !ok || bucket != o.Bucket {
			reply(w, 400, "NotVirtual")
			return
		}
		r.Host, r.URL.RawPath, r.URL.Path = target.Host, "/"+bucket+r.URL.EscapedPath(), "/"+bucket+r.URL.Path
		hash := r.Header.Get("X-Amz-Content-Sha256")
		r.URL.Host, r.URL.Scheme = target.Host, target.Scheme
		r.Header.Del("Authorization")
		if err := signer.SignHTTP(r.Context(), aws.Credentials{AccessKeyID: server.AccessKey, SecretAccessKey: server.SecretKey}, r, hash, "s3", "us-east-1", time.Now()); err != nil {
			reply(w, 500, "Signing")
			return
		}
		pass(w, r)
	}, nil)
	address := strings.TrimPrefix(f.url, "http://")
	o.Endpoint = "http://s3.test"
	o.test.dial = dialTo(address, func(host string) bool { return strings.HasSuffix(host, ".s3.test") })
	for _, addressing := range []string{AddressingVirtual, AddressingAuto} {
		o.Addressing = addressing
		s := mustOpen(t, o)
		if got := s.Profile().Addressing; got != AddressingVirtual {
			t.Errorf("%s: got addressing %q, want virtual", addressing, got)
		}
		key := addressing + "/a+b=c"
		if _, err := put(t, s, key, 1000, 1000); err != nil {
			t.Fatal(err)
		}
		wantPattern(t, s, key, 1000)
	}

	// Where the bucket's own name cannot be looked up, auto falls back to the path.
	f.interfere(nil, nil)
	o.Addressing = AddressingAuto
	o.test.dial = dialTo(address, func(host string) bool { return host == "s3.test" })
	if got := mustOpen(t, o).Profile().Addressing; got != AddressingPath {
		t.Errorf("auto without a name for the bucket: got addressing %q, want path", got)
	}
	o.Addressing = AddressingVirtual
	p, err := Check(t.Context(), o)
	if err != nil || len(p.refused()) != 1 || !strings.Contains(p.refused()[0].What, "look up") {
		t.Errorf("Check, virtual without a name for the bucket: got %v, %v, want one refusal", p.Findings, err)
	}
}

func TestAddressings(t *testing.T) {
	for _, tt := range []struct {
		endpoint, bucket string
		want             []string
	}{
		{"", "b", []string{AddressingVirtual}},
		{"https://s3.eu-west-1.amazonaws.com", "b", []string{AddressingVirtual}},
		{"", "b.with.dots", []string{AddressingPath}},
		{"http://127.0.0.1:9000", "b", []string{AddressingPath}},
		{"http://[::1]:9000", "b", []string{AddressingPath}},
		{"http://localhost:9000", "b", []string{AddressingPath}},
		{"https://oss-cn-hangzhou.example.com", "b", []string{AddressingVirtual, AddressingPath}},
	} {
		if got := (Options{Endpoint: tt.endpoint, Bucket: tt.bucket, Addressing: AddressingAuto}).addressings(); !slices.Equal(got, tt.want) {
			t.Errorf("addressings(%q, %q) = %v, want %v", tt.endpoint, tt.bucket, got, tt.want)
		}
	}
}

func TestListingOutOfOrder(t *testing.T) {
	f, s := behindFront(t, rgw(t))
	page := `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>b</Key><Size>1</Size></Contents><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>`
	endless := `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>`
	for name, answer := range map[string]string{"out of byte order": page, "goes on": endless} {
		f.interfere(func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { _, _ = w.Write([]byte(answer)) }, nil)
		var last error
		for _, last = range s.List(t.Context(), "", "") {
		}
		if last == nil || !strings.Contains(last.Error(), name) {
			t.Errorf("List of a server whose list %s: got %v, want an error", name, last)
		}
	}
}

func TestCopyInParts(t *testing.T) {
	each(t, func(t *testing.T, f *front, s *Store) {
		s.o.test.largestCopy, s.o.test.copyPart = 6<<20, 5<<20
		const size = 12<<20 + 5
		if _, err := put(t, s, "from", size, size); err != nil {
			t.Fatal(err)
		}
		classes := s.Capabilities().Classes
		info, err := s.Copy(t.Context(), "from", "to", classes[len(classes)-1])
		if err != nil || info.Size != size || info.Class != classes[len(classes)-1] || !strings.HasSuffix(info.Version, "-3") {
			t.Errorf("Copy in parts: got %+v, %v, want %d bytes in 3 parts in the last class", info, err, size)
		}
		wantPattern(t, s, "to", size)
		f.interfere(func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			if r.URL.Query().Get("partNumber") == "2" {
				reply(w, 403, "AccessDenied")
				return
			}
			pass(w, r)
		}, nil)
		if _, err := s.Copy(t.Context(), "from", "broken", ""); err == nil || objstore.IsTransient(err) {
			t.Errorf("Copy with a part that is refused: got %v, want a lasting error", err)
		}
		f.interfere(nil, nil)
		wantNothing(t, s, "broken")
	})
}
