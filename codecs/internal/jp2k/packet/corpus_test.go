package packet

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
	"github.com/radtier/radtier/internal/testkit"
)

// fragments finds the items of encapsulated pixel data in a DICOM file, without the offset table.
func fragments(file []byte) [][]byte {
	tag := []byte{0xE0, 0x7F, 0x10, 0x00, 'O', 'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF}
	at := bytes.LastIndex(file, tag)
	if at < 0 {
		return nil
	}
	var items [][]byte
	for rest := file[at+len(tag):]; len(rest) >= 8 && binary.LittleEndian.Uint32(rest) == 0xE000FFFE; {
		n := int(binary.LittleEndian.Uint32(rest[4:]))
		if n > len(rest)-8 {
			break
		}
		items = append(items, rest[8:8+n])
		rest = rest[8+n:]
	}
	if len(items) == 0 {
		return nil
	}
	return items[1:]
}

// unbox returns the codestream of a JP2 or JPH file (T.800 Annex I), or what it was given if it is none.
func unbox(file []byte) []byte {
	if at := bytes.Index(file, []byte{0xFF, 0x4F, 0xFF, 0x51}); at >= 0 {
		return file[at:]
	}
	return file
}

// corpusStreams calls f for every JPEG 2000 codestream of the corpus.
func corpusStreams(t *testing.T, f func(t *testing.T, name string, src []byte)) {
	dir := testkit.Corpus(t)
	n := 0
	files, err := filepath.Glob(filepath.Join(dir, "codestreams", "htj2k-openjph", "*.j*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("codestreams of the corpus: %v, %v", files, err)
	}
	for _, path := range files {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(path), func(t *testing.T) { f(t, filepath.Base(path), unbox(file)) })
		n++
	}
	for _, row := range testkit.CorpusFiles(t, dir) {
		switch strings.TrimPrefix(row["ts_uid"], "1.2.840.10008.1.2.4.") {
		case "90", "91", "201", "202", "203":
		default:
			continue
		}
		if strings.HasPrefix(row["path"], "malformed") {
			continue
		}
		file, err := os.ReadFile(filepath.Join(dir, row["path"]))
		if err != nil {
			t.Fatal(err)
		}
		var frames [][]byte
		for _, item := range fragments(file) {
			if len(frames) == 0 || bytes.HasPrefix(item, []byte{0xFF, 0x4F}) || bytes.HasPrefix(item, []byte("\x00\x00\x00\x0cjP")) {
				frames = append(frames, nil)
			}
			frames[len(frames)-1] = append(frames[len(frames)-1], item...)
		}
		for i, src := range frames {
			if i == 3 {
				break
			}
			t.Run(row["path"], func(t *testing.T) { f(t, row["path"], unbox(src)) })
			n++
		}
	}
	if n < 45 {
		t.Errorf("got %d codestreams in the corpus, want 45 or more", n)
	}
}

// parsed is a codestream taken apart.
type parsed struct {
	cs     codestream.Reader
	p      codestream.Params
	t      geom.Tile
	r      Reader
	unused int64
	ends   [codestream.MaxLevels + 1]int64
}

// parse reads all packets of all tiles.
func (k *parsed) parse(src []byte, reduce int) error {
	if err := k.cs.Open(src, codecs.Limits{}); err != nil {
		return err
	}
	if err := k.cs.Scan(reduce > 0); err != nil {
		return err
	}
	k.unused, k.ends = 0, [codestream.MaxLevels + 1]int64{}
	across, down := k.cs.Tiles()
	for i := range across * down {
		if err := k.cs.TileParams(i, &k.p); err != nil {
			return err
		}
		if err := k.t.Set(&k.cs.Size, &k.p, i, 1<<30); err != nil {
			return err
		}
		if err := k.r.Read(&k.t, &k.cs, &k.p, reduce); err != nil {
			return err
		}
		k.unused += k.r.Unused
		for r, end := range k.r.Ends {
			k.ends[r] = max(k.ends[r], end)
		}
	}
	return nil
}

func TestCorpusParsesCompletely(t *testing.T) {
	var k parsed
	perResolution := 0
	corpusStreams(t, func(t *testing.T, name string, src []byte) {
		if err := k.parse(src, 0); err != nil {
			t.Fatal(err)
		}
		if k.unused != 0 {
			t.Errorf("bytes behind the last packets of the tiles: got %d, want 0", k.unused)
		}
		if levels := int(k.cs.Coding[0].Levels); len(k.cs.Parts) == levels+1 {
			perResolution++
			for i := range k.cs.Parts {
				if got, want := k.ends[i], k.cs.Parts[i].End; got != want {
					t.Errorf("end of resolution level %d: got %d, want %d, where its tile-part ends", i, got, want)
				}
			}
		}
	})
	if perResolution < 2 {
		t.Errorf("got %d codestreams with a tile-part for each resolution level, want 2 or more", perResolution)
	}
}
