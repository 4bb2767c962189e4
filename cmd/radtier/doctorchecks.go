package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore/s3"
)

// checkConfig says what is in effect, and what does not fit together for several machines.
func checkConfig(cfg *config.Config, e *examination) {
	where := cfg.File
	if where == "" {
		where = "built-in defaults (no file found)"
	}
	e.add(levelOK, "", "%s; radtier %s", where, version())
	if len(cfg.Ignored) > 0 {
		e.add(levelNote, "", "these environment variables are no keys and are ignored: %s", strings.Join(cfg.Ignored, ", "))
	}
	local := 0
	for _, t := range cfg.Tiers {
		if t.Kind == "file" {
			local++
		}
	}
	if cfg.Queue.Kind != "embedded" && (cfg.Catalog.Driver == "sqlite" || local > 0) {
		e.add(levelNote, "for several machines use catalog.driver postgres and tiers of kind s3", "the queue can be shared by several machines; catalog or objects lie on this one")
	}
	if cfg.Queue.Kind == "embedded" && cfg.Catalog.Driver == "postgres" {
		e.add(levelNote, "for several workers use queue.kind redis, sentinel or cluster", "the catalog can be shared by several machines; the queue is embedded: one worker process for each data directory")
	}
}

// longWait is how long a job may be due before somebody should look.
const longWait = time.Hour

// checkCatalog asks the database.
func checkCatalog(ctx context.Context, cfg *config.Config, e *examination) {
	if cfg.Catalog.Driver == "sqlite" {
		if _, err := os.Stat(cfg.Catalog.Path); errors.Is(err, os.ErrNotExist) {
			e.add(levelWarn, "`radtier ingest` makes one; if there was one, `radtier rebuild` makes it anew from the objects", "there is none at %s", cfg.Catalog.Path)
			return
		}
		if d, err := diskOf(existing(cfg.Catalog.Path)); err == nil && d.remote() {
			e.add(levelFail, "move it to a local disk, or use catalog.driver postgres", "%s lies on a file system of kind %s: SQLite's locks do not hold there and the catalog will be damaged", cfg.Catalog.Path, d.Kind)
		}
	}
	c := catalogConfig(cfg)
	c.Patience = -1 // to be down is an answer
	db, err := catalog.Open(ctx, c)
	if err != nil {
		e.add(levelFail, "check address, network and server; studies wait meanwhile, and nothing is lost", "cannot be used: %v", err)
		return
	}
	defer db.Close()
	h, err := db.Health(ctx)
	if err != nil {
		e.add(levelFail, "look into the log of the database", "does not answer: %v", err)
		return
	}
	e.add(levelOK, "", "%s, %s; schema %d, %s, answers in %s", h.Server, h.Where, h.Schema, bytesText(h.Bytes), h.RoundTrip.Round(10*time.Microsecond))
	if h.RoundTrip > 100*time.Millisecond {
		e.add(levelWarn, "put the workers nearer to the database: a study takes about a dozen transactions", "an answer takes %s", h.RoundTrip.Round(time.Millisecond))
	}
	checkClock(e, "database", h.Skew, "leases are judged by the clocks of workers: one that is ahead takes jobs of others")
	checkWork(h, e)
}

// checkWork judges what the catalog says of the work.
func checkWork(h catalog.Health, e *examination) {
	e.area = "work"
	e.add(levelOK, "", "%d queued, %d running, %d failed; %s in quarantine", h.Jobs[catalog.JobQueued], h.Jobs[catalog.JobRunning], h.Jobs[catalog.JobFailed], plural(h.Quarantine, "file"))
	workers := map[string]bool{}
	for _, o := range h.Owners {
		if o.LeaseUntil.After(time.Now()) {
			workers[o.Name] = true
		}
	}
	if !h.OldestWaiting.IsZero() {
		if age := time.Since(h.OldestWaiting); age > longWait {
			e.add(levelWarn, "start more workers, or look into their log", "the oldest job that is due waits for %s; %s at work", durationText(age), plural(len(workers), "worker"))
		} else {
			e.add(levelOK, "", "the oldest job that is due waits for %s; %s at work", durationText(age), plural(len(workers), "worker"))
		}
	} else if len(workers) > 0 {
		e.add(levelOK, "", "%s at work", plural(len(workers), "worker"))
	}
	if h.ExpiredLeases > 0 {
		e.add(levelWarn, "start a worker: it takes them over", "%s: their workers have gone silent", plural(h.ExpiredLeases, "running job"))
	}
	if n := h.Jobs[catalog.JobFailed]; n > 0 {
		e.add(levelWarn, "`radtier quarantine list` says why, `radtier quarantine retry` tries again", "%s set aside", plural(n, "study"))
	}
	if h.Quarantine > 0 {
		e.add(levelNote, "`radtier quarantine list` says why", "%s could not be read and may be the only copy", plural(h.Quarantine, "file"))
	}
	if h.Forks > 0 {
		e.add(levelFail, "`radtier rebuild --force` names the manifests: compare them and remove the .ok of the wrong one", "%s stopped by a fork: two catalogs wrote to one bucket", plural(h.Forks, "study"))
	}
	if h.Unpublished > 0 {
		e.add(levelNote, "", "%s decided and not published yet: a worker does it within a minute", plural(h.Unpublished, "study"))
	}
	if h.Rebuilding {
		e.add(levelWarn, "`radtier rebuild` goes on with it", "a rebuild of this catalog was stopped before its end, or runs now")
	}
}

// maxSkew is by how much clocks may differ before it is worth a word.
const maxSkew = 5 * time.Second

// checkClock judges by how much another clock is ahead of this machine's.
func checkClock(e *examination, whose string, ahead time.Duration, breaks string) {
	if ahead.Abs() <= maxSkew {
		return
	}
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	area := e.area
	e.area = "clock"
	e.add(levelWarn, "set the clocks by NTP (`timedatectl`)", "the clock of the %s is %s %s this machine's: %s", whose, durationText(ahead.Abs()), direction, breaks)
	e.area = area
}

// checkTier probes a store and repeats what was found.
func checkTier(ctx context.Context, t config.Tier, e *examination) {
	r := checkStore(ctx, t)
	said := false
	for _, f := range r.Findings {
		level := map[string]string{s3.LevelOK: levelOK, s3.LevelNote: levelNote, s3.LevelWarn: levelWarn, s3.LevelRefuse: levelFail}[f.Level]
		if level == levelOK {
			continue
		}
		said = said || level == levelFail
		e.add(level, f.Do, "%s", f.What)
	}
	if said {
		return
	}
	what := fmt.Sprintf("%s can be used", r.Where)
	if b := r.Bucket; b != nil {
		what += "; create-only put: " + yes(b.profile.CreateOnlyPut) + "; checksums: " + b.profile.Checksums
	} else if r.Directory.Kind != "" {
		what += fmt.Sprintf("; %s, %s free", r.Directory.Kind, bytesText(r.Directory.Free))
	}
	e.checks = append([]check{{e.area, levelOK, what, ""}}, e.checks...)
	if t.Kind == "s3" && t.S3.Endpoint != "" {
		if ahead, ok := serverClock(ctx, t.S3); ok {
			checkClock(e, "server of tier "+t.Name, ahead, "servers refuse requests that seem 15 minutes old, and grace periods of a sweep are measured by both")
		}
	}
}

// serverClock is by how much the clock of an S3 server is ahead, by the date of any answer, to a second.
func serverClock(ctx context.Context, b config.S3) (time.Duration, bool) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()
	if b.CAFile != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if pem, err := os.ReadFile(b.CAFile); err == nil {
			pool.AppendCertsFromPEM(pem)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Endpoint, nil) // some servers answer HEAD with a body
	if err != nil {
		return 0, false
	}
	start := time.Now()
	res, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return 0, false
	}
	res.Body.Close()
	at, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return 0, false
	}
	now := time.Now()
	return at.Add(500 * time.Millisecond).Sub(start.Add(now.Sub(start) / 2)), true // the date is cut to seconds
}

// checkDisks looks at the directories of this machine.
func checkDisks(cfg *config.Config, e *examination) {
	temp := cfg.Worker.Temp
	if temp == "" {
		temp = os.TempDir()
	}
	for _, x := range []struct{ name, path string }{{"data", cfg.Data}, {"temporary files", temp}} {
		d, err := diskOf(existing(x.path))
		if err != nil {
			e.add(levelNote, "", "%s: %v", x.path, err)
			continue
		}
		if full := d.full(x.path); full != nil {
			e.add(levelWarn, full.Do, "%s: %s", x.name, full.What)
			continue
		}
		e.add(levelOK, "", "%s: %s, %s, %s free", x.name, x.path, d.Kind, bytesText(d.Free))
	}
}
