package lifecycle_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// edit replaces one piece of a source file, relative to the module.
type edit struct{ file, old, new string }

// breaks are ways to break each guarantee of docs/lifecycle.md, in the way in which somebody would by mistake, and the tests that must fail then.
var breaks = []struct {
	guarantee, what string
	edits           []edit
	pkg, tests      string
}{
	{"G1", "what expired is purged at once", []edit{{"lifecycle/policy/decide.go", "		d.Action = Trash\n", "		d.Action = Purge\n"}}, "./lifecycle", "TestTrash$"},
	{"G2", "a copy is not read back", []edit{{"lifecycle/move.go", "	return check(ctx, dst, to)\n", "	return nil\n"}}, "./lifecycle", "TestMoveStoreLies"},
	{"G2", "full images are purged without a look at the regions that stay", []edit{{"lifecycle/purge.go", "	if a.Class == catalog.ClassFull {\n		if err := p.prove", "	if false {\n		if err := p.prove"}}, "./worker", "TestPurgeDamagedRegion"},
	{"G3", "a move names its copies before they are made", []edit{{"lifecycle/move.go", "		if err := mv.copy(ctx, p, to); err != nil {\n			return nil, fmt.Errorf(\"move", "		if false {\n			return nil, fmt.Errorf(\"move"}}, "./lifecycle", "TestMove$|TestMoveCrash"},
	{"G4", "the same job is queued twice", []edit{{"internal/catalog/side.go", "AND kind = ? AND args = ? LIMIT 1`", "AND kind = ? AND args = ? AND id = '' LIMIT 1`"}}, "./lifecycle", "TestApply$"},
	{"G4", "a zombie commits", []edit{{"internal/catalog/decide.go", "(job.State != JobRunning || job.Attempt != d.in.Attempt || job.StudyKey != d.in.Key || d.in.Token != \"\" && job.Token != d.in.Token || !job.LeaseUntil.After(now))", "job.StudyKey != d.in.Key"}}, "./internal/catalog", "TestSQLite/Zombie"},
	{"G5", "a purge does not ask again in its commit", []edit{{"lifecycle/purge.go", "		if _, _, err := due(rules, m, p.Hot, accessed, now, a.Class, policy.Purge); err != nil {\n			return nil, err\n		}\n", ""}}, "./worker", "TestPurgeAsksAgain"},
	{"G5", "a purge does not wait for arrivals", []edit{{"lifecycle/purge.go", "Quiet: true, Change: change", "Quiet: false, Change: change"}}, "./worker", "TestPurgeAsksAgain"},
	{"G5", "a sweep does not ask for holds in the catalog", []edit{{"internal/catalog/removal.go", "r.Superseded && heldUntil > toMS(db.now())", "false"}, {"lifecycle/sweep.go", "			if head.HeldAt(s.o.Now()) {\n				s.Held++\n				continue\n			}\n", ""}}, "./lifecycle", "TestSweep"},
	{"G6", "a primary copy of which no patient event is known may go", []edit{{"lifecycle/policy/decide.go", "		case f.LastEvent == 0:\n", "		case f.LastEvent == 0 && false:\n"}}, "./lifecycle/policy", "TestDecide"},
	{"G6", "one person lowers the protection of a study", []edit{{"lifecycle/custody.go", "if len(lower) > 0 && (", "if false && ("}}, "./lifecycle", "TestTell"},
	{"G7", "an old proof is as good as a new one", []edit{{"lifecycle/policy/decide.go", "		switch x := f.Proof; {\n		case x == nil:\n", "		switch x := f.Proof; {\n		case x != nil && x.Same:\n		case x == nil:\n"}}, "./lifecycle/policy", "TestDecide"},
	{"G7", "a digest that differs is no difference", []edit{{"lifecycle/proof.go", "type inventoryRow struct {\n	Study   string `json:\"study_uid\"`\n	SOP     string `json:\"sop_uid\"`\n	File    string `json:\"sha256\"`", "type inventoryRow struct {\n	Study   string `json:\"study_uid\"`\n	SOP     string `json:\"sop_uid\"`\n	File    string `json:\"-\"`"}}, "./lifecycle", "TestInventory|TestCompare"},
	{"G8", "a plan of another policy is applied", []edit{{"lifecycle/apply.go", "	case plan.PolicySHA256 != o.Policy.Digest:\n", "	case false:\n"}}, "./lifecycle", "TestApplyRefuses"},
	{"G8", "a line that was changed is applied", []edit{{"lifecycle/plan_read.go", "			if digestOf(raw) != part.SHA256 {\n", "			if false {\n"}, {"lifecycle/plan_read.go", "l.Number != number || l.Prev != prev", "prev == \"\""}, {"lifecycle/plan_read.go", "		if number != p.Lines || prev != p.Last {\n", "		if false {\n"}}, "./lifecycle", "TestPlanTampered"},
	{"G9", "small plans pass the breaker", []edit{{"internal/catalog/side.go", "		if have >= most {\n", "		if false {\n"}, {"lifecycle/apply.go", "		if have+d.studies > d.most {\n", "		if d.studies > d.most {\n"}}, "./lifecycle", "TestBreaker"},
	{"G10", "a tie is decided by chance", []edit{{"lifecycle/policy/load.go", "o.Priority == r.Priority && r.Match.meets(&o.Match)", "false"}}, "./lifecycle/policy", "TestLoadRefuses"},
	{"G11", "a clock that went back deletes", []edit{{"lifecycle/clock.go", "		return fmt.Errorf(\"%w (it is %s, and was %s)\", ErrClockBack, now.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339))\n	}\n	noted", "	}\n	noted"}}, "./lifecycle", "TestClock$"},
	{"G11", "who deletes does not ask the clocks", []edit{{"lifecycle/sweep.go", "		if err := o.Guard.ask(ctx); err != nil {\n			return s.SweepReport, fmt.Errorf(\"sweep: %w\", err)\n		}\n", ""}, {"lifecycle/sweep.go", "	if err := s.o.Guard.ask(ctx); err != nil {\n		return err\n	}\n	i := slices", "	i := slices"}}, "./lifecycle", "TestClockGuards"},
	{"G11", "a month has thirty days", []edit{{"lifecycle/policy/day.go", "func (d Day) Add(p Period) Day {\n", "func (d Day) Add(p Period) Day {\n	if p.Months > 0 {\n		return d + Day(30*p.Months+365*p.Years+p.Days)\n	}\n"}}, "./lifecycle/policy", "TestAdd"},
	{"G12", "a move takes what lies on other tiers along", []edit{{"lifecycle/move.go", "p.Class != a.Class || p.Tier != a.From", "p.Class != a.Class"}}, "./lifecycle", "TestMove"},
	{"G13", "a line of the audit log need not follow the one before", []edit{{"internal/catalog/audit.go", "		case e.Prev != sum:\n", "		case false:\n"}, {"internal/catalog/audit.go", "has && want != at", "has && want != at && false"}}, "./internal/catalog", "TestSQLite/AuditTampered"},
	{"G13", "a purge leaves no certificate", []edit{{"lifecycle/purge.go", "		m.Certificates = append(m.Certificates, *cert)\n		m.Totals.StoredBytes = m.StoredBytes()\n		return m, m.TakeFromTrash", "		m.Totals.StoredBytes = m.StoredBytes()\n		return m, m.TakeFromTrash"}, {"lifecycle/purge.go", "	cert, err := putCertificate(ctx, p.Store, job, d)\n", "	_, err = putCertificate(ctx, p.Store, job, d)\n"}}, "./worker", "TestPurge$"},
	{"G14", "what comes late stays in the trash", []edit{{"worker/pipeline.go", "	m.Trash = nil // something came: it is decided anew what expires\n", ""}}, "./worker", "TestTrashHides"},
	{"G14", "regions are planned anew from what a purge left", []edit{{"worker/regions.go", "	if had != nil && (view.Manifest.Purged(catalog.ClassFull) != nil || view.Manifest.Purged(catalog.ClassResult) != nil) {\n", "	if false {\n"}}, "./worker", "TestPurgeThenLate"},
	{"erasure", "what was erased waits for the grace period", []edit{{"lifecycle/sweep.go", "since.After(erased) && (", "("}}, "./worker", "TestEraseInstance"},
	{"erasure", "an erasure does not wait for arrivals", []edit{{"lifecycle/erase.go", "Quiet: true, Citations", "Quiet: false, Citations"}}, "./worker", "TestEraseArrival"},
	{"erasure", "an erasure goes on under a hold", []edit{{"lifecycle/erase.go", "	if head.HeldAt(now) {\n		return nil, fmt.Errorf(\"%w: a hold stands\", ErrWaits)\n	}\n", ""}, {"lifecycle/erase.go", "		case m.HeldAt(now):\n			return nil, fmt.Errorf(\"%w: a hold stands\", ErrWaits)\n", ""}, {"internal/catalog/commit.go", "	if err := checkHolds(head, next); err != nil {\n		return nil, err\n	}\n", ""}}, "./worker", "TestEraseHeld"},
}

// TestGuaranteesAreTested builds each break into the product by an overlay of its sources, and looks whether the tests that docs/lifecycle.md names notice. It builds some thirty
// broken programs: `make guarantees`.
func TestGuaranteesAreTested(t *testing.T) {
	if os.Getenv("RADTIER_GUARANTEES") == "" {
		t.Skip("builds some thirty broken programs: make guarantees")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, b := range breaks {
		seen[b.guarantee] = true
		t.Run(b.guarantee+" "+b.what, func(t *testing.T) {
			dir := t.TempDir()
			replace := map[string]string{}
			for i, e := range b.edits {
				path := filepath.Join(root, e.file)
				from := path
				if replace[path] != "" {
					from = replace[path]
				}
				src, err := os.ReadFile(from)
				if err != nil {
					t.Fatal(err)
				}
				if n := strings.Count(string(src), e.old); n != 1 {
					t.Fatalf("%s has %d places like this, want 1; adapt the break to the code as it is now:\n%s", e.file, n, e.old)
				}
				replace[path] = filepath.Join(dir, string(rune('a'+i))+".go")
				if err := os.WriteFile(replace[path], []byte(strings.Replace(string(src), e.old, e.new, 1)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			raw, err := json.Marshal(map[string]any{"Replace": replace})
			if err != nil {
				t.Fatal(err)
			}
			overlay := filepath.Join(dir, "overlay.json")
			if err := os.WriteFile(overlay, raw, 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-count=1", "-overlay", overlay, "-run", b.tests, b.pkg)
			cmd.Dir, cmd.Env = root, append(os.Environ(), "RADTIER_GUARANTEES=")
			out, err := cmd.CombinedOutput()
			switch text := string(out); {
			case err == nil:
				t.Errorf("%s in %s did not notice", b.tests, b.pkg)
			case !strings.Contains(text, "--- FAIL"):
				t.Errorf("it does not fail as a test does:\n%s", text[:min(len(text), 3000)])
			}
		})
	}
	for _, g := range []string{"G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9", "G10", "G11", "G12", "G13", "G14"} {
		if !seen[g] {
			t.Errorf("nothing breaks %s", g)
		}
	}
}
