package lifecycle_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/catalog/catalogtest"
	"github.com/radtier/radtier/lifecycle"
)

var (
	sumA = strings.Repeat("a", 64)
	sumB = strings.Repeat("b", 64)
)

// TestInventory: CSV and JSON lines say the same, rows come study by study, and whatever is wrong is told with its row.
func TestInventory(t *testing.T) {
	want := fmt.Sprintf("1.2 [{1.2.1 %s } {1.2.2 %s %s}]\n1.3 [{1.3.1  %s}]\n", sumA, sumB, sumA, sumB)
	for name, text := range map[string]string{
		"csv":  "name,sop_uid,study_uid,sample_sha256,sha256\nWANG,1.2.1,1.2,," + strings.ToUpper(sumA) + "\nWANG,1.2.2,1.2," + sumA + "," + sumB + "\nLI,1.3.1,1.3," + sumB + ",\n",
		"mark": "\ufeffStudy_UID,sop_uid,sha256,sample_sha256\r\n1.2,1.2.1," + sumA + ",\r\n1.2,1.2.2," + sumB + "," + sumA + "\r\n1.3,1.3.1,," + sumB + "\r\n",
		"json": `{"study_uid":"1.2","sop_uid":"1.2.1","sha256":"` + sumA + "\"}\n\n" + `{"study_uid":"1.2","sop_uid":"1.2.2","sha256":"` + sumB + `","sample_sha256":"` + sumA + "\"}\n" + `{"study_uid":"1.3","sop_uid":"1.3.1","sample_sha256":"` + sumB + `"}`,
	} {
		v, err := lifecycle.OpenInventory(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := ""
		for {
			uid, list, err := v.Study()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got += fmt.Sprintln(uid, list)
		}
		if got != want {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
	}
	head := "study_uid,sop_uid,sha256\n"
	row := func(study, sop, sum string) string { return study + "," + sop + "," + sum + "\n" }
	for text, want := range map[string]string{
		"":                                "row 1: it is empty",
		"study_uid,sop_uid\n1.2,1.2.1\n":  "row 1: the head must name",
		"1.2,1.2.1," + sumA + "\n":        "row 1: the head must name",
		head + row("1.2", "", sumA):       "row 2: study_uid or sop_uid is missing",
		head + row("1.2", "1.2.1", ""):    "row 2: it has no digest",
		head + row("1.2", "1.2.1", "abc"): "row 2: a digest is not",
		head + row("1.2", "1.2.1", sumA) + row("1.3", "1.3.1", sumA) + row("1.2", "1.2.2", sumA): "row 4: its study stood further up",
		head + row("1.2", "1.2.1", sumA) + "WANG^XIAO\n":                                         "row 3: it is no CSV",
		`{"study_uid":"1.2","sop_uid":"1.2.1","sha256":"` + sumA + "\"}\n{WANG\n":                "row 2: it is no JSON object",
		"{" + strings.Repeat("x", 70_000) + "\n":                                                 "row 1: it is longer",
	} {
		v, err := lifecycle.OpenInventory(strings.NewReader(text))
		for err == nil {
			_, _, err = v.Study()
		}
		var wrong *lifecycle.InventoryError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "WANG") {
			t.Errorf("%.60q: got %v, want %q", text, err, want)
		}
	}
}

// TestCompare: the keeper must have every instance, the same by file or by samples; corrected headers are the same image, other samples are not.
func TestCompare(t *testing.T) {
	own := []lifecycle.OwnInstance{{"1", sumA, sumA}, {"2", sumB, sumB}, {"3", sumA, ""}}
	all := []lifecycle.Attested{{"1", sumA, ""}, {"2", "", sumB}, {"3", sumA, ""}}
	for name, c := range map[string]struct {
		own    []lifecycle.OwnInstance
		listed []lifecycle.Attested
		note   string
	}{
		"all":                          {own, all, ""},
		"and more":                     {own, append([]lifecycle.Attested{{"4", sumB, ""}}, all...), ""},
		"one is missing":               {own, all[1:], "of 3 instances 1 are not listed and 0 have other digests"},
		"nothing":                      {own, nil, "of 3 instances 3 are not listed and 0 have other digests"},
		"another file, samples differ": {own[:1], []lifecycle.Attested{{"1", sumB, sumB}}, "of 1 instances 0 are not listed and 1 have other digests"},
		"another file, same samples":   {own[:1], []lifecycle.Attested{{"1", sumB, sumA}}, ""},
		"another file":                 {own[:1], []lifecycle.Attested{{"1", sumB, ""}}, "of 1 instances 0 are not listed and 1 have other digests"},
		"samples of a document":        {own[2:], []lifecycle.Attested{{"3", "", sumA}}, "of 1 instances 0 are not listed and 1 have other digests"},
		"headers were corrected":       {[]lifecycle.OwnInstance{{"1", sumA, sumA}, {"1", sumB, sumA}}, []lifecycle.Attested{{"1", sumB, ""}}, ""},
		"pixels in two versions":       {[]lifecycle.OwnInstance{{"1", sumA, sumA}, {"1", sumB, sumB}}, []lifecycle.Attested{{"1", sumB, sumB}}, "of 2 instances 0 are not listed and 1 have other digests"},
		"a document in two versions":   {[]lifecycle.OwnInstance{{"3", sumA, ""}, {"3", sumB, ""}}, []lifecycle.Attested{{"3", sumB, ""}}, "of 2 instances 0 are not listed and 1 have other digests"},
		"both versions of a document":  {[]lifecycle.OwnInstance{{"3", sumA, ""}, {"3", sumB, ""}}, []lifecycle.Attested{{"3", sumB, ""}, {"3", sumA, ""}}, ""},
		"of nothing":                   {nil, all, "there is nothing to compare: no instance is stored"},
	} {
		if same, note := lifecycle.Compare(c.own, c.listed); same != (c.note == "") || note != c.note {
			t.Errorf("%s: got %v, %q, want %q", name, same, note, c.note)
		}
	}
}

// TestRecordProof: the newest proof counts, also one that says that the copies differ.
func TestRecordProof(t *testing.T) {
	p := newPlanner(t, trashPolicy)
	k := catalogtest.Study(1)
	p.Done(k, "a")
	_, err := lifecycle.Tell(p.Ctx, p.DB, p.Store, k, lifecycle.Told{Role: "secondary", By: "HIS", Reason: "list"})
	p.OK(err)
	now := p.Clock.Now()
	for n, c := range []struct {
		at         time.Time
		same       bool
		generation int64
		known      bool // in the end
	}{{now, true, 3, true}, {now, true, 3, true}, {now.Add(-day), false, 3, true}, {now.Add(day), false, 4, false}, {now.Add(2 * day), true, 5, true}} {
		m, err := lifecycle.RecordProof(p.Ctx, p.DB, p.Store, k, catalog.Proof{Level: "attested", At: c.at, Same: c.same, Keeper: "hospital", SHA256: sumA, Note: map[bool]string{false: "it differs"}[c.same]}, "ops")
		p.OK(err)
		if m.Generation != c.generation || m.Custody.Proof.Same != c.known || m.Custody.Role != "secondary" {
			t.Fatalf("%d: generation %d with %+v", n, m.Generation, m.Custody.Proof)
		}
	}
}
