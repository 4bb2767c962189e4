package dcm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/testkit"
)

// dumped is one line of dcmdump's listing.
type dumped struct {
	depth     int
	tag       uint32
	vr, value string
}

var dumpLine = regexp.MustCompile(`^( *)\(([0-9a-f]{4}),([0-9a-f]{4})\) (\S\S) ?(.*?) +#`)

// dump runs dcmdump. ok is false if it stopped with an error.
func dump(t *testing.T, tool, name string) (list []dumped, complaints string, ok bool) {
	t.Helper()
	cmd := exec.Command(tool, "-M", "-Un", "+uc", "+L", "+Qn", name)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	for line := range strings.Lines(stdout.String()) {
		m := dumpLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		var g, e uint32
		fmt.Sscanf(m[2], "%x", &g)
		fmt.Sscanf(m[3], "%x", &e)
		list = append(list, dumped{len(m[1]) / 2, g<<16 | e, m[4], m[5]})
	}
	return list, stderr.String(), err == nil
}

// rootTags returns the sorted tags of the data set's top level, once each, without group lengths.
func rootTags(list []dumped) []uint32 {
	var tags []uint32
	for _, d := range list {
		if d.depth == 0 && d.tag>>16 > 2 && d.tag>>16 != 0xFFFE && d.tag&0xFFFF != 0 {
			tags = append(tags, d.tag)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// values returns the listing without what Rewrite may change.
func values(list []dumped) []dumped {
	var out []dumped
	for _, d := range list {
		switch {
		case d.tag>>16 == 2, d.tag>>16 == 0xFFFE, d.tag&0xFFFF == 0, d.tag == 0x7FE00010 && d.depth == 0, d.tag == 0xFFFCFFFC:
			continue
		}
		// The listing of a sequence says how its length is coded.
		if i := strings.Index(d.value, "#="); i >= 0 && strings.HasPrefix(d.value, "(Sequence") {
			d.value = d.value[i:]
		}
		out = append(out, d)
	}
	return out
}

// dcmdump lists the same top-level tags as Scan finds; and it lists the same
// values, nested ones included, of a source and of what Rewrite made of it.
func TestAgainstDcmdump(t *testing.T) {
	tool := testkit.Tool(t, "dcmdump")
	dir, out := testkit.Corpus(t), t.TempDir()
	n, tagLists, valueLists, unknown := 0, 0, 0, 0
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		path := row["path"]
		if n++; strings.HasPrefix(path, "series/") && n%40 != 0 || strings.Contains(path, "rtstruct-ct60-cms/") && n%20 != 0 {
			return
		}
		f, err := Scan(Bytes(data), int64(len(data)), Limits{})
		if err != nil {
			return
		}
		source, _, ok := dump(t, tool, filepath.Join(dir, path))
		if !ok {
			return // dcmdump refuses it, we do not
		}
		var tags []uint32
		for _, e := range f.Elements {
			if e.Tag&0xFFFF != 0 && e.Tag>>16 > 2 { // dcmdump leaves groups 0001 and 0002 out of data sets
				tags = append(tags, e.Tag)
			}
		}
		slices.Sort(tags)
		tags = slices.Compact(tags)
		if want := rootTags(source); !slices.Equal(tags, want) {
			t.Errorf("%s: tags: got %08X, dcmdump lists %08X", path, tags, want)
		}
		tagLists++
		target := Target{Syntax: explicitLE}
		if f.Pixel != nil && f.Pixel.Encapsulated {
			target = Target{Syntax: f.Syntax, Encapsulated: true}
		}
		var b bytes.Buffer
		if err := Rewrite(&b, Bytes(data), f, target); err != nil {
			return
		}
		name := filepath.Join(out, "x.dcm")
		if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		rewritten, complaints, ok := dump(t, tool, name)
		if !ok {
			t.Errorf("%s: dcmdump refuses the rewritten file: %.300s", path, complaints)
			return
		}
		got, want := values(rewritten), values(source)
		if len(got) != len(want) && !isMalformed(path) {
			t.Errorf("%s: dcmdump lists %d elements of the rewritten file, want %d", path, len(got), len(want))
			return
		}
		valueLists++
		for i := range min(len(got), len(want)) {
			g, w := got[i], want[i]
			if g.tag == w.tag && g.depth == w.depth && (g.vr != w.vr && (g.vr == "UN" || w.vr == "UN" || w.vr == "??")) {
				unknown++ // told by CompareDatasets
				continue
			}
			g.vr, w.vr = "", ""
			if g != w {
				t.Errorf("%s: rewritten: got %+v, want %+v", path, g, w)
				return
			}
		}
	})
	t.Logf("%d tag lists, %d value lists, %d values that one side calls unknown", tagLists, valueLists, unknown)
	if tagLists < 350 || valueLists < 350 {
		t.Errorf("compared %d tag lists and %d value lists, want 350 at least", tagLists, valueLists)
	}
}
