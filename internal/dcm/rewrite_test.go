package dcm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/testkit"
)

func mustScan(t *testing.T, data []byte) *File {
	t.Helper()
	f, err := Scan(Bytes(data), int64(len(data)), Limits{})
	if err != nil {
		t.Fatalf("scan of %d bytes: %v", len(data), err)
	}
	return f
}

// Every native file of the corpus, malformed ones included where they scan,
// is rewritten to Explicit VR Little Endian, and once more from there.
func TestRewriteCorpusToExplicit(t *testing.T) {
	outcomes := map[string]int{}
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		path := row["path"]
		f, err := Scan(Bytes(data), int64(len(data)), Limits{})
		if err != nil {
			return
		}
		target := Target{Syntax: explicitLE}
		if f.Pixel != nil && f.Pixel.Encapsulated {
			target = Target{Syntax: f.Syntax, Encapsulated: true}
			if target.Syntax == "" {
				return
			}
		}
		var out bytes.Buffer
		err = Rewrite(&out, Bytes(data), f, target)
		outcomes[outcome(err)]++
		if err != nil {
			if outcome(err) == "other" || !isMalformed(path) && !f.IsDICOMDIR() {
				t.Logf("%s: %v", path, err)
			}
			return
		}
		g, err := Scan(Bytes(out.Bytes()), int64(out.Len()), Limits{})
		if err != nil {
			t.Errorf("%s: rewritten file does not scan: %v", path, err)
			return
		}
		if g.Encoding != (Encoding{Explicit: true}) || g.Syntax != target.Syntax {
			t.Errorf("%s: rewritten as %+v, syntax %s", path, g.Encoding, g.Syntax)
		}
		if err := CompareDatasets(Bytes(data), f, Bytes(out.Bytes()), g); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if f.Pixel == nil {
			return
		}
		if f.Pixel.Encapsulated {
			src := data
			if f.inflated != nil {
				src = f.inflated
			}
			if !bytes.Equal(src[f.Pixel.ValueOffset:f.Pixel.End], out.Bytes()[g.Pixel.ValueOffset:g.Pixel.End]) && !f.Unterminated {
				t.Errorf("%s: fragments changed", path)
			}
		} else if want := row["pixel_sha256"]; want != "" {
			if got := sha(nativeSamples(t, g, out.Bytes())); got != want {
				t.Errorf("%s: samples after rewriting: got %s, want %s", path, got[:12], want[:12])
			}
		}
		var again bytes.Buffer
		if err := Rewrite(&again, Bytes(out.Bytes()), g, target); err != nil {
			t.Errorf("%s: second rewrite: %v", path, err)
		} else if !bytes.Equal(again.Bytes(), out.Bytes()) {
			t.Errorf("%s: rewriting the rewritten file changes it", path)
		}
	})
	t.Logf("outcomes: %v", outcomes)
	if outcomes["ok"] < 850 {
		t.Errorf("rewritten %d files, want more than 850: %v", outcomes["ok"], outcomes)
	}
}

// dcmdump must read what Rewrite writes without complaint, and list the same tags.
func TestRewriteAcceptedByDcmdump(t *testing.T) {
	tool := testkit.Tool(t, "dcmdump")
	dir := t.TempDir()
	n := 0
	eachFile(t, func(t *testing.T, row testkit.CorpusFile, data []byte) {
		path := row["path"]
		if n++; isMalformed(path) || strings.HasPrefix(path, "series/") && n%40 != 0 {
			return
		}
		f, err := Scan(Bytes(data), int64(len(data)), Limits{})
		if err != nil || f.Pixel != nil && f.Pixel.Encapsulated {
			return
		}
		name := filepath.Join(dir, "x.dcm")
		var out bytes.Buffer
		if err := Rewrite(&out, Bytes(data), f, Target{Syntax: explicitLE}); err != nil {
			return
		}
		if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		// A parser error ends with status 1; complaints about the source's own values stay.
		if msg, err := exec.Command(tool, "-M", name).CombinedOutput(); err != nil {
			t.Errorf("%s: dcmdump: %v: %.300s", path, err, lastLines(msg))
		}
	})
}

func lastLines(b []byte) []byte {
	var keep [][]byte
	for _, line := range bytes.Split(b, []byte("\n")) {
		if bytes.HasPrefix(line, []byte("E:")) || bytes.HasPrefix(line, []byte("W:")) {
			keep = append(keep, line)
		}
	}
	return bytes.Join(keep, []byte("; "))
}
