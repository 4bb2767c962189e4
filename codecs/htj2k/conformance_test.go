package htj2k

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/testkit"
)

// codestreamOf is the codestream in a file: all of it, or the contents of its jp2c box (T.800 I.5.4).
func codestreamOf(t *testing.T, file []byte) []byte {
	t.Helper()
	if len(file) > 2 && file[0] == 0xFF && file[1] == 0x4F {
		return file
	}
	for rest := file; len(rest) >= 8; {
		n := int(binary.BigEndian.Uint32(rest))
		if n == 0 {
			n = len(rest)
		}
		if n < 8 || n > len(rest) {
			break
		}
		if string(rest[4:8]) == "jp2c" {
			return rest[8:n]
		}
		rest = rest[n:]
	}
	t.Fatal("no codestream in the file")
	return nil
}

// decodePlanes decodes all components of a codestream, each into words of 16 bits.
func decodePlanes(t *testing.T, d *Decoder, src []byte, reduce int) [][]int32 {
	t.Helper()
	infos, err := d.Components([][]byte{src})
	if err != nil {
		t.Fatal(err)
	}
	views := make([]codecs.View, len(infos))
	for c, in := range infos {
		for range reduce {
			in.Width, in.Height = (in.Width+1)/2, (in.Height+1)/2
		}
		views[c] = codecs.Planar(make([]byte, 2*in.Width*in.Height), in.Width, in.Height, 1, 16, in.Bits, in.Signed)
	}
	if err := d.DecodeComponents(views, [][]byte{src}, codecs.DecodeOptions{Reduce: reduce}); err != nil {
		t.Fatal(err)
	}
	planes := make([][]int32, len(views))
	for c := range views {
		planes[c] = samplesOf(&views[c])
	}
	return planes
}

// reference reads a reference image: binary PGM or PPM, or planes of bytes in the sizes of the components.
func reference(t *testing.T, name string, sizes []int) [][]int32 {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	planes := make([][]int32, len(sizes))
	if strings.HasSuffix(name, ".yuv") {
		for c, n := range sizes {
			for _, b := range raw[:n] {
				planes[c] = append(planes[c], int32(b))
			}
			raw = raw[n:]
		}
		return planes
	}
	var kind string
	var w, h, top int
	r := bufio.NewReader(bytes.NewReader(raw))
	if _, err := fmt.Fscan(r, &kind, &w, &h, &top); err != nil {
		t.Fatal(err)
	}
	size := 1
	if top > 255 {
		size = 2
	}
	raw = raw[len(raw)-w*h*len(sizes)*size:]
	for i := range w * h {
		for c := range sizes {
			at := (i*len(sizes) + c) * size
			x := int32(raw[at])
			if size == 2 {
				x = int32(binary.BigEndian.Uint16(raw[at:]))
			}
			planes[c] = append(planes[c], x)
		}
	}
	return planes
}

// TestConformance: the codestreams that OpenJPH is tested with, lossless and lossy,
// tiled, sub-sampled and with 16 bits, stay within the errors that are allowed for them.
func TestConformance(t *testing.T) {
	dir := filepath.Join(testkit.Corpus(t), "codestreams", "htj2k-openjph")
	list, err := os.ReadFile(filepath.Join(dir, "mse_pae.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(list), "\n")
	done := 0
	for i, line := range lines {
		name, ref, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || !strings.Contains(name, ".j") {
			continue
		}
		file, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue // not in the corpus
		}
		refName := filepath.Join(dir, filepath.Base(ref))
		if _, err := os.Stat(refName); err != nil {
			t.Logf("%s: its reference %s is not in the corpus", name, filepath.Base(ref))
			continue
		}
		t.Run(name, func(t *testing.T) {
			for _, d := range []*Decoder{NewDecoder(), newDecoder(true)} {
				planes := decodePlanes(t, d, codestreamOf(t, file), 0)
				sizes := make([]int, len(planes))
				for c := range planes {
					sizes[c] = len(planes[c])
				}
				want := reference(t, refName, sizes)
				for c := range planes {
					var mse, pae float64
					if _, err := fmt.Sscan(lines[i+1+c], &mse, &pae); err != nil {
						t.Fatalf("allowed errors of component %d: %v", c, err)
					}
					var sum, most float64
					for k, x := range planes[c] {
						e := float64(x - want[c][k])
						sum += e * e
						most = max(most, e, -e)
					}
					if got := sum / float64(len(planes[c])); got > mse*1.001 || most > pae {
						t.Errorf("component %d: mean squared error %g, peak %g; allowed are %g and %g", c, got, most, mse, pae)
					}
				}
			}
		})
		done++
	}
	if done < 8 {
		t.Errorf("%d codestreams were decoded, want 8 or more", done)
	}
}

// TestDecodeOpenJPH: what ojph_compress writes, with its ways to arrange a codestream, is decoded to the samples that ojph_expand gives, also reduced.
func TestDecodeOpenJPH(t *testing.T) {
	compress := testkit.Tool(t, "ojph_compress")
	expand := testkit.Tool(t, "ojph_expand")
	dir := t.TempDir()
	decoders := []*Decoder{NewDecoder(), newDecoder(true)}
	run := func(tool string, args ...string) {
		t.Helper()
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, out)
		}
	}
	for n, size := range [][2]int{{1, 1}, {3, 70}, {61, 47}, {200, 131}, {257, 300}} {
		for comps, suffix := range map[int]string{1: "pgm", 3: "ppm"} {
			in, code, out := filepath.Join(dir, "in."+suffix), filepath.Join(dir, "x.j2c"), filepath.Join(dir, "out."+suffix)
			pix := make([]byte, size[0]*size[1]*comps)
			for i := range pix {
				pix[i] = byte(i*i/7 + i%size[0]*3)
			}
			kind := map[int]string{1: "P5", 3: "P6"}[comps]
			if err := os.WriteFile(in, append(fmt.Appendf(nil, "%s\n%d %d\n255\n", kind, size[0], size[1]), pix...), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range []string{
				"-reversible true", "-reversible true -num_decomps 0", "-reversible true -num_decomps 3 -prog_order LRCP", "-reversible true -num_decomps 2 -prog_order RLCP",
				"-reversible true -num_decomps 3 -prog_order PCRL -precincts {32,32},{64,64}", "-reversible true -num_decomps 3 -prog_order CPRL -precincts {16,64}",
				"-reversible true -num_decomps 2 -tile_size {50,40} -block_size {16,32}", "-reversible true -num_decomps 2 -tile_size {50,40} -tile_offset {3,5} -image_offset {7,9} -block_size {4,64}",
				"-reversible true -num_decomps 4 -block_size {1024,4}",
				"-reversible false -qstep 0.005", "-reversible false -qstep 0.1 -num_decomps 3 -tile_size {64,64}", "-reversible false -qstep 0.00001 -num_decomps 2 -image_offset {11,2}",
			} {
				if strings.Contains(args, "image_offset") && size[0] < 60 {
					continue // ojph_compress wants the first tile inside the image
				}
				fields := strings.Fields(args)
				_ = os.Remove(code)
				run(compress, append([]string{"-i", in, "-o", code}, fields...)...)
				stream, err := os.ReadFile(code)
				if err != nil {
					t.Fatal(err)
				}
				for reduce := range 3 {
					if reduce > 0 && (!strings.Contains(args, "num_decomps") || strings.Contains(args, "num_decomps 0") || strings.Contains(args, "offset")) {
						continue // what is left may be empty, or ojph_expand gives it another size
					}
					_ = os.Remove(out)
					run(expand, "-i", code, "-o", out, "-skip_res", fmt.Sprintf("%d,%d", reduce, reduce))
					for _, d := range decoders {
						planes := decodePlanes(t, d, stream, reduce)
						sizes := make([]int, comps)
						for c := range sizes {
							sizes[c] = len(planes[c])
						}
						want := reference(t, out, sizes)
						allowed := int32(0)
						if strings.Contains(args, "reversible false") {
							allowed = 1 // rounding of floats
						}
						for c := range planes {
							for i, x := range planes[c] {
								if e := x - want[c][i]; e > allowed || e < -allowed {
									t.Fatalf("image %d, %d components, %s, %d levels dropped: got %d at sample %d of component %d, want %d", n, comps, args, reduce, x, i, c, want[c][i])
								}
							}
						}
					}
				}
			}
		}
	}
}
