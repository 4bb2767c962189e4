package packet

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs/internal/jp2k/codestream"
	"github.com/radtier/radtier/codecs/internal/jp2k/geom"
	"github.com/radtier/radtier/internal/testkit"
)

// picture writes a PGM or PPM file of smooth shapes with a little noise.
func picture(t *testing.T, path string, w, h, comps int) {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "P%d\n%d %d\n255\n", 5+comps/3, w, h)
	seed := uint32(1)
	for y := range h {
		for x := range w {
			for c := range comps {
				seed = seed*1664525 + 1013904223
				b.WriteByte(byte(x*3/2+y*(c+1)) ^ byte(seed>>30))
			}
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs an outside program and returns what it says if it fails.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(testkit.Tool(t, name), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// encoded returns the codestream that a tool makes of a picture.
func encoded(t *testing.T, tool string, w, h, comps int, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pgm"), filepath.Join(dir, "out.j2c")
	if comps == 3 {
		in = filepath.Join(dir, "in.ppm")
	}
	picture(t, in, w, h, comps)
	run(t, tool, append([]string{"-i", in, "-o", out}, args...)...)
	src, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// Codestreams of other encoders, with everything that they can be asked for.
var foreign = []struct {
	name, tool  string
	w, h, comps int
	args        string
}{
	{"defaults", "opj_compress", 200, 170, 1, ""},
	{"RGB", "opj_compress", 200, 170, 3, ""},
	{"RLCP", "opj_compress", 200, 170, 3, "-p RLCP"},
	{"RPCL", "opj_compress", 200, 170, 3, "-p RPCL"},
	{"PCRL", "opj_compress", 200, 170, 3, "-p PCRL"},
	{"CPRL", "opj_compress", 200, 170, 3, "-p CPRL"},
	{"precincts in LRCP", "opj_compress", 200, 170, 3, "-c [64,64],[32,32],[16,16]"},
	{"precincts in RPCL", "opj_compress", 200, 170, 3, "-p RPCL -c [64,32],[32,64],[16,16]"},
	{"precincts in PCRL", "opj_compress", 300, 170, 3, "-p PCRL -c [64,64],[32,16],[16,16]"},
	{"precincts in CPRL", "opj_compress", 200, 170, 3, "-p CPRL -c [128,64],[32,32],[16,16]"},
	{"layers", "opj_compress", 200, 170, 3, "-r 40,20,10,5,1"},
	{"layers in RPCL with precincts", "opj_compress", 200, 170, 3, "-p RPCL -r 40,20,10,1 -c [64,64],[32,32]"},
	{"layers in PCRL with SOP and EPH", "opj_compress", 200, 170, 3, "-p PCRL -r 40,20,1 -SOP -EPH"},
	{"SOP", "opj_compress", 200, 170, 1, "-SOP"},
	{"EPH", "opj_compress", 200, 170, 1, "-EPH"},
	{"tiles", "opj_compress", 200, 170, 3, "-t 64,48"},
	{"tiles with offsets", "opj_compress", 200, 170, 3, "-t 64,48 -d 17,9 -T 5,3"},
	{"offsets in RPCL with precincts", "opj_compress", 200, 170, 3, "-d 37,19 -p RPCL -c [64,64],[32,32],[16,16]"},
	{"offsets in PCRL with precincts in tiles", "opj_compress", 200, 170, 3, "-d 37,19 -T 11,13 -t 100,90 -p PCRL -c [64,64],[32,32],[16,16]"},
	{"offsets in CPRL with precincts in tiles", "opj_compress", 200, 170, 3, "-d 37,19 -T 11,13 -t 100,90 -p CPRL -c [16,16],[32,32],[16,16]"},
	{"tile-parts by resolution", "opj_compress", 200, 170, 3, "-p RPCL -TP R"},
	{"tile-parts by layer", "opj_compress", 200, 170, 3, "-r 20,5,1 -TP L"},
	{"tile-parts by component", "opj_compress", 200, 170, 3, "-p CPRL -t 100,100 -TP C"},
	{"TLM and PLT", "opj_compress", 200, 170, 3, "-TLM -PLT -t 100,100"},
	{"POC", "opj_compress", 200, 170, 3, "-POC T1=0,0,1,3,3,LRCP/T1=3,0,1,6,3,RPCL"},
	{"POC with layers", "opj_compress", 200, 170, 3, "-r 20,10,1 -POC T1=0,0,3,3,3,RPCL/T1=3,0,3,6,3,RLCP"},
	{"region of interest", "opj_compress", 200, 170, 3, "-ROI c=0,U=6"},
	{"bypass, all passes terminated, segmentation symbols", "opj_compress", 200, 170, 1, "-M 37"},
	{"bypass", "opj_compress", 200, 170, 1, "-M 1"},
	{"bypass with layers", "opj_compress", 200, 170, 3, "-M 1 -r 20,10,4,1"},
	{"all passes terminated, with layers", "opj_compress", 200, 170, 3, "-M 4 -r 20,10,4,1"},
	{"irreversible with layers", "opj_compress", 200, 170, 3, "-I -r 40,20,10"},
	{"one level", "opj_compress", 200, 170, 1, "-n 1"},
	{"small blocks", "opj_compress", 200, 170, 1, "-b 4,4"},
	{"long blocks", "opj_compress", 1100, 40, 1, "-b 1024,4"},
	{"sub-sampled", "opj_compress", 200, 170, 1, "-s 2,3"},

	{"HT defaults", "ojph_compress", 200, 170, 1, "-reversible true"},
	{"HT RGB", "ojph_compress", 200, 170, 3, "-reversible true"},
	{"HT LRCP", "ojph_compress", 200, 170, 3, "-reversible true -prog_order LRCP"},
	{"HT RLCP", "ojph_compress", 200, 170, 3, "-reversible true -prog_order RLCP"},
	{"HT PCRL", "ojph_compress", 200, 170, 3, "-reversible true -prog_order PCRL -precincts {64,64}"},
	{"HT CPRL", "ojph_compress", 200, 170, 3, "-reversible true -prog_order CPRL -precincts {64,64},{32,32}"},
	{"HT tiles", "ojph_compress", 200, 170, 3, "-reversible true -tile_size {64,50} -image_offset {7,9} -tile_offset {3,5}"},
	{"HT precincts of 128", "ojph_compress", 700, 170, 1, "-reversible true -precincts {128,128}"},
	{"HT irreversible", "ojph_compress", 200, 170, 3, "-qstep 0.01"},
	{"HT long blocks", "ojph_compress", 1100, 170, 1, "-reversible true -block_size {4,1024}"},
}

func TestForeignStreamsParseCompletely(t *testing.T) {
	var k parsed
	for _, row := range foreign {
		t.Run(row.name, func(t *testing.T) {
			src := encoded(t, row.tool, row.w, row.h, row.comps, strings.Fields(row.args)...)
			if err := k.parse(src, 0); err != nil {
				t.Fatalf("%s: %v", row.args, err)
			}
			if k.unused != 0 {
				t.Errorf("%s: bytes behind the last packets: got %d, want 0", row.args, k.unused)
			}
			if got, want := k.cs.Stop, int64(len(src)); got != want {
				t.Errorf("%s: codestream ends at %d, want %d", row.args, got, want)
			}
			// Reading fewer resolution levels goes by the same packets.
			for reduce := 1; reduce <= int(k.cs.Coding[0].Levels)+1; reduce++ {
				if err := k.parse(src, reduce); err != nil {
					t.Errorf("%s: without the %d highest levels: %v", row.args, reduce, err)
				}
			}
		})
	}
}

// previews decodes previews of one codestream, and the codestream at the same
// reduced resolution, with an outside program that must give the same pictures.
func previews(t *testing.T, name string, src []byte, decode func(t *testing.T, src []byte, reduce int) []byte) {
	var k parsed
	if err := k.cs.Open(src, k.cs.Limits()); err != nil {
		t.Fatal(err)
	}
	if err := k.cs.Scan(false); err != nil {
		t.Fatal(err)
	}
	ends, err := k.r.LevelEnds(nil, &k.cs, &k.t)
	if err != nil {
		t.Fatal(err)
	}
	levels := int(k.cs.Coding[0].Levels)
	for drop := 0; drop <= levels; drop++ {
		// From the whole codestream, and from the prefix alone.
		end := ends[levels-drop]
		full, err := codestream.AppendPreview(nil, &k.cs, ends, drop)
		if err != nil {
			t.Fatalf("%s without %d levels: %v", name, drop, err)
		}
		var prefix codestream.Reader
		if err := prefix.Open(src[:end], k.cs.Limits()); err != nil {
			t.Fatal(err)
		}
		if err := prefix.Scan(true); err != nil {
			t.Fatal(err)
		}
		small, err := codestream.AppendPreview([]byte("before"), &prefix, ends, drop)
		if err != nil {
			t.Fatalf("%s without %d levels, from a prefix: %v", name, drop, err)
		}
		if small = small[len("before"):]; !bytes.Equal(small, full) {
			t.Errorf("%s without %d levels: the prefix of %d bytes gives another preview than the codestream", name, drop, end)
		}
		var own parsed
		if err := own.parse(small, 0); err != nil || own.unused != 0 {
			t.Errorf("%s without %d levels: reading the preview: %v, %d bytes left over", name, drop, err, own.unused)
		}
		var cut parsed
		if err := cut.parse(src[:end], drop); err != nil {
			t.Errorf("%s: prefix of %d bytes without %d levels: %v", name, end, drop, err)
		} else if drop > 0 {
			sameBlocks(t, name, &cut.t, &own.t, src, small)
			if err := cut.parse(src[:end-1], drop); err == nil {
				t.Errorf("%s: prefix of %d bytes without %d levels: got no error", name, end-1, drop)
			}
		}
		if drop > 0 {
			upgrade(t, name, &k.cs, end, &own.cs, src)
		}
		got, want := decode(t, small, 0), decode(t, src, drop)
		if !bytes.Equal(got, want) {
			t.Errorf("%s without %d levels: picture of %d bytes differs from that of a reduced decode, %d bytes", name, drop, len(got), len(want))
		}
	}
}

// sameBlocks checks that the lowest resolution levels of a tile have the code-blocks of its preview.
func sameBlocks(t *testing.T, name string, whole, preview *geom.Tile, src, small []byte) {
	t.Helper()
	for c := range preview.N {
		for r := range preview.Comps[c].Res {
			a, b := &whole.Comps[c].Res[r], &preview.Comps[c].Res[r]
			if a.Rect != b.Rect || a.PW != b.PW || a.PH != b.PH {
				t.Fatalf("%s: component %d, level %d: got %v in a preview, want %v", name, c, r, b.Rect, a.Rect)
			}
			for i := range b.NBands {
				x, y := &a.Bands[i], &b.Bands[i]
				if x.Rect != y.Rect || x.Planes != y.Planes || x.Exponent != y.Exponent || x.Mantissa != y.Mantissa {
					t.Fatalf("%s: component %d, level %d: sub-band %+v in a preview, want %+v", name, c, r, y, x)
				}
				for j := range x.Blocks {
					p, q := &x.Blocks[j], &y.Blocks[j]
					if p.Kind != q.Kind || p.Total != q.Total || p.Missing != q.Missing || !bytes.Equal(p.Cleanup(src), q.Cleanup(small)) {
						t.Fatalf("%s: component %d, level %d, code-block %d: got %+v in a preview, want %+v", name, c, r, j, q, p)
					}
				}
			}
		}
	}
}

// upgrade makes the original of its preview and what is missing.
func upgrade(t *testing.T, name string, original *codestream.Reader, end int64, preview *codestream.Reader, src []byte) {
	o, err := original.Outline(end)
	if err != nil {
		t.Fatal(err)
	}
	if got := o.End(); got != end {
		t.Errorf("%s: outline of %d bytes: End is %d", name, end, got)
	}
	joined, err := codestream.Join([]byte("before"), &o, preview)
	if err != nil {
		t.Fatal(err)
	}
	if joined = append(joined[len("before"):], src[end:]...); !bytes.Equal(joined, src) {
		t.Errorf("%s: preview of %d bytes and the missing range are not the original", name, end)
	}
}

// expand decodes with an outside program.
func expand(t *testing.T, tool, reduce string, src []byte, levels, comps int) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.j2c"), filepath.Join(dir, "out.pgm")
	if comps == 3 {
		out = filepath.Join(dir, "out.ppm")
	}
	if err := os.WriteFile(in, src, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, tool, "-i", in, "-o", out, reduce, fmt.Sprint(levels))
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPreviewsOfForeignStreams(t *testing.T) {
	for _, row := range []struct {
		name, tool  string
		w, h, comps int
		args        string
	}{
		{"one tile-part", "ojph_compress", 301, 203, 1, "-reversible true"},
		{"one tile-part, RGB", "ojph_compress", 301, 203, 3, "-reversible true"},
		{"tile-parts", "opj_compress", 301, 203, 3, "-p RPCL -TP R -TLM -PLT"},
		{"precincts of 128", "ojph_compress", 701, 403, 3, "-reversible true -precincts {128,128}"},
		{"precincts of 128, RLCP", "ojph_compress", 701, 403, 1, "-reversible true -prog_order RLCP -precincts {128,128}"},
		{"LRCP", "ojph_compress", 301, 203, 3, "-reversible true -prog_order LRCP"},
		{"irreversible", "ojph_compress", 301, 203, 3, "-qstep 0.01"},
		{"small", "ojph_compress", 37, 33, 1, "-reversible true"},
		{"Part 1 with layers", "opj_compress", 301, 203, 3, "-p RPCL -r 20,5,1"},
		{"Part 1 with SOP, EPH and region of interest", "opj_compress", 301, 203, 3, "-SOP -EPH -ROI c=1,U=5"},
		{"Part 1 irreversible", "opj_compress", 301, 203, 3, "-I -r 10"},
	} {
		t.Run(row.name, func(t *testing.T) {
			src := encoded(t, row.tool, row.w, row.h, row.comps, strings.Fields(row.args)...)
			previews(t, row.name, src, func(t *testing.T, src []byte, reduce int) []byte {
				return expand(t, "opj_decompress", "-r", src, reduce, row.comps)
			})
			if row.tool == "ojph_compress" {
				previews(t, row.name, src, func(t *testing.T, src []byte, reduce int) []byte {
					return expand(t, "ojph_expand", "-skip_res", src, reduce, row.comps)
				})
			}
		})
	}
}

func TestPreviewsOfCorpus(t *testing.T) {
	done := 0
	corpusStreams(t, func(t *testing.T, name string, src []byte) {
		var cs codestream.Reader
		if err := cs.Open(src, cs.Limits()); err != nil {
			t.Fatal(err)
		}
		if err := cs.Scan(false); err != nil {
			t.Fatal(err)
		}
		if err := cs.PreviewError(1); err != nil {
			t.Skip(err)
		}
		if cs.Comps[0].DX != cs.Comps[cs.N-1].DX {
			t.Skip("the outside program does not write sub-sampled components")
		}
		done++
		src = src[:cs.Stop] // without padding
		previews(t, name, src, func(t *testing.T, src []byte, reduce int) []byte {
			return expand(t, "opj_decompress", "-r", src, reduce, cs.N)
		})
	})
	if done < 20 {
		t.Errorf("got %d codestreams with previews, want 20 or more", done)
	}
}
