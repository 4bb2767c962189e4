package dicomweb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options says whom to ask, and how. Zero values have defaults.
type Options struct {
	URL      string         // of the service, such as https://pacs/dicom-web: without a user, a query or a fragment
	Roots    *x509.CertPool // who may vouch for the server; nil: as this machine says
	Token    string         // bearer token, "" none. It is sent over TLS only, but for loopback
	Requests int            // at once; 0 means 2
	Timeout  time.Duration  // the longest time without a byte; 0 means 1 minute. A whole answer has 20 times as long
	Tries    int            // of each request; 0 means 4
	Page     int            // instances that are asked for at once; 0 means 1000
	MaxList  int64          // bytes of a page or a header; 0 means 32 MiB

	wait func(ctx context.Context, d time.Duration) error // before another try; nil: that long
}

// Client asks one server. It may be used from many goroutines.
type Client struct {
	o    Options
	base string
	http *http.Client
	room chan struct{} // a token for each request under way
}

// Waits between tries.
const (
	firstWait = 500 * time.Millisecond
	longest   = 2 * time.Minute // that a server may ask us to wait
)

// New makes a client. Nothing is asked yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil: // its text repeats the URL, which may hold a password
		return nil, errors.New("the URL cannot be read")
	case u.User != nil:
		return nil, errors.New("the URL has a user or a password in it: give a token instead")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Opaque != "":
		return nil, errors.New("the URL is not one of https:// or http:// with a host")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the URL has a query or a fragment: give where the service begins, such as https://pacs/dicom-web")
	case o.Token != "" && u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("a token is not sent to %s without TLS: use https://", u.Host)
	}
	set(&o.Requests, 2)
	set(&o.Timeout, time.Minute)
	set(&o.Tries, 4)
	set(&o.Page, 1000)
	set(&o.MaxList, 32<<20)
	if o.wait == nil {
		o.wait = sleep
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12}
	t.MaxConnsPerHost, t.MaxIdleConnsPerHost = o.Requests, o.Requests
	t.MaxResponseHeaderBytes = 64 << 10
	c := &Client{o: o, base: strings.TrimRight(u.String(), "/"), room: make(chan struct{}, o.Requests)}
	c.http = &http.Client{Transport: t, CheckRedirect: stay}
	return c, nil
}

func set[T int | int64 | time.Duration](p *T, standard T) {
	if *p <= 0 {
		*p = standard
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// stay follows redirects on the host that was asked only.
func stay(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	if r.URL.Scheme != first.Scheme || r.URL.Host != first.Host {
		return &RedirectError{Host: r.URL.Scheme + "://" + r.URL.Host}
	}
	if len(via) >= 5 {
		return errLoop
	}
	return nil
}

var errLoop = errors.New("redirected 5 times")

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pause is how long to wait after a try, counted from 0: longer each time, not the same for all who wait.
func pause(try int) time.Duration {
	d := firstWait << min(try, 6)
	return d/2 + rand.N(d)
}
