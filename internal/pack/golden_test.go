package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden volume and print the example of docs/pack-format.md")

// golden is the volume of the worked example: one instance of 28 bytes, with two header segments and a frame of 2 x 2 bytes.
func golden(t *testing.T) (volume, file []byte, x *Index) {
	t.Helper()
	img := &Image{Rows: 2, Columns: 2, Frames: 1, Samples: 1, BitsAllocated: 8, BitsStored: 8, HighBit: 7, Photometric: "MONOCHROME2", Modality: "OT"}
	head, frame := []byte("header, 17 bytes.\x00\x00"), []byte{10, 20, 30, 40}
	file = bytes.Join([][]byte{head[:17], frame, head[17:]}, nil)
	var out bytes.Buffer
	w := NewWriter(&out, "1.2.3", "doc")
	inst := Instance{SeriesUID: "1.2.3.4", SOPUID: "1.2.3.4.5", ClassUID: "1.2.840.10008.5.1.4.1.1.7", Syntax: "1.2.840.10008.1.2.1", Stored: "1.2.840.10008.1.2.1",
		FileSize: int64(len(file)), FileSHA256: sha256.Sum256(file), Exact: true, Image: img,
		Segments: []Segment{{SegmentHeader, 17, 0, 0}, {SegmentFrame, 4, 0, 0}, {SegmentHeader, 2, 0, 0}}}
	inst.NativeSHA256, inst.SampleSHA256 = FrameDigests(img, frame)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.Begin())
	_, err := w.AddFrame(FrameData{Data: frame, Coding: CodingBytes, RawSize: 4, SampleSHA256: inst.SampleSHA256})
	must(err)
	must(w.End(inst, head))
	x, _, err = w.Close()
	must(err)
	return out.Bytes(), file, x
}

// dump prints bytes as the document does.
func dump(p []byte) string {
	var b strings.Builder
	for at := 0; at < len(p); at += 32 {
		fmt.Fprintf(&b, "%4d  % x\n", at, p[at:min(at+32, len(p))])
	}
	return b.String()
}

// TestGoldenVolume reads a volume that an earlier build wrote, compares all but
// the zstd frames with what this build writes, and holds the document to both.
func TestGoldenVolume(t *testing.T) {
	path := filepath.Join("testdata", "golden.zip")
	made, file, x := golden(t)
	body := encodeBody(x)
	if *update {
		if err := os.WriteFile(path, made, 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s\nbody\n%s", dump(made), dump(body))
	}
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := OpenVolume(t.Context(), Bytes(p), int64(len(p)))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := v.Rebuild(t.Context(), nil, 0, &got); err != nil || !bytes.Equal(got.Bytes(), file) {
		t.Errorf("rebuilt %q (%v), want %q", got.Bytes(), err, file)
	}
	if _, err := v.Verify(t.Context(), nil, VerifyOptions{Decode: true}); err != nil {
		t.Error(err)
	}
	// A later zstd library may compress otherwise; the format is the same if the decoded records are.
	old := *v.Index
	now := *x
	old.Digests, now.Digests = nil, nil
	old.Blocks, now.Blocks = nil, nil
	if fmt.Sprintf("%+v", old.Entries) != fmt.Sprintf("%+v", now.Entries) || fmt.Sprintf("%+v", *old.Instances[0].Image) != fmt.Sprintf("%+v", *now.Instances[0].Image) {
		t.Errorf("golden index %+v, this build writes %+v", old, now)
	}
	doc, err := os.ReadFile("../../docs/pack-format.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := documented(t, doc, "example volume"); !bytes.Equal(want, p) {
		t.Errorf("docs/pack-format.md shows %d bytes that are not testdata/golden.zip (%d bytes)", len(want), len(p))
	}
	if want := documented(t, doc, "example body"); !bytes.Equal(want, encodeBody(v.Index)) {
		t.Errorf("docs/pack-format.md shows a body of %d bytes that is not that of testdata/golden.zip", len(want))
	}
}

// documented returns the bytes of the hex dump after a marker. What follows two spaces and a '|' is a remark.
func documented(t *testing.T, doc []byte, marker string) []byte {
	t.Helper()
	_, rest, ok := strings.Cut(string(doc), "<!-- "+marker+" -->\n```\n")
	if !ok {
		t.Fatalf("docs/pack-format.md has no %q", marker)
	}
	block, _, _ := strings.Cut(rest, "```")
	var out []byte
	line := regexp.MustCompile(`^ *\d+  ((?:[0-9a-f]{2} ?)+)`)
	for _, l := range strings.Split(strings.TrimSpace(block), "\n") {
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("docs/pack-format.md: %q is no line of a dump", l)
		}
		p, err := hex.DecodeString(strings.ReplaceAll(m[1], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p...)
	}
	return out
}
