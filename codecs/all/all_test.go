package all_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/codecs/codectest"
	"github.com/radtier/radtier/internal/testkit"
)

// row is one line of the support matrix in docs/codecs.md.
type row struct{ uid, name, decode, encode, passes string }

// matrix reads the table of docs/codecs.md whose first column is a UID.
func matrix(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("../../docs/codecs.md")
	if err != nil {
		t.Fatal(err)
	}
	uid := regexp.MustCompile("^`[0-9.]+`$")
	var rows []row
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if !uid.MatchString(cells[0]) {
			continue
		}
		if len(cells) != 5 {
			t.Fatalf("docs/codecs.md: a row of %d columns, want 5: %s", len(cells), line)
		}
		rows = append(rows, row{strings.Trim(cells[0], "`"), cells[1], cells[2], cells[3], cells[4]})
	}
	return rows
}

// TestDocumentation holds docs/codecs.md to the set, in both directions.
func TestDocumentation(t *testing.T) {
	set := all.Set()
	seen := map[string]bool{}
	word := map[bool]string{true: "yes", false: "no"}
	for _, r := range matrix(t) {
		if seen[r.uid] {
			t.Errorf("docs/codecs.md lists %s twice", r.uid)
		}
		seen[r.uid] = true
		x, listed := set.Lookup(r.uid)
		if r.decode == "native" || r.encode == "native" {
			if listed || r.decode != "native" {
				t.Errorf("docs/codecs.md: %s is native (decode %s, encode %s) and has a codec: %v", r.uid, r.decode, r.encode, listed)
			}
			continue
		}
		if got, want := r.decode, word[x.NewDecoder != nil]; got != want {
			t.Errorf("docs/codecs.md: %s, decode: got %q, the set says %q", r.uid, got, want)
		}
		if got, want := r.encode, word[x.NewEncoder != nil]; got != want {
			t.Errorf("docs/codecs.md: %s, encode: got %q, the set says %q", r.uid, got, want)
		}
		if listed && r.name != x.Name {
			t.Errorf("docs/codecs.md: %s is named %q, in the set %q", r.uid, r.name, x.Name)
		}
		if !set.CanDecode(r.uid) && r.passes != "yes" {
			t.Errorf("docs/codecs.md: %s cannot be decoded, so it passes through; the table says %q", r.uid, r.passes)
		}
		if r.passes != "yes" && r.passes != "no" {
			t.Errorf("docs/codecs.md: %s, passes through: got %q, want yes or no", r.uid, r.passes)
		}
	}
	for _, x := range set.All() {
		if !seen[x.UID] {
			t.Errorf("docs/codecs.md has no row for %s %s", x.UID, x.Name)
		}
	}
}

// TestCorpusSyntaxesAreDocumented wants a row for every transfer syntax met in real files, under its name of PS3.6.
func TestCorpusSyntaxesAreDocumented(t *testing.T) {
	names := map[string]string{}
	for _, r := range matrix(t) {
		names[r.uid] = r.name
	}
	met := map[string]bool{}
	for _, file := range testkit.CorpusFiles(t, testkit.Corpus(t)) {
		uid := file["ts_uid"]
		if uid == "" || met[uid] || strings.HasPrefix(file["path"], "malformed/") {
			continue
		}
		met[uid] = true
		if names[uid] == "" {
			t.Errorf("docs/codecs.md has no row for %s %s", uid, file["ts_name"])
		} else if want := file["ts_name"]; names[uid] != want && !strings.HasPrefix(want, names[uid]) {
			t.Errorf("docs/codecs.md names %s %q, PS3.6 %q", uid, names[uid], want)
		}
	}
}

// TestSet encodes and verifies with every codec as the worker would.
func TestSet(t *testing.T) {
	for _, x := range all.Set().All() {
		if x.Name == "" || x.Ext == "" || strings.ContainsAny(x.Ext, "./") {
			t.Errorf("%s: name %q, extension %q", x.UID, x.Name, x.Ext)
		}
		if x.NewDecoder == nil {
			t.Errorf("%s: without a decoder nothing can be verified", x.UID)
			continue
		}
		if x.NewEncoder == nil {
			continue
		}
		if (x.NewPlainDecoder == nil) != (x.Kernels == nil) || x.Kernels != nil && x.Kernels() == "" {
			t.Errorf("%s: a codec with kernels has a plain decoder that vouches for them, and says which they are", x.UID)
		}
		for _, s := range []codectest.Shape{
			{Width: 64, Height: 48, Components: 1, Container: 16, Bits: 12, Signed: true},
			{Width: 64, Height: 48, Components: 3, Container: 8, Bits: 8},
		} {
			v := codectest.Layouts()[0].Frame(s, codectest.Images()[12].Samples(s, 1)).View
			src, _, err := x.NewEncoder().Encode(nil, v, codecs.EncodeOptions{})
			if err != nil {
				t.Errorf("%s, %v: Encode: %v", x.UID, s, err)
				continue
			}
			if err := codecs.Verify(x.NewDecoder(), v, src, codecs.DecodeOptions{}); err != nil {
				t.Errorf("%s, %v: Verify: %v", x.UID, s, err)
			}
			if x.NewPlainDecoder == nil {
				continue
			}
			if err := codecs.Verify(x.NewPlainDecoder(), v, src, codecs.DecodeOptions{}); err != nil {
				t.Errorf("%s, %v: Verify by the plain decoder: %v", x.UID, s, err)
			}
		}
	}
}
