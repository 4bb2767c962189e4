package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/objstore/file"
	"github.com/radtier/radtier/internal/testkit/synth"
	"github.com/radtier/radtier/lifecycle"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"radtier": main,
		"synth":   func() { os.Exit(synthMain()) },
	})
}

// TestScripts types commands as users do.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("RADTIER_QUEUE_SERVER", "none") // redis-server where a script says so
			e.Setenv("RADTIER_WORKER_MEMORY", "64MiB")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "field": field, "samefiles": sameFiles, "flip": flip, "contains": contains, "expire": expire, "inventory": inventory, "watermark": watermark, "archive": archiveOf,
		},
	})
}

// exits CODE command...: runs a command that must end with this exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v: %v", args[1:], err)
		}
		got = exit.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("%v: exit code %d, want %s", args[1:], got, args[0])
	}
}

// field VARIABLE key [N]: sets a variable from the N-th JSON object, from 0, that the last command printed.
func field(ts *testscript.TestScript, neg bool, args []string) {
	line := 0
	if len(args) == 3 {
		var err error
		line, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	var v map[string]any
	for d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout"))); line >= 0; line-- {
		v = nil
		ts.Check(d.Decode(&v))
	}
	if neg || v[args[1]] == nil {
		ts.Fatalf("no field %s in %v", args[1], v)
	}
	ts.Setenv(args[0], fmt.Sprint(v[args[1]]))
}

// expire STUDY CLASS...: puts classes of a study into the trash, as a plan does 90 days later.
func expire(ts *testscript.TestScript, neg bool, args []string) {
	ctx := context.Background()
	db, err := catalog.Open(ctx, catalog.Config{DSN: ts.MkAbs("radtier-data/catalog.db")})
	ts.Check(err)
	defer db.Close()
	store, err := file.Open(ts.MkAbs("radtier-data/objects"), file.Options{})
	ts.Check(err)
	s, err := db.FindStudy(ctx, "", args[0])
	ts.Check(err)
	for _, class := range args[1:] {
		_, err := catalog.CommitAside(ctx, db, store, catalog.Aside{Key: s.StudyKey, Action: lifecycle.ActionTrash, By: "ops", Note: "test", Change: func(m *catalog.Manifest) error {
			return m.PutInTrash(catalog.Trashed{Class: catalog.Class(class), Since: time.Now().UTC(), By: "ops", Rule: "three-months"})
		}})
		ts.Check(err)
	}
}

// inventory FILE: writes what `show --instances --json` printed as the inventory of a keeper.
func inventory(ts *testscript.TestScript, neg bool, args []string) {
	var shown showResult
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &shown))
	var b strings.Builder
	for _, in := range shown.InstancesOf {
		fmt.Fprintf(&b, "{\"study_uid\":%q,\"sop_uid\":%q,\"sha256\":%q}\n", shown.StudyUID, in.SOPUID, in.FileSHA256)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

// watermark DURATION: sets when something was last removed, from now.
func watermark(ts *testscript.TestScript, neg bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	db, err := sql.Open("sqlite", ts.MkAbs("radtier-data/catalog.db"))
	ts.Check(err)
	_, err = db.Exec(`UPDATE watermark SET at = ?`, time.Now().Add(d).UnixMilli())
	ts.Check(errors.Join(err, db.Close()))
}

// samefiles DIR DIR: both have the same files below them, by content, whatever their names.
func sameFiles(ts *testscript.TestScript, neg bool, args []string) {
	a, b := sums(ts, ts.MkAbs(args[0])), sums(ts, ts.MkAbs(args[1]))
	if same := strings.Join(a, " ") == strings.Join(b, " "); same == neg {
		ts.Fatalf("samefiles is %v: %s has %d files, %s has %d", same, args[0], len(a), args[1], len(b))
	}
}

func sums(ts *testscript.TestScript, dir string) []string {
	var list []string
	ts.Check(filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		list = append(list, hex.EncodeToString(sum[:]))
		return err
	}))
	if len(list) == 0 {
		ts.Fatalf("%s has no files", dir)
	}
	sort.Strings(list)
	return list
}

// flip DIR SUFFIX OFFSET: flips a bit of the one file below DIR whose path ends so.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	path := only(ts, args[0], args[1])
	data, err := os.ReadFile(path)
	ts.Check(err)
	at, err := strconv.Atoi(args[2])
	ts.Check(err)
	data[at] ^= 4
	ts.Check(os.Chmod(path, 0o640))
	ts.Check(os.WriteFile(path, data, 0o640))
}

func only(ts *testscript.TestScript, dir, suffix string) string {
	var found []string
	ts.Check(filepath.WalkDir(ts.MkAbs(dir), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasSuffix(path, suffix) {
			found = append(found, path)
		}
		return err
	}))
	if len(found) != 1 {
		ts.Fatalf("%d files below %s end with %s, want one: %v", len(found), dir, suffix, found)
	}
	return found[0]
}

// contains DIR SUFFIX TEXT: the one file below DIR whose path ends so has these bytes.
func contains(ts *testscript.TestScript, neg bool, args []string) {
	data, err := os.ReadFile(only(ts, args[0], args[1]))
	ts.Check(err)
	if strings.Contains(string(data), args[2]) == neg {
		ts.Fatalf("contains %q is %v", args[2], !neg != neg)
	}
}

// chinese is a name in Unicode, as ISO_IR 192 says.
const chinese = "王^小東"

func synthMain() int {
	seed := flag.Uint64("seed", 1, "")
	kind := flag.String("kind", "ct", "demo, ct, implicit or clip")
	n := flag.Int("n", 3, "instances")
	number := flag.Int("series", 1, "")
	flag.Parse()
	g := synth.GenericOptions{Options: synth.Options{Seed: *seed}, Name: fmt.Sprint("series", *number), Number: *number, Modality: "CT", Instances: *n,
		StudyUID: fmt.Sprint("1.2.826.0.1.3680043.9.1.", *seed),
		Layout:   synth.Layout{Rows: 64, Columns: 48, Samples: 1, Allocated: 16, Stored: 12, HighBit: 11, Photometric: "MONOCHROME2"}}
	var list []synth.Study
	switch *kind {
	case "demo":
		list = synth.Demo(synth.Options{Seed: *seed, Scale: 0.1})
	case "ct":
		list = []synth.Study{synth.Generic(g)}
	case "implicit":
		g.Syntax = synth.ImplicitLE
		g.Edit = func(_ int, b *dcm.Builder) {
			b.Text(0x00080005, "ISO_IR 192")
			b.Raw(0x00100010, "PN", pad(chinese))
		}
		list = []synth.Study{synth.Generic(g)}
	case "clip":
		g.Frames = 5
		list = []synth.Study{synth.Generic(g)}
	}
	for _, s := range list {
		if _, _, err := s.WriteTo(flag.Arg(0)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

func pad(s string) []byte {
	if len(s)%2 == 1 {
		s += " "
	}
	return []byte(s)
}
