package dcm

import (
	"bytes"
	"cmp"
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

// dump runs dcmdump on several files, which spares it reading its dictionary
// for each, and returns a listing for each; nil for a file that it refuses. complaints is all it said.
func dump(t *testing.T, tool string, names []string) (lists [][]dumped, complaints string) {
	t.Helper()
	lists = make([][]dumped, len(names))
	if len(names) == 0 {
		return lists, ""
	}
	cmd := exec.Command(tool, append([]string{"-M", "-Un", "+uc", "+L", "+Qn", "+F"}, names...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run() // its status is that of the worst file
	at := -1
	for line := range strings.Lines(stdout.String()) {
		if name, ok := strings.CutPrefix(line, "# dcmdump ("); ok {
			_, name, _ = strings.Cut(name, "): ")
			at = slices.Index(names, strings.TrimSpace(name))
			continue
		}
		m := dumpLine.FindStringSubmatch(line)
		if m == nil || at < 0 {
			continue
		}
		var g, e uint32
		fmt.Sscanf(m[2], "%x", &g)
		fmt.Sscanf(m[3], "%x", &e)
		lists[at] = append(lists[at], dumped{len(m[1]) / 2, g<<16 | e, m[4], m[5]})
	}
	return lists, stderr.String()
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
	c := &dcmdumpComparison{t: t, tool: testkit.Tool(t, "dcmdump"), dir: testkit.Corpus(t), out: t.TempDir()}
	n := 0
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		path := row["path"]
		if n++; strings.HasPrefix(path, "series/") && n%40 != 0 || strings.Contains(path, "rtstruct-ct60-cms/") && n%20 != 0 {
			return
		}
		f, err := Scan(Bytes(data), int64(len(data)), Limits{})
		if err != nil {
			return
		}
		target := Target{Syntax: explicitLE}
		if f.Pixel != nil && f.Pixel.Encapsulated {
			target = Target{Syntax: f.Syntax, Encapsulated: true}
		}
		var b bytes.Buffer
		rewritten := ""
		if err := Rewrite(&b, Bytes(data), f, target); err == nil {
			rewritten = filepath.Join(c.out, fmt.Sprint(len(c.files), ".dcm"))
			if err := os.WriteFile(rewritten, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c.files = append(c.files, dcmdumpPair{path, f, rewritten})
		if len(c.files) == 32 {
			c.compare()
		}
	})
	c.compare()
	t.Logf("%d tag lists, %d value lists, %d values that one side calls unknown", c.tagLists, c.valueLists, c.unknown)
	if c.tagLists < 350 || c.valueLists < 350 {
		t.Errorf("compared %d tag lists and %d value lists, want 350 at least", c.tagLists, c.valueLists)
	}
}

type dcmdumpPair struct {
	path      string
	file      *File
	rewritten string // "" if Rewrite does not do it
}

type dcmdumpComparison struct {
	t                             *testing.T
	tool, dir, out                string
	files                         []dcmdumpPair
	tagLists, valueLists, unknown int
}

// compare compares the files collected so far, and forgets them.
func (c *dcmdumpComparison) compare() {
	var sources, results []string
	for _, p := range c.files {
		sources = append(sources, filepath.Join(c.dir, p.path))
		results = append(results, cmp.Or(p.rewritten, sources[len(sources)-1]))
	}
	listed, _ := dump(c.t, c.tool, sources)
	again, complaints := dump(c.t, c.tool, results)
	for i, p := range c.files {
		if listed[i] == nil {
			continue // dcmdump refuses it, we do not
		}
		c.tags(p, listed[i])
		if p.rewritten == "" {
			continue
		}
		if again[i] == nil {
			c.t.Errorf("%s: dcmdump refuses the rewritten file: %s", p.path, complaints)
			continue
		}
		c.values(p.path, values(again[i]), values(listed[i]))
	}
	c.files = c.files[:0]
}

func (c *dcmdumpComparison) tags(p dcmdumpPair, source []dumped) {
	var tags []uint32
	for _, e := range p.file.Elements {
		if e.Tag&0xFFFF != 0 && e.Tag>>16 > 2 { // dcmdump leaves groups 0001 and 0002 out of data sets
			tags = append(tags, e.Tag)
		}
	}
	slices.Sort(tags)
	tags = slices.Compact(tags)
	if want := rootTags(source); !slices.Equal(tags, want) {
		c.t.Errorf("%s: tags: got %08X, dcmdump lists %08X", p.path, tags, want)
	}
	c.tagLists++
}

func (c *dcmdumpComparison) values(path string, got, want []dumped) {
	if len(got) != len(want) && !isMalformed(path) {
		c.t.Errorf("%s: dcmdump lists %d elements of the rewritten file, want %d", path, len(got), len(want))
		return
	}
	c.valueLists++
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		if g.tag == w.tag && g.depth == w.depth && (g.vr != w.vr && (g.vr == "UN" || w.vr == "UN" || w.vr == "??")) {
			c.unknown++ // told by CompareDatasets
			continue
		}
		g.vr, w.vr = "", ""
		if g != w {
			c.t.Errorf("%s: rewritten: got %+v, want %+v", path, g, w)
			return
		}
	}
}
