package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// plan is a plan's digest in tests.
func plan(n int) string { return fmt.Sprintf("plan-%d", n) }

// Planned makes an attempt write a region record, and optionally a region pack and an annotation, as deriving does, and cite other studies.
func (a *Attempt) Planned(state, plan string, cites ...catalog.Cite) *Attempt {
	f, own := a.f, a.Input.Change
	f.T.Helper()
	rec := a.put(catalog.RecordKey(a.Job.StudyKey, a.Job.ID, a.Job.Attempt), 41)
	note := a.put(catalog.AnnotationKey(a.Job.StudyKey, a.Job.ID, a.Job.Attempt, 1), 17)
	region := a.put(catalog.PackKey(a.Job.StudyKey, a.Job.ID, a.Job.Attempt, 7), 23)
	var err error
	a.Input.Citations, err = f.DB.Citations(f.Ctx, a.Job.StudyKey)
	f.OK(err)
	a.Input.Change = func(head *catalog.Manifest) (*catalog.Manifest, error) {
		m, err := own(head)
		if err != nil {
			return nil, err
		}
		var packs []catalog.Pack
		for _, p := range m.Packs {
			if p.Class != catalog.ClassRegion {
				packs = append(packs, p)
			}
		}
		m.Packs = append(packs, catalog.Pack{Key: region.key, Class: catalog.ClassRegion, Tier: "hot", Size: region.size, SHA256: region.sum, Instances: 1, Frames: 1, Since: f.Clock.Now()})
		m.Hot.Parts = make([]catalog.BundlePart, len(m.Packs))
		m.Regions = &catalog.RegionRecord{Key: rec.key, SHA256: rec.sum, Size: rec.size, State: state, Plan: plan, Sources: 1, Lesions: 1, Regions: 1, Bytes: region.size, Since: f.Clock.Now()}
		m.Annotations = append(m.Annotations, catalog.Annotation{Key: note.key, SHA256: note.sum, Size: note.size, DocumentID: fmt.Sprint("doc ", len(m.Annotations)), At: f.Clock.Now()})
		m.Cites = cites
		sum(m)
		return m, nil
	}
	return a
}

// Plan takes a new batch of a study all the way, with a region record.
func (f *Fixture) Plan(k catalog.StudyKey, file, state, plan string, cites ...catalog.Cite) *catalog.Manifest {
	f.T.Helper()
	m, err := f.Work(f.Arrive(k, file).ID).Planned(state, plan, cites...).Commit()
	f.OK(err)
	return m
}

func cite(n int, sops ...string) catalog.Cite {
	return catalog.Cite{StudyUID: Study(n).UID, SOPUIDs: sops}
}

func (f *Fixture) citations(k catalog.StudyKey) []catalog.Citation {
	f.T.Helper()
	list, err := f.DB.Citations(f.Ctx, k)
	f.OK(err)
	return list
}

// open returns the job that is due for a study, "" if none is.
func (f *Fixture) open(k catalog.StudyKey) string {
	f.T.Helper()
	due, err := f.DB.Due(f.Ctx, 100)
	f.OK(err)
	for _, j := range due {
		if j.StudyKey == k {
			return j.ID
		}
	}
	return ""
}

// look lets an attempt look at a study that was opened again and find nothing to do.
func (f *Fixture) look(k catalog.StudyKey) *catalog.Manifest {
	f.T.Helper()
	f.OK(f.DB.Unclaim(f.Ctx))
	claimed, err := f.DB.Claim(f.Ctx, 100, time.Minute)
	f.OK(err)
	var m *catalog.Manifest
	for _, j := range claimed {
		if j.StudyKey != k {
			continue
		}
		arrivals, want, err := f.DB.Arrivals(f.Ctx, j.ID)
		f.OK(err)
		for _, a := range arrivals {
			if len(a.Files) != 0 || a.Batch != "" || a.Source != "" {
				f.T.Fatalf("an arrival that a citation made is %+v, want one without files", a)
			}
		}
		a := &Attempt{f: f, Job: f.Own(j.ID)}
		citations := f.citations(k)
		m, err = catalog.Commit(f.Ctx, f.DB, f.Store, catalog.CommitInput{Job: j.ID, Attempt: a.Job.Attempt, Key: k, Owner: "worker", Action: "derive", Done: want, Batches: []string{arrivals[0].Batch},
			Citations: citations, Change: func(m *catalog.Manifest) (*catalog.Manifest, error) {
				m.Packs = nil // what a change did to its copy before it found nothing to do does not count
				return nil, catalog.ErrNothingToDo
			}})
		f.OK(err)
	}
	if m == nil {
		f.T.Fatalf("study %s is not open again", k.UID)
	}
	return m
}

// testCitations: a study that measures lesions in another one opens it again, once for each thing that it says.
func testCitations(t *testing.T, f *Fixture) {
	prior, follow, absent := Study(1), Study(2), Study(3)
	f.Done(prior, "a")
	f.Clock.Move(time.Hour)
	m := f.Plan(follow, "b", "extracted-open", plan(1), cite(1, "9.1", "9.2"), cite(3, "9.3"))
	for _, k := range []catalog.StudyKey{prior, absent} {
		if got := f.citations(k); len(got) != 1 || got[0].StudyUID != follow.UID || got[0].Generation != 1 || got[0].Evidence == "" {
			t.Fatalf("citations of %s are %+v, want one by %s, generation 1", k.UID, got, follow.UID)
		}
	}
	if got := f.citations(follow); got == nil || len(got) != 0 {
		t.Fatalf("citations of the citing study are %#v, want none, and not nil", got)
	}
	if f.open(absent) != "" {
		t.Fatal("a study that is not here has a job")
	}
	before := f.Head(prior)
	got := f.look(prior) // nothing to do, but that it was seen is noted
	if got.Generation != 2 || len(got.Packs) != 1 || len(got.CitedBy) != 1 || got.CitedBy[0].StudyUID != follow.UID || got.Parent.Key != before.Key {
		t.Fatalf("after a look the study is %+v", got)
	}
	f.Whole(prior, 2, 1)

	// The same again opens nothing.
	f.Plan(follow, "c", "extracted-open", plan(2), cite(1, "9.1", "9.2"), cite(3, "9.3"))
	if id := f.open(prior); id != "" {
		t.Fatalf("the same citation opened the study again: job %s", id)
	}
	if got := f.citations(prior); got[0].Generation != 2 {
		t.Fatalf("citation is %+v, want that of generation 2", got)
	}
	// Other instances, other documents about the same instances, and none any more: each opens it once.
	for n, c := range [][]catalog.Cite{{cite(1, "9.1")}, {{StudyUID: prior.UID, SOPUIDs: []string{"9.1"}, Evidence: "other"}}, nil} {
		f.Plan(follow, fmt.Sprint("d", n), "extracted-open", plan(3+n), c...)
		got := f.look(prior)
		if want := int64(3 + n); got.Generation != want || len(got.CitedBy) != len(c) {
			t.Fatalf("citation %+v: the study is at generation %d with %+v, want %d", c, got.Generation, got.CitedBy, want)
		}
	}
	if len(f.citations(prior))+len(f.citations(absent)) != 0 {
		t.Fatalf("citations are left: %+v, %+v", f.citations(prior), f.citations(absent))
	}
	// A citation waits for its study, and is not lost when the study comes.
	f.Plan(follow, "e", "extracted-open", plan(9), cite(3, "9.3"))
	m = f.Plan(absent, "late", "unresolved", plan(1))
	if len(m.CitedBy) != 1 || f.open(absent) != "" {
		t.Fatalf("the late study knows %+v and has job %q, want the citation and no job", m.CitedBy, f.open(absent))
	}
}

// testCitationRace: what is said while an attempt is under way that did not see it is looked at after it.
func testCitationRace(t *testing.T, f *Fixture) {
	prior, follow := Study(1), Study(2)
	f.Done(prior, "a")
	a := f.Work(f.Arrive(prior, "b").ID).Planned("none", plan(1)) // has looked at citations: there are none
	f.Plan(follow, "f", "extracted", plan(1), cite(1, "9.1"))
	_, err := a.Commit()
	f.OK(err)
	if j := f.Job(a.Job.ID); j.State != catalog.JobQueued || j.Want != j.Done+1 {
		t.Fatalf("the job is %+v, want it queued again with one arrival", j)
	}
	f.Clock.Move(time.Second)
	if m := f.look(prior); len(m.CitedBy) != 1 {
		t.Fatalf("seen are %+v, want the citation", m.CitedBy)
	}
	// An attempt that began before the second of two citations does not cover it.
	f.Plan(follow, "g", "extracted", plan(2), cite(1, "9.2"))
	b := &Attempt{f: f, Job: f.Own(f.open(prior))}
	_, want, err := f.DB.Arrivals(f.Ctx, b.Job.ID)
	f.OK(err)
	b.prepare(want)
	b.Planned("none", plan(2))
	f.Plan(follow, "h", "extracted", plan(3), cite(1, "9.3"))
	_, err = b.Commit()
	f.OK(err)
	f.Clock.Move(time.Second)
	if m := f.look(prior); m.CitedBy[0].Evidence != f.citations(prior)[0].Evidence {
		t.Fatalf("seen is %+v, said is %+v", m.CitedBy, f.citations(prior))
	}
	// An attempt on a study without a generation: it is queued again.
	c := f.Work(f.Arrive(Study(5), "new").ID).Planned("none", plan(1))
	f.Plan(follow, "i", "extracted", plan(4), cite(5, "9.5"))
	_, err = c.Commit()
	f.OK(err)
	if f.open(Study(5)) == "" {
		t.Fatal("a new study was not looked at again")
	}
}

// testCitationsMutual: studies that refer to each other, from many processes, lose nothing and do not wait for each other for ever.
func testCitationsMutual(t *testing.T, f *Fixture) {
	const studies, rounds = 4, 4
	for n := range studies {
		f.Done(Study(n), "a")
	}
	var wg sync.WaitGroup
	errs := make(chan error, studies*rounds)
	for n := range studies {
		var attempts []func() error
		db := f.Again()
		k := Study(n)
		attempts = append(attempts, func() error {
			for round := range rounds {
				job, err := db.Enqueue(f.Ctx, catalog.Arrival{StudyKey: k, Source: "/in", Files: []catalog.SourceFile{{Path: fmt.Sprint("/in/", round), Size: 1}}, Complete: true}, 0)
				if err == nil {
					job, err = db.Own(f.Ctx, job.ID, "racer", lease)
				}
				if err != nil {
					return err
				}
				_, want, err := db.Arrivals(f.Ctx, job.ID)
				if err != nil {
					return err
				}
				seen, err := db.Citations(f.Ctx, k) // after the arrivals: a citation comes with one, and must not be covered without having been seen
				if err != nil {
					return err
				}
				_, err = catalog.Commit(f.Ctx, db, f.Store, catalog.CommitInput{Job: job.ID, Attempt: job.Attempt, Key: k, Owner: "racer", Action: "derive", Done: want, Citations: seen,
					Change: func(m *catalog.Manifest) (*catalog.Manifest, error) {
						m.Cites = nil
						for other := range studies {
							if other != n {
								m.Cites = append(m.Cites, cite(other, fmt.Sprint("9.", round)))
							}
						}
						return m, nil
					}})
				if err != nil {
					return err
				}
			}
			return nil
		})
		for _, run := range attempts {
			wg.Go(func() { errs <- run() })
		}
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		f.OK(err)
	}
	f.Clock.Move(time.Minute)
	for n := range studies {
		if f.open(Study(n)) != "" {
			f.look(Study(n))
		}
	}
	for n := range studies {
		m, err := catalog.LoadHead(f.Ctx, f.DB, f.Store, Study(n))
		f.OK(err)
		said := f.citations(Study(n))
		if len(said) != studies-1 || len(m.CitedBy) != len(said) {
			t.Fatalf("study %d: said is %+v, seen is %+v", n, said, m.CitedBy)
		}
		for i, c := range said {
			if m.CitedBy[i].Evidence != c.Evidence || m.CitedBy[i].StudyUID != c.StudyUID {
				t.Errorf("study %d: said is %+v, seen is %+v", n, c, m.CitedBy[i])
			}
		}
	}
}

// testCitationCrash: killed anywhere, what a commit says of another study is said once it is decided, and not before; rebuilt from the
// bucket alone the catalog opens what was not seen yet.
func testCitationCrash(t *testing.T, f *Fixture) {
	steps := []string{catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut, catalog.StepInDecide, catalog.StepDecideReply, catalog.StepDecided, catalog.StepOKPut, catalog.StepPublished}
	decided := false
	for n, step := range steps {
		prior, follow := Study(10+2*n), Study(11+2*n)
		f.Done(prior, "a")
		a := f.Work(f.Arrive(follow, "b").ID).Planned("extracted", plan(1), cite(10+2*n, "9.1"))
		a.Input.Hooks = CrashAt(step)
		if _, err := a.Commit(); !errors.Is(err, ErrCrash) && step != catalog.StepDecideReply {
			t.Fatalf("%s: got %v, want a crash", step, err)
		}
		decided = decided || step == catalog.StepDecideReply
		if got := f.citations(prior); (len(got) == 1) != decided || (f.open(prior) != "") != decided {
			t.Fatalf("%s: citations are %+v, open job %q; decided is %v", step, got, f.open(prior), decided)
		}
		f.Clock.Move(2 * lease)
		f.Reconcile()
		if !decided {
			_, err := f.Work(a.Job.ID).Planned("extracted", plan(1), cite(10+2*n, "9.1")).Commit()
			f.OK(err)
		}
		if n%2 == 0 { // the catalog is lost before the prior was looked at
			f.Drop()
			_, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
			f.OK(err)
			if len(f.citations(prior)) != 1 {
				t.Fatalf("%s: rebuilt citations are %+v", step, f.citations(prior))
			}
		}
		m := f.look(prior)
		if len(m.CitedBy) != 1 {
			t.Fatalf("%s: seen are %+v", step, m.CitedBy)
		}
		f.Whole(prior, 2, 1)
	}
	// Now that everything was seen, a rebuild opens nothing.
	f.Drop()
	_, err := catalog.Rebuild(f.Ctx, f.DB, f.Store, catalog.RebuildOptions{})
	f.OK(err)
	if due, err := f.DB.Due(f.Ctx, 10); err != nil || len(due) != 0 {
		t.Fatalf("after a rebuild %+v are due, %v", due, err)
	}
}

// testReview: an answer is a generation of its own, for the plan that was seen and no other.
func testReview(t *testing.T, f *Fixture) {
	k := Study(1)
	states := []string{"extracted-open", "none", "extracted", "partial", "later-state", "unreadable", "negative"}
	for n, state := range states {
		f.Plan(catalog.StudyKey{Tenant: []string{"north", "south"}[n%2], UID: Study(n + 1).UID}, "a", state, plan(1))
	}
	f.Done(Study(77), "no plan")
	list := func(r catalog.ReviewFilter) (out []catalog.Study) {
		t.Helper()
		for s, err := range f.DB.ReviewList(f.Ctx, r) {
			f.OK(err)
			out = append(out, s)
		}
		return out
	}
	for _, c := range []struct {
		name string
		r    catalog.ReviewFilter
		want int
	}{
		{"all", catalog.ReviewFilter{}, 4}, {"tenant", catalog.ReviewFilter{Tenant: "south"}, 2}, {"state", catalog.ReviewFilter{State: "later-state"}, 1},
		{"state that needs nobody", catalog.ReviewFilter{State: "none"}, 1}, {"limit", catalog.ReviewFilter{Limit: 3}, 3}, {"unknown", catalog.ReviewFilter{State: "x"}, 0}, {"unknown tenant", catalog.ReviewFilter{Tenant: "west"}, 0},
	} {
		if got := list(c.r); len(got) != c.want {
			t.Errorf("%s: got %d studies, want %d: %+v", c.name, len(got), c.want, got)
		}
	}
	all, paged := list(catalog.ReviewFilter{}), []catalog.Study(nil)
	for after := (catalog.StudyKey{}); ; after = paged[len(paged)-1].StudyKey {
		page := list(catalog.ReviewFilter{After: after, Limit: 1})
		if len(page) == 0 {
			break
		}
		paged = append(paged, page...)
	}
	if fmt.Sprint(paged) != fmt.Sprint(all) {
		t.Errorf("page by page the list is %v, want %v", paged, all)
	}

	in := catalog.AnswerInput{Key: k, Kind: catalog.ReviewNegative, By: "reader 7", Reason: "haematoma, healed", Plan: plan(1)}
	for name, c := range map[string]struct {
		change func(*catalog.AnswerInput)
		want   error
	}{
		"other plan": {func(in *catalog.AnswerInput) { in.Plan = plan(2) }, catalog.ErrPlanChanged}, "no plan": {func(in *catalog.AnswerInput) { in.Key = Study(77) }, catalog.ErrNotPlanned},
		"no study": {func(in *catalog.AnswerInput) { in.Key = Study(1000) }, catalog.ErrNoStudy},
	} {
		bad := in
		c.change(&bad)
		_, err := catalog.Answer(f.Ctx, f.DB, f.Store, bad)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	nameless := in
	nameless.By = ""
	if _, err := catalog.Answer(f.Ctx, f.DB, f.Store, nameless); err == nil {
		t.Error("an answer by nobody was taken")
	}
	queued := f.Arrive(k, "late")
	_, err := catalog.Answer(f.Ctx, f.DB, f.Store, in)
	f.wantErr(err, catalog.ErrBusy)
	_, err = f.Work(queued.ID).Planned("extracted-open", plan(1)).Commit()
	f.OK(err)

	f.Events()
	m, err := catalog.Answer(f.Ctx, f.DB, f.Store, in)
	f.OK(err)
	if a := m.Answered(); m.Generation != 3 || m.Action != catalog.ActionReview || a == nil || a.By != in.By || a.Reason != in.Reason || a.Kind != in.Kind || a.At.IsZero() {
		t.Fatalf("answered: generation %d, action %s, answer %+v", m.Generation, m.Action, a)
	}
	if again, err := catalog.Answer(f.Ctx, f.DB, f.Store, in); err != nil || again.Generation != 3 {
		t.Fatalf("the same answer again made %+v, %v", again, err)
	}
	if e := f.Events(); len(e) != 1 || e[0].Action != catalog.ActionReview {
		t.Fatalf("events are %+v", e)
	}
	f.Whole(k, 3, 3)
	if got := list(catalog.ReviewFilter{}); len(got) != 3 {
		t.Fatalf("after the answer %d studies wait, want 3", len(got))
	}
	// Late evidence: another plan, and the answer does not stand.
	f.Plan(k, "later", "extracted-open", plan(2))
	s, err := f.DB.FindStudy(f.Ctx, k.Tenant, k.UID)
	f.OK(err)
	if got := list(catalog.ReviewFilter{}); len(got) != 4 || s.Reviewed != "" || s.RegionPlan != plan(2) {
		t.Fatalf("after late evidence %d studies wait, want 4; the row is %+v", len(got), s)
	}
}

// testReviewRace: an answer meets work on the same study in every way, and is refused, rebased or taken; a crash in it leaves nothing that does not end.
func testReviewRace(t *testing.T, f *Fixture) {
	in := func(k catalog.StudyKey, h catalog.Hooks) catalog.AnswerInput {
		return catalog.AnswerInput{Key: k, Kind: catalog.ReviewKeepWhole, By: "reader 7", Reason: "unclear", Plan: plan(1), Hooks: h}
	}
	// The head moves, with the same plan: rebased.
	k := Study(1)
	f.Plan(k, "a", "extracted-open", plan(1))
	once := true
	m, err := catalog.Answer(f.Ctx, f.DB, f.Store, in(k, func(_ context.Context, step string) error {
		if once && step == catalog.StepManifestPut {
			once = false
			f.Hold(k)
		}
		return nil
	}))
	f.OK(err)
	if m.Generation != 3 || len(m.Holds) != 1 || m.Answered() == nil {
		t.Fatalf("rebased to generation %d with %d holds, answer %+v", m.Generation, len(m.Holds), m.Answered())
	}
	// An SR arrives while the answer is being committed: it is worked on afterwards.
	k = Study(2)
	f.Plan(k, "a", "extracted-open", plan(1))
	_, err = catalog.Answer(f.Ctx, f.DB, f.Store, in(k, func(_ context.Context, step string) error {
		if step == catalog.StepManifestPut {
			f.Arrive(k, "sr")
		}
		return nil
	}))
	f.OK(err)
	f.Clock.Move(time.Second)
	_, err = f.Work(f.open(k)).Planned("extracted-open", plan(2)).Commit()
	f.OK(err)
	f.Whole(k, 3, 3)
	// Killed anywhere: any worker ends what is left; decided answers stand, others do not.
	for n, step := range []string{catalog.StepHealed, catalog.StepChanged, catalog.StepManifestPut, catalog.StepInDecide, catalog.StepDecided, catalog.StepOKPut, catalog.StepPublished} {
		k := Study(10 + n)
		f.Plan(k, "a", "extracted-open", plan(1))
		_, err := catalog.Answer(f.Ctx, f.DB, f.Store, in(k, CrashAt(step)))
		f.wantErr(err, ErrCrash)
		f.Clock.Move(2 * lease)
		f.Reconcile()
		if id := f.open(k); id != "" {
			_, err := catalog.Commit(f.Ctx, f.DB, f.Store, catalog.CommitInput{Job: id, Attempt: f.Own(id).Attempt, Key: k, Owner: "worker", Action: "derive", Done: 1,
				Change: func(*catalog.Manifest) (*catalog.Manifest, error) { return nil, catalog.ErrNothingToDo }})
			f.OK(err)
		}
		h := f.Head(k)
		m, err := catalog.LoadManifest(f.Ctx, f.Store, h.Ref)
		f.OK(err)
		if decided := n >= 4; (m.Answered() != nil) != decided || !h.Published {
			t.Fatalf("%s: answer %+v, head %+v; decided is %v", step, m.Answered(), h, decided)
		}
		f.Whole(k, m.Generation, 2)
	}
}
