package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/internal/testkit/servers"
	"github.com/radtier/radtier/internal/testkit/synth"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// pool is an installation of a test.
type pool struct {
	*testing.T
	data, policy string
}

// yearPolicy keeps full images for 90 days, and takes proofs of a year at a level.
const yearPolicy = `schema: radtier.policy/1
name: test
tiers: [hot]
quiet: P1D
roles: {"*": secondary}
proof: {level: LEVEL, age: P1Y}
rules:
  - {name: three-months, match: {class: full}, keep: P90D, from: arrival, tiers: [{tier: hot, after: P0D}]}
  - {name: rest, match: {class: [region, result, preview]}, keep: P5Y, from: arrival}
`

func newTestPool(t *testing.T, level string, files ...[]byte) *pool {
	t.Helper()
	dir := t.TempDir()
	p := &pool{t, filepath.Join(dir, "data"), filepath.Join(dir, "policy.yaml")}
	p.write(p.policy, []byte(strings.Replace(yearPolicy, "LEVEL", level, 1)))
	for i, b := range files {
		p.write(filepath.Join(dir, "src", fmt.Sprint(i)), b)
	}
	p.radtier(exitDone, "ingest", "--wait", filepath.Join(dir, "src"))
	return p
}

func (p *pool) check(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *pool) write(path string, b []byte) {
	p.Helper()
	p.check(os.MkdirAll(filepath.Dir(path), 0o755))
	p.check(os.WriteFile(path, b, 0o644))
}

// radtier runs a command that must end so, and returns what it printed. None prints who the patient is, or a token.
func (p *pool) radtier(want int, args ...string) string {
	p.Helper()
	var stdout bytes.Buffer
	var errs lockedBuffer
	x := testProcess(p.data, &stdout, &errs, args...)
	env := x.env
	x.env = func(k string) string {
		if k == "PACS_TOKEN" {
			return "geheim"
		}
		return env(k)
	}
	if code := run(p.Context(), x); code != want {
		p.Fatalf("radtier %v: exit code %d, want %d\n%s%s", args, code, want, stdout.String(), errs.String())
	}
	out := stdout.String() + errs.String()
	for _, secret := range []string{"WANG", "SYNTHETIC^", "geheim"} {
		if strings.Contains(out, secret) {
			p.Errorf("radtier %v prints %s:\n%s", args, secret, out)
		}
	}
	return out
}

func (p *pool) query(want int, url string, args ...string) string {
	p.Helper()
	return p.radtier(want, append([]string{"proof", "query", p.policy, "--url", url, "--keeper", "hospital"}, args...)...)
}

// proof is what is recorded of the only study.
func (p *pool) proof() *catalog.Proof {
	p.Helper()
	var line custodyLine
	p.check(json.Unmarshal([]byte(p.radtier(exitDone, "custody", "show", p.study(), "--json")), &line))
	if line.Custody == nil {
		return nil
	}
	return line.Custody.Proof
}

func (p *pool) study() string {
	p.Helper()
	var line studyLine
	p.check(json.Unmarshal([]byte(p.radtier(exitDone, "studies", "--json")), &line))
	return line.StudyUID
}

func (p *pool) says(got, want string) {
	p.Helper()
	if !strings.Contains(got, want) {
		p.Errorf("%q is not in\n%s", want, got)
	}
}

func bytesOf(t *testing.T, s synth.Study) (list [][]byte) {
	t.Helper()
	for i := range s.Instances {
		b, err := s.Instances[i].Bytes()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	return list
}

// expired carries out trash and purge, each at its time after now, as applied plans do; the proof is what is recorded then.
func (p *pool) expired(kind string, after time.Duration) error {
	p.Helper()
	ctx := p.Context()
	now := func() time.Time { return time.Now().Add(after) }
	db, err := catalog.Open(ctx, catalog.Config{DSN: filepath.Join(p.data, "catalog.db"), Now: now})
	p.check(err)
	defer db.Close()
	store, err := file.Open(filepath.Join(p.data, "objects"), file.Options{})
	p.check(err)
	rules, err := policy.LoadFile(p.policy)
	p.check(err)
	plan, _, err := lifecycle.MakePlan(ctx, db, store, lifecycle.PlanOptions{Policy: rules, Hot: "hot", Now: now(), Rehearse: true})
	p.check(err)
	s, err := db.FindStudy(ctx, "", p.study())
	p.check(err)
	args := lifecycle.TrashArgs{Class: catalog.ClassFull, Policy: rules.Digest, Rules: "plans/l/" + plan.ID + "/policy.yaml", Plan: "0123456789abcdef", Line: 1, By: "ops"}
	job, err := db.QueueSide(ctx, s.Tenant, s.Hash(), kind, args.String())
	p.check(err)
	job, err = catalog.Begin(ctx, db, store, job.ID, "test", time.Hour)
	p.check(err)
	x := lifecycle.Purger{Trasher: lifecycle.Trasher{DB: db, Store: store, Hot: "hot", Owner: "test", Now: now}, Tiers: onePlace{store}}
	if kind == lifecycle.ActionTrash {
		_, err = x.Trash(ctx, job)
	} else {
		_, err = x.Purge(ctx, job)
	}
	if err != nil {
		p.check(db.Release(ctx, job.ID, job.Attempt, catalog.Drop("not due")))
	}
	return err
}

const days = 24 * time.Hour

// TestProofQueryOrthanc: a study whose full images are over goes while Orthanc shows that it has them, and stays while an instance is missing there, or a sample differs.
func TestProofQueryOrthanc(t *testing.T) {
	for _, level := range []string{"listed", "sampled"} {
		t.Run(level, func(t *testing.T) {
			o := servers.Orthanc(t)
			s := synth.Generic(synth.GenericOptions{Instances: 3, Frames: 2, Layout: synth.Layout{Rows: 24, Columns: 17, Allocated: 8, Samples: 3}})
			files := bytesOf(t, s)
			p := newTestPool(t, level, files...)
			none := filepath.Join(t.TempDir(), "none.json")
			p.write(none, fmt.Appendf(nil, `{"schema":"annotation/1","study_uid":%q,"document_id":"doc-1","revision":1,"system":"test","author":"person","created":"2026-03-01T08:00:00Z","status":"final","complete":true,"no_lesion":true,"lesions":[]}`, s.UID))
			p.radtier(exitDone, "annotate", none)
			p.radtier(exitDone, "worker", "--once")
			args := []string{"--by", "ops", "--within", "100"}
			if level == "sampled" { // behind TLS
				inside, err := url.Parse(o.URL)
				p.check(err)
				front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: inside.Scheme, Host: inside.Host}))
				front.Config.ErrorLog = log.New(io.Discard, "", 0)
				front.StartTLS()
				defer front.Close()
				o.URL = front.URL + inside.Path
				p.says(p.query(exitError, o.URL, append(args, s.UID)...), "certificate is not trusted")
				ca := filepath.Join(t.TempDir(), "ca.pem")
				p.write(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}))
				args = append(args, "--ca", ca)
			}
			blocked := func(kind string, after time.Duration) {
				t.Helper()
				if err := p.expired(kind, after); !errors.Is(err, lifecycle.ErrNotDue) {
					t.Fatalf("%s: got %v, want that it is not due", kind, err)
				}
			}

			blocked(lifecycle.ActionTrash, 91*days) // nothing was shown yet
			p.says(p.query(exitDone, o.URL, args...), "the study is not there: none of 3 instances is listed")
			blocked(lifecycle.ActionTrash, 91*days)
			for _, b := range files[1:] {
				o.Store(b)
			}
			p.says(p.query(exitDone, o.URL, args...), "0 studies proved ("+level+"), 1 different, 0 not known")
			if x := p.proof(); x.Same || !strings.Contains(x.Note, "1 not listed ("+s.Instances[0].SOPUID+")") {
				t.Errorf("with an instance missing the record is %+v", x)
			}
			blocked(lifecycle.ActionTrash, 91*days)
			o.Store(files[0])
			extra := synth.Generic(synth.GenericOptions{Name: "more", StudyUID: s.UID})
			o.Store(bytesOf(t, extra)[0])
			p.says(p.query(exitDone, o.URL, args...), "1 study proved ("+level+"), 0 different, 0 not known")
			x := p.proof()
			if !x.Same || x.Level != level || x.Keeper != "hospital" || len(x.SHA256) != 64 || !strings.HasPrefix(x.Note, "3 instances, and 1 more that are not here") {
				t.Errorf("with all of them the record is %+v", x)
			}
			if level == "sampled" && !strings.HasSuffix(x.Note, ": 3 pulled, 6 frames") {
				t.Errorf("the record says %q", x.Note)
			}
			p.says(p.radtier(exitDone, "custody", "show", s.UID), "by hospital: the same, 3 instances")
			p.says(p.query(exitDone, o.URL, args...), "0 studies proved") // it has one
			if err := p.expired(lifecycle.ActionTrash, 91*days); err != nil {
				t.Fatalf("with a proof: %v", err)
			}

			// Between trash and purge the archive loses something.
			if level == "listed" {
				o.Delete(s.Instances[1].SOPUID)
			} else {
				changed := bytes.Clone(files[1])
				changed[len(changed)-3] ^= 1
				o.Store(changed)
			}
			args = append(args, s.UID)
			p.says(p.query(exitDone, o.URL, args...), "1 different")
			blocked(lifecycle.ActionPurge, 131*days)
			if level == "sampled" {
				if x := p.proof(); x.Same || !strings.Contains(x.Note, "instance "+s.Instances[1].SOPUID+": the samples of frame 2 differ") {
					t.Errorf("with another sample the record is %+v", x)
				}
			}
			o.Store(files[1])
			p.says(p.query(exitDone, o.URL, args...), "1 study proved")
			if level == "listed" {
				o.Stop()
				before := *p.proof()
				p.says(p.query(exitPartial, o.URL, args...), "no answer after 4 tries")
				if x := p.proof(); *x != before {
					t.Errorf("an archive that is away changed the record to %+v", x)
				}
			}
			if err := p.expired(lifecycle.ActionPurge, 131*days); err != nil {
				t.Fatalf("with a proof: %v", err)
			}
			p.says(p.radtier(exitDone, "certificate", s.UID), "the primary copy was proved ("+level+")")
		})
	}
}

// TestProofQuerySampled: the same samples are the same in whatever form an archive keeps or gives them; anything else is said.
func TestProofQuerySampled(t *testing.T) {
	set := all.Set()
	jpegLS := func(v codecs.View) ([]byte, error) {
		known, _ := set.Lookup("1.2.840.10008.1.2.4.80")
		b, _, err := known.NewEncoder().Encode(nil, v, codecs.EncodeOptions{})
		return b, err
	}
	grey := synth.GenericOptions{Instances: 2, Frames: 2, Layout: synth.Layout{Rows: 16, Columns: 11, Stored: 12}}
	colour := synth.GenericOptions{Layout: synth.Layout{Rows: 5, Columns: 7, Samples: 3, Allocated: 8}}
	with := func(g synth.GenericOptions, edit func(g *synth.GenericOptions)) synth.GenericOptions {
		edit(&g)
		return g
	}
	planes := func(b []byte) []byte { // of 5 x 7 pixels, from interleaved samples
		pix, out := b[len(b)-106:len(b)-1], bytes.Clone(b)
		for i := range 35 {
			for c := range 3 {
				out[len(b)-106+c*35+i] = pix[3*i+c]
			}
		}
		at := bytes.Index(out, []byte{0x28, 0, 6, 0, 'U', 'S', 2, 0})
		out[at+8] = 1
		return out
	}
	set16 := func(tag uint16, v uint16) func(b []byte) []byte { // of group 0028
		return func(b []byte) []byte {
			out := bytes.Clone(b)
			head := binary.LittleEndian.AppendUint16([]byte{0x28, 0}, tag)
			at := bytes.Index(out, append(head, 'U', 'S', 2, 0))
			binary.LittleEndian.PutUint16(out[at+8:], v)
			return out
		}
	}
	flip := func(b []byte) []byte { out := bytes.Clone(b); out[len(out)-2] ^= 2; return out }
	report := func(text string) []byte {
		b := dcm.NewBuilder().Text(0x00080016, "1.2.840.10008.5.1.4.1.1.88.11").Text(0x00080018, "1.2.7.1").Text(0x00080060, "SR").Text(0x0020000D, "1.2.7").Text(0x0020000E, "1.2.7.9").
			Text(0x00100010, "WANG^XIAO").Text(0x00100020, "P1").Text(0x00420010, text)
		raw, err := b.File(synth.ExplicitLE)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, tt := range map[string]struct {
		ours, theirs synth.GenericOptions
		change       func(b []byte) []byte // what the archive has of each file
		frames       func(sop string, b []byte)
		noFrames     bool
		answers      func(path string) int
		report       bool
		code         int
		note         string // of the record, or what is printed if there is none
		none         bool
		differs      bool
	}{
		"the same":       {ours: grey, note: "2 pulled, 4 frames"},
		"frames refused": {ours: grey, noFrames: true, note: "2 pulled, 4 frames, 2 whole files"},
		"JPEG-LS there": {
			ours: grey, theirs: with(grey, func(g *synth.GenericOptions) { g.Syntax, g.Encode = "1.2.840.10008.1.2.4.80", jpegLS }),
			note: "4 frames, 2 whole files",
		},
		"JPEG-LS here": {
			ours: with(grey, func(g *synth.GenericOptions) { g.Syntax, g.Encode = "1.2.840.10008.1.2.4.80", jpegLS }), theirs: grey,
			note: "2 pulled, 4 frames",
		},
		"big endian there":  {ours: grey, theirs: with(grey, func(g *synth.GenericOptions) { g.Syntax = synth.ExplicitBE }), noFrames: true, note: "4 frames, 2 whole files"},
		"deflated there":    {ours: grey, theirs: with(grey, func(g *synth.GenericOptions) { g.Syntax = synth.Deflated }), noFrames: true, note: "4 frames, 2 whole files"},
		"planes, said":      {ours: colour, change: planes, note: "1 pulled, 1 frames"},
		"planes, not said":  {ours: colour, change: func(b []byte) []byte { return set16(6, 0)(planes(b)) }, note: "1 pulled, 1 frames"},
		"planes, in a file": {ours: colour, change: planes, noFrames: true, note: "1 frames, 1 whole files"},
		"more bits said to be used": {
			ours: grey, change: func(b []byte) []byte { return set16(0x0102, 15)(set16(0x0101, 16)(b)) },
			note: "the same samples with 16 bits stored there and 12 here",
		},
		"wrong frames, right file": {ours: grey, frames: func(_ string, b []byte) { b[0] ^= 1 }, note: "2 pulled, 4 frames, 2 whole files"},
		"a sample":                 {ours: grey, change: flip, differs: true, note: "the samples of frame 2 differ"},
		"a sample in JPEG-LS": {ours: grey, theirs: with(grey, func(g *synth.GenericOptions) {
			g.Syntax, g.Encode = "1.2.840.10008.1.2.4.80", func(v codecs.View) ([]byte, error) { v.Pix[0] ^= 1; return jpegLS(v) }
		}), differs: true, note: "the samples of frame 1 differ"},
		"broken JPEG-LS": {ours: grey, theirs: with(grey, func(g *synth.GenericOptions) {
			g.Syntax, g.Encode = "1.2.840.10008.1.2.4.80", func(v codecs.View) ([]byte, error) { b, err := jpegLS(v); return b[:len(b)/2], err }
		}), differs: true, note: "cannot be decoded"},
		"a syntax nobody knows": {
			ours: grey, theirs: with(grey, func(g *synth.GenericOptions) { g.Syntax, g.Encode = "1.2.840.10008.1.2.4.107", jpegLS }),
			differs: true, note: "which is not decoded here",
		},
		"inverted": {
			ours: grey, change: func(b []byte) []byte { return bytes.Replace(b, []byte("MONOCHROME2"), []byte("MONOCHROME1"), 1) },
			differs: true, note: `it is "MONOCHROME1" with 1 samples a pixel, here "MONOCHROME2" with 1`,
		},
		"signed":             {ours: grey, change: set16(0x0103, 1), differs: true, note: "signed and ours are not"},
		"shifted":            {ours: grey, change: set16(0x0102, 12), differs: true, note: "its samples end at bit 1, ours at bit 0"},
		"no file, no frames": {ours: grey, noFrames: true, answers: onInstances(404), differs: true, note: "it is listed, and cannot be retrieved"},
		"planes there, in JPEG-LS": {ours: colour, theirs: with(colour, func(g *synth.GenericOptions) {
			g.Syntax, g.Encode = "1.2.840.10008.1.2.4.80", jpegLS
		}), change: set16(6, 1), note: "1 frames, 1 whole files"},
		"other frames, no files": {ours: grey, frames: func(_ string, b []byte) { b[0] ^= 1 }, answers: func(path string) int {
			if strings.Contains(path, "/instances/") && !strings.Contains(path, "/frames/") && !strings.HasSuffix(path, "/metadata") {
				return 403
			}
			return 0
		}, differs: true, note: "the samples of frame 1 differ"},
		"frames forbidden":    {ours: grey, answers: onInstances(403), code: exitPartial, none: true, note: "not known: study"},
		"a search that fails": {ours: grey, answers: func(string) int { return 500 }, code: exitPartial, none: true, note: "answers with status 500"},
		"not a service":       {ours: grey, answers: func(string) int { return 404 }, code: exitError, none: true, note: "has no such service"},
		"not let in":          {ours: grey, answers: func(string) int { return 401 }, code: exitError, none: true, note: "refuses us (status 401)"},
		"a report":            {report: true, note: "1 pulled, 0 frames, 1 whole files"},
		"a report, encoded":   {report: true, change: deflated, note: "1 pulled, 0 frames, 1 whole files"},
		"another report":      {report: true, change: func(b []byte) []byte { return bytes.Replace(b, []byte("no nodule"), []byte("a nodule!"), 1) }, differs: true, note: "its elements differ"},
	} {
		t.Run(name, func(t *testing.T) {
			var ours, theirs [][]byte
			if tt.theirs.Frames == 0 && tt.theirs.Layout.Rows == 0 {
				tt.theirs = tt.ours
			}
			if tt.report {
				ours, theirs = [][]byte{report("no nodule")}, [][]byte{report("no nodule")}
			} else {
				ours, theirs = bytesOf(t, synth.Generic(tt.ours)), bytesOf(t, synth.Generic(tt.theirs))
			}
			if tt.change != nil {
				for i := range theirs {
					theirs[i] = tt.change(theirs[i])
				}
			}
			p := newTestPool(t, "sampled", ours...)
			a := newArchive(theirs...)
			defer a.Close()
			a.answers = tt.answers
			if tt.frames != nil {
				a.frames = tt.frames
			}
			if tt.noFrames {
				a.frames = nil
			}
			out := p.query(tt.code, a.URL+"/dw", p.study(), "--seed", "2a", "--token-env", "PACS_TOKEN")
			x := p.proof()
			if tt.none {
				if p.says(out, tt.note); x != nil {
					t.Errorf("recorded is %+v", x)
				}
				return
			}
			if x == nil || x.Same == tt.differs || x.Level != "sampled" || !strings.Contains(x.Note, tt.note) || !strings.Contains(x.Note, "seed 000000000000002a") {
				t.Errorf("recorded is %+v, printed\n%s", x, out)
			}
		})
	}
}

// onInstances refuses whatever is asked of instances.
func onInstances(code int) func(path string) int {
	return func(path string) int {
		if strings.Contains(path, "/instances/") {
			return code
		}
		return 0
	}
}

// deflated is a file with a deflated data set.
func deflated(b []byte) []byte {
	f, err := dcm.Scan(dcm.Bytes(b), int64(len(b)), dcm.Limits{})
	if err != nil {
		panic(err)
	}
	var out bytes.Buffer
	if err := dcm.Rewrite(&out, dcm.Bytes(b), f, dcm.Target{Syntax: synth.Deflated}); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// TestProofQueryVersions: of two reports with one UID the archive has one, and what is stored of the other may be the only copy.
func TestProofQueryVersions(t *testing.T) {
	report := func(text string) []byte {
		b := dcm.NewBuilder().Text(0x00080016, "1.2.840.10008.5.1.4.1.1.88.11").Text(0x00080018, "1.2.7.1").Text(0x00080060, "SR").Text(0x0020000D, "1.2.7").Text(0x0020000E, "1.2.7.9").
			Text(0x00420010, text)
		raw, err := b.File(synth.ExplicitLE)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, level := range []string{"listed", "sampled"} {
		p := newTestPool(t, level, report("no nodule"), report("a nodule"))
		a := newArchive(report("a nodule"))
		p.says(p.query(exitDone, a.URL+"/dw", p.study()), "of 1 instances 1 here in versions of different content, of which an archive has one (1.2.7.1)")
		a.Close()
	}
}

// TestProofQueryChoice: a seed chooses the same again; one instance of each series is pulled at least, and not more than asked for.
func TestProofQueryChoice(t *testing.T) {
	var files [][]byte
	for n := range 3 {
		files = append(files, bytesOf(t, synth.Generic(synth.GenericOptions{Name: fmt.Sprint("series ", n), StudyUID: "1.2.8", Number: n + 1, Instances: 6}))...)
	}
	p := newTestPool(t, "sampled", files...)
	pulled := func(args ...string) (sops string, n int) {
		a := newArchive(files...)
		defer a.Close()
		p.says(p.query(exitDone, a.URL+"/dw", append(args, p.study())...), "1 study proved")
		var list []string
		for _, r := range a.requests {
			if at := strings.Index(r, "/frames/"); at > 0 {
				list = append(list, r[strings.Index(r, "/series/"):at])
			}
		}
		return strings.Join(list, " "), len(list)
	}
	one, n := pulled("--seed", "1", "--sample", "1")
	if n != 3 || strings.Count(one, "/series/") != 3 {
		t.Errorf("of three series %d instances were pulled: %s", n, one)
	}
	if again, _ := pulled("--seed", "1", "--sample", "1"); again != one {
		t.Errorf("the same seed chose %s, before %s", again, one)
	}
	if other, _ := pulled("--seed", "2", "--sample", "1"); other == one {
		t.Errorf("another seed chose the same: %s", other)
	}
	for sample, want := range map[string]int{"7": 7, "50%": 9, "100": 18, "100%": 18} {
		if _, n := pulled("--sample", sample); n != want {
			t.Errorf("--sample %s: %d instances, want %d", sample, n, want)
		}
	}
}

// TestProofQueryGivesUp: an archive that is not there is left alone after a few studies.
func TestProofQueryGivesUp(t *testing.T) {
	var files [][]byte
	for seed := range 6 {
		files = append(files, bytesOf(t, synth.Generic(synth.GenericOptions{Options: synth.Options{Seed: uint64(seed + 1)}}))...)
	}
	p := newTestPool(t, "listed", files...)
	a := newArchive(files...)
	defer a.Close()
	a.answers = func(string) int { return http.StatusForbidden }
	var uids []string
	for _, line := range strings.Split(strings.TrimSpace(p.radtier(exitDone, "studies", "--json")), "\n") {
		var s studyLine
		p.check(json.Unmarshal([]byte(line), &s))
		uids = append(uids, s.StudyUID)
	}
	var r queryResult
	out := p.query(exitError, a.URL+"/dw", append(uids, "--requests", "1", "--json")...)
	p.check(json.NewDecoder(strings.NewReader(out)).Decode(&r))
	if !r.Stopped || len(r.Failed) != giveUpAfter || a.asked("/instances") != giveUpAfter {
		t.Errorf("it went on: %+v, %d requests", &r, a.asked("/instances"))
	}
	p.says(out, "the archive was given up")
	a.answers = nil
	p.says(p.query(exitDone, a.URL+"/dw", append(uids, "--limit", "4")...), "4 studies proved")
}
