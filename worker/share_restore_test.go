package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/testkit"
)

// TestRestoreUnderLoad puts the catalog back to an earlier moment while two worker processes work on a stream of studies,
// over Ceph RGW, PostgreSQL and redis-server. Some studies get a second batch, before or after that moment.
// Senders send again what was not acknowledged, for all they know: everything. In the end every file comes back, the
// catalog is as new as the bucket, no study has two heads, and a sweep without grace removed nothing that is needed.
func TestRestoreUnderLoad(t *testing.T) {
	dumpTool := testkit.Tool(t, "pg_dump")
	studies := 30
	if testing.Short() {
		studies = 12
	}
	ctx := context.Background()
	where, r := newSite(t)
	where.Redis, where.Lease = startKillableRedis(t).addr, 3*time.Second
	workers := []*exec.Cmd{where.start(t), where.start(t)}
	where.together(t, len(workers))
	files := map[catalog.StudyKey][][]byte{}
	var dirs []string
	send := func(n, batch int) {
		uid := fmt.Sprintf("1.2.3.%d", n)
		var list [][]byte
		for i := range 4 {
			number := batch*100 + i
			list = append(list, small{study: uid, series: uid + ".1", sop: fmt.Sprintf("%s.1.%d", uid, number), number: number, seed: n*1000 + number, rows: 128, cols: 128}.bytes(t))
		}
		dir := write(t, list...)
		dirs = append(dirs, dir)
		r.queueAgain(t, "a", dir)
		key := catalog.StudyKey{Tenant: "a", UID: uid}
		files[key] = append(files[key], list...)
	}
	stored := func() (n int) {
		for key := range files {
			if h, err := r.db.Head(ctx, key); err == nil && h.Published {
				n++
			}
		}
		return n
	}
	third := studies / 3
	for n := range third {
		send(n, 0)
	}
	until(t, "some studies are stored", func() bool { return stored() >= third/2 })
	for n := range third / 2 { // on top of what is stored, or beside what is under way
		send(n, 1)
	}
	for n := third; n < 2*third; n++ {
		send(n, 0)
	}
	dump := filepath.Join(t.TempDir(), "catalog.sql")
	if out, err := exec.Command(dumpTool, "--no-owner", "--file", dump, where.DSN).CombinedOutput(); err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, out)
	}
	inDump := stored()
	for n := 2 * third; n < studies; n++ { // the dump knows nothing of them
		send(n, 0)
	}
	for n := third / 2; n < third; n++ {
		send(n, 1)
	}
	until(t, "more studies are stored than in the dump", func() bool { return stored() >= min(inDump+third, studies-third/2) })
	before := stored()
	where.restore(t, dump)
	after := stored()
	t.Logf("%d studies were stored at the time of the dump, %d when it was put back; then the catalog knew of %d", inDump, before, after)
	if after >= before {
		t.Errorf("the catalog knows of %d studies after it was put back, and knew of %d before: nothing was tried", after, before)
	}
	restored := time.Now()
	for _, dir := range dirs { // senders got no acknowledgement
		r.queueAgain(t, "a", dir)
	}
	again := time.Now()
	r.untilOver(1)
	t.Logf("sending again took %.1f s, and the work then %.1f s", again.Sub(restored).Seconds(), time.Since(again).Seconds())
	end(t, workers)
	if err := catalog.Reconcile(ctx, r.db, r.store); err != nil {
		t.Fatal(err)
	}
	r.checkHealed(files, true)
	report := r.sweepNow()
	r.checkHealed(files, false)
	r.nothingButPublished(files)
	t.Logf("rows healed: %v; the sweep removed %d objects of %d bytes", where.ask(t, "SELECT count(*) FROM audit WHERE action = 'heal'"), len(report.Objects), report.Bytes)
}

// restore puts the database back to a dump, in one transaction, while others use it.
func (s site) restore(t *testing.T, dump string) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "restore.sql")
	raw, err := os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	const before = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
`
	raw = bytes.ReplaceAll(raw, []byte("\nCREATE SCHEMA public;\n"), []byte("\n"))
	if err := os.WriteFile(script, append([]byte(before), raw...), 0o600); err != nil {
		t.Fatal(err)
	}
	for try := 0; ; try++ { // those that connect again at once may be in the way
		out, err := exec.Command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-o", os.DevNull, "-f", script, s.DSN).CombinedOutput()
		if err == nil {
			return
		}
		if try == 20 {
			t.Fatalf("psql: %v\n%s", err, out)
		}
	}
}

// checkHealed: every file of every study comes back, and the head that SQL names is the highest of the bucket, which has one of each generation.
func (r *rig) checkHealed(files map[catalog.StudyKey][][]byte, decode bool) {
	r.t.Helper()
	ctx := context.Background()
	for key, list := range files {
		published := map[int64][]string{}
		top := int64(0)
		for info, err := range r.store.List(ctx, key.Prefix()+"m/", "") {
			if err != nil {
				r.t.Fatal(err)
			}
			if o, ok := catalog.ParseKey(info.Key); ok && o.Kind == catalog.KindPublished {
				published[o.Generation] = append(published[o.Generation], info.Key)
				top = max(top, o.Generation)
			}
		}
		for generation, keys := range published {
			if len(keys) != 1 {
				r.t.Errorf("study %s: generation %d was published %d times: %v", key.UID, generation, len(keys), keys)
			}
		}
		head, err := r.db.Head(ctx, key)
		if err != nil {
			r.t.Errorf("study %s: %v", key.UID, err)
			continue
		}
		if head.Generation != top || !head.Published || head.Status != catalog.StatusStored {
			r.t.Errorf("study %s: SQL is at generation %d (published %v, %s), the bucket at %d", key.UID, head.Generation, head.Published, head.Status, top)
		}
		s := r.open(key)
		if decode {
			verifyAll(r.t, s)
		}
		got := originals(r.t, s)
		if len(s.Instances()) != len(list) {
			r.t.Errorf("study %s: %d instances of %d", key.UID, len(s.Instances()), len(list))
		}
		for i, f := range list {
			if _, ok := got[sha256.Sum256(f)]; !ok {
				r.t.Errorf("study %s: file %d is lost", key.UID, i)
			}
		}
	}
}

// nothingButPublished: the bucket holds what heads name and the published manifests before them, no less and no more.
func (r *rig) nothingButPublished(files map[catalog.StudyKey][][]byte) {
	r.t.Helper()
	named := map[string]bool{}
	for key := range files {
		m := r.open(key).Manifest
		named[m.Key()], named[catalog.PublishedKey(m.Key())] = true, true
		m.Objects(func(k string, _ catalog.Class, _ string, _ int64) { named[k] = true })
		for p := m.Parent; p != nil; {
			older, err := catalog.LoadManifest(context.Background(), r.store, *p)
			if err != nil {
				r.t.Fatal(err)
			}
			named[p.Key], named[catalog.PublishedKey(p.Key)] = true, true
			p = older.Parent
		}
	}
	for info, err := range r.store.List(context.Background(), "", "") {
		if err != nil {
			r.t.Fatal(err)
		}
		if !named[info.Key] && !strings.HasPrefix(info.Key, "radtier-probe/") {
			r.t.Errorf("after the sweep there is still %s", info.Key)
		}
		delete(named, info.Key)
	}
	if len(named) > 0 {
		r.t.Errorf("named and not there: %v", named)
	}
}
