package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/internal/testkit"
)

// slowSamples is the definition of both digests, sample by sample.
func slowSamples(img *Image, frame []byte) (native, samples []byte) {
	word := img.BitsAllocated / 8
	n := img.Rows * img.Columns
	for pixel := range n {
		for c := range img.Samples {
			at := (pixel*img.Samples + c) * word
			if img.Planar {
				at = (c*n + pixel) * word
			}
			v := uint32(frame[at])
			if word == 2 {
				v = uint32(binary.LittleEndian.Uint16(frame[at:]))
				if img.BigEndian {
					v = uint32(binary.BigEndian.Uint16(frame[at:]))
				}
			}
			m := v >> (img.HighBit + 1 - img.BitsStored) & (1<<img.BitsStored - 1)
			if img.Signed && m>>(img.BitsStored-1) == 1 {
				m |= ^uint32(0) << img.BitsStored
			}
			native, samples = append(native, byte(v)), append(samples, byte(m))
			if word == 2 {
				native, samples = append(native, byte(v>>8)), append(samples, byte(m>>8))
			}
		}
	}
	return native, samples
}

func TestDigestsAreThoseOfTheDefinition(t *testing.T) {
	n := 0
	for _, allocated := range []int{8, 16} {
		for stored := 1; stored <= allocated; stored++ {
			for variant := range 64 {
				img := &Image{Rows: 67, Columns: 41, Frames: 2, Samples: 1 + variant>>4&1*2, BitsAllocated: allocated, BitsStored: stored, HighBit: stored - 1,
					Signed: variant&1 > 0, Planar: variant&2 > 0, BigEndian: variant&4 > 0}
				if variant&32 > 0 {
					img.HighBit = allocated - 1
				}
				frames := [][]byte{random(uint64(variant), int(img.FrameBytes())), random(uint64(variant+100), int(img.FrameBytes()))}
				if variant&8 > 0 { // frames without other bits above the samples, or one with them after one without
					_, frames[0] = slowSamples(&Image{Rows: img.Rows, Columns: img.Columns, Samples: img.Samples, BitsAllocated: allocated, BitsStored: stored, HighBit: stored - 1, Signed: img.Signed}, frames[0])
					if img.BigEndian && allocated == 16 {
						for i := 0; i < len(frames[0]); i += 2 {
							frames[0][i], frames[0][i+1] = frames[0][i+1], frames[0][i]
						}
					}
				}
				h := NewHasher(img)
				var natives, samples []byte
				for f, p := range frames {
					before := bytes.Clone(p)
					nat, sam := slowSamples(img, p)
					natives, samples = append(natives, nat...), append(samples, sam...)
					if got, want := h.Add(p), Digest(sha256.Sum256(sam)); got != want || SampleDigest(img, p) != want {
						t.Fatalf("%+v: frame %d: samples %x, want %x", img, f, got, want)
					}
					if gotNative, gotSample := FrameDigests(img, p); gotNative != sha256.Sum256(nat) || gotSample != sha256.Sum256(sam) {
						t.Fatalf("%+v: FrameDigests of frame %d", img, f)
					}
					if !bytes.Equal(before, p) {
						t.Fatal("hashing changed the frame")
					}
				}
				if gotN, gotS := h.Sums(); gotN != sha256.Sum256(natives) || gotS != sha256.Sum256(samples) {
					t.Fatalf("%+v: Sums differ from the definition", img)
				}
				n++
			}
		}
	}
	t.Logf("%d images", n)
}

func TestWordsThatAreNoSamplesAreHashedAsTheyAre(t *testing.T) {
	p := random(1, 48)
	for _, c := range []struct {
		what string
		img  Image
		want []byte
	}{
		{"32 bits", Image{Rows: 4, Columns: 3, Samples: 1, BitsAllocated: 32, BitsStored: 32, HighBit: 31}, p},
		{"1 bit", Image{Rows: 4, Columns: 96, Samples: 1, BitsAllocated: 1, BitsStored: 1}, p},
		{"chroma shared", Image{Rows: 4, Columns: 6, Samples: 3, BitsAllocated: 8, BitsStored: 8, HighBit: 7, Planar: true}, p},
		{"absurd", Image{Rows: -4, Columns: 1 << 40, Samples: 3, BitsAllocated: 16, BitsStored: 99, HighBit: -7}, p},
	} {
		if n, s := FrameDigests(&c.img, p); n != sha256.Sum256(c.want) || s != n {
			t.Errorf("%s: digests %x and %x", c.what, n, s)
		}
	}
	if n, s := NewHasher(&Image{}).Sums(); n != (Digest{}) || s != (Digest{}) {
		t.Error("no frame has a digest")
	}
}

// TestNativeDigestIsThatOfTheCorpus compares with what independent tools say of every native file of the corpus.
func TestNativeDigestIsThatOfTheCorpus(t *testing.T) {
	dir := testkit.Corpus(t)
	compared := 0
	for _, row := range testkit.CorpusFiles(t, dir) {
		want, err := hex.DecodeString(row["pixel_sha256"])
		if err != nil || len(want) != 32 || row["decoder"] != "native" || testing.Short() && compared > 40 {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, row["path"]))
		if err != nil {
			t.Fatal(err)
		}
		f, err := dcm.Scan(bytes.NewReader(raw), int64(len(raw)), dcm.Limits{})
		if err != nil || f.Pixel == nil || f.Pixel.Encapsulated || f.Encoding.Deflated || f.Image == nil || f.Image.BitsAllocated > 16 {
			continue
		}
		if f.PixelBigEndian() && f.Image.BitsAllocated == 8 {
			continue // may be swapped in 16-bit words, which Image does not say
		}
		img := &Image{Rows: f.Image.Rows, Columns: f.Image.Columns, Frames: f.Image.Frames, Samples: f.Image.Samples, BitsAllocated: f.Image.BitsAllocated,
			BitsStored: f.Image.BitsStored, HighBit: f.Image.HighBit, Signed: f.Image.Signed, Planar: f.Image.Planar == 1, BigEndian: f.PixelBigEndian()}
		h, frames := NewHasher(img), 0
		for _, p := range f.Pieces(BulkBytes) {
			if p.Kind == dcm.NativeFrame {
				h.Add(raw[p.Offset : p.Offset+p.Length])
				frames++
			}
		}
		if strconv.Itoa(frames) != row["frames"] {
			continue // not whole frames
		}
		if got, _ := h.Sums(); !bytes.Equal(got[:], want) {
			t.Errorf("%s: native digest %x, the corpus says %x", row["path"], got, want)
		}
		compared++
	}
	t.Logf("%d native files compared", compared)
	if compared < 40 {
		t.Errorf("only %d files compared: the test has lost its input", compared)
	}
}
