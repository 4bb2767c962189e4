package pack

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// Hasher computes the two digests of all frames of an instance, in order.
// While no frame has bits above BitsStored that differ from a plain sample,
// both digests are of the same bytes and are computed once.
type Hasher struct {
	img     *Image
	scratch sampleScratch
	native  hash.Hash
	samples hash.Hash // nil: same as native so far
	frames  int
}

// NewHasher returns a Hasher of an image. Frames are as received: their layout is that of the image.
func NewHasher(img *Image) *Hasher { return &Hasher{img: img, native: sha256.New()} }

// Add hashes the next frame, as received, and returns the digest of its
// samples, which costs nothing for the first frame and a second SHA-256 for others.
func (h *Hasher) Add(frame []byte) Digest {
	h.scratch.each(h.img, frame, func(native, samples []byte, same bool) {
		if !same && h.samples == nil {
			h.samples = clone(h.native)
		}
		h.native.Write(native)
		if h.samples != nil {
			h.samples.Write(samples)
		}
	})
	if h.frames++; h.frames == 1 {
		_, sample := h.Sums()
		return sample
	}
	_, sample := h.scratch.digests(h.img, frame)
	return sample
}

// Sums returns NativeSHA256 and SampleSHA256 of the frames so far; zero digests if there was none.
func (h *Hasher) Sums() (native, samples Digest) {
	if h.frames == 0 {
		return Digest{}, Digest{}
	}
	h.native.Sum(native[:0])
	if h.samples == nil {
		return native, native
	}
	h.samples.Sum(samples[:0])
	return native, samples
}

// SampleDigest returns Frame.SampleSHA256 of one frame as received: its
// samples masked to BitsStored and sign-extended if the image is signed, in
// words of BitsAllocated, little endian, samples of a pixel side by side.
// Frames of other than 8 or 16 bits allocated, or of another size than the
// image's samples need, are hashed as their words (little endian) are. It is safe for concurrent use.
func SampleDigest(img *Image, frame []byte) Digest {
	var s sampleScratch
	_, d := s.digests(img, frame)
	return d
}

// FrameDigests returns both digests of an instance's only frame: NativeSHA256 and SampleSHA256.
func FrameDigests(img *Image, frame []byte) (native, samples Digest) {
	var s sampleScratch
	return s.digests(img, frame)
}

// chunkBytes is how much is converted at a time: it stays in the first-level caches together with its copy.
const chunkBytes = 12 << 10 // a multiple of 2, 3 and 4 words of 2 bytes, and of 8

type sampleScratch struct{ native, samples []byte }

func (s *sampleScratch) digests(img *Image, frame []byte) (native, samples Digest) {
	nh := sha256.New()
	var sh hash.Hash
	s.each(img, frame, func(n, m []byte, same bool) {
		if !same && sh == nil {
			sh = clone(nh)
		}
		nh.Write(n)
		if sh != nil {
			sh.Write(m)
		}
	})
	nh.Sum(native[:0])
	if sh == nil {
		return native, native
	}
	sh.Sum(samples[:0])
	return native, samples
}

// clone copies the state of a SHA-256.
func clone(h hash.Hash) hash.Hash {
	c, err := h.(hash.Cloner).Clone()
	if err != nil {
		panic("pack: crypto/sha256 cannot be cloned: " + err.Error())
	}
	return c
}

// each visits the native words and the samples of a frame in pieces; both
// slices are valid during the call only, and equal if same.
func (s *sampleScratch) each(img *Image, frame []byte, visit func(native, samples []byte, same bool)) {
	word := img.BitsAllocated / 8
	if img.BitsAllocated%8 != 0 || word < 1 || word > 8 {
		visit(frame, frame, true)
		return
	}
	planar := img.Planar && img.Samples > 1 && int64(len(frame)) == img.FrameBytes()
	masks := (word == 1 || word == 2) && int64(len(frame)) == img.FrameBytes() &&
		img.BitsStored >= 1 && img.BitsStored < img.BitsAllocated && img.HighBit >= img.BitsStored-1 && img.HighBit < img.BitsAllocated
	swap := img.BigEndian && word > 1
	if !planar && !masks && !swap {
		visit(frame, frame, true)
		return
	}
	for start := 0; start < len(frame); start += chunkBytes {
		end := min(start+chunkBytes, len(frame))
		native := frame[start:end]
		if planar || swap {
			native = s.reorder(img, frame, start, end, word, planar, swap)
		}
		samples, same := native, true
		if masks {
			samples, same = s.mask(img, native, word)
		}
		visit(native, samples, same)
	}
}

// reorder returns bytes start..end of the frame with samples side by side and little endian words.
func (s *sampleScratch) reorder(img *Image, frame []byte, start, end, word int, planar, swap bool) []byte {
	if s.native == nil {
		s.native = make([]byte, chunkBytes)
	}
	out := s.native[:end-start]
	if !planar {
		copy(out, frame[start:end])
	} else {
		plane, pixel, c := len(frame)/img.Samples, start/word/img.Samples, start/word%img.Samples
		for i := 0; i < len(out); i += word {
			copy(out[i:i+word], frame[c*plane+pixel*word:])
			if c++; c == img.Samples {
				c, pixel = 0, pixel+1
			}
		}
	}
	if swap {
		for i := 0; i+word <= len(out); i += word {
			for a, b := i, i+word-1; a < b; a, b = a+1, b-1 {
				out[a], out[b] = out[b], out[a]
			}
		}
	}
	return out
}

// mask returns the samples of native words, and whether they are the same bytes.
func (s *sampleScratch) mask(img *Image, native []byte, word int) (samples []byte, same bool) {
	shift := img.HighBit + 1 - img.BitsStored
	if shift == 0 && plain(native, word, img.BitsStored, img.Signed) {
		return native, true
	}
	if s.samples == nil {
		s.samples = make([]byte, chunkBytes)
	}
	out := s.samples[:len(native)]
	up := 32 - img.BitsStored
	var differ uint32
	if word == 1 {
		for i, w := range native {
			v := uint32(w) >> shift << up
			if img.Signed {
				v = uint32(int32(v) >> up)
			} else {
				v >>= up
			}
			out[i] = byte(v)
			differ |= uint32(w ^ byte(v))
		}
		return out, differ == 0
	}
	for i := 0; i+1 < len(native); i += 2 {
		w := binary.LittleEndian.Uint16(native[i:])
		v := uint32(w) >> shift << up
		if img.Signed {
			v = uint32(int32(v) >> up)
		} else {
			v >>= up
		}
		binary.LittleEndian.PutUint16(out[i:], uint16(v))
		differ |= uint32(w ^ uint16(v))
	}
	return out, differ == 0
}

// plain reports whether the bits of every word above its lowest stored bits
// repeat the sign (signed) or are zero, eight bytes at a time.
func plain(native []byte, word, stored int, signed bool) bool {
	lane, lanes := uint64(0xFF), uint64(0x0101010101010101)
	if word == 2 {
		lane, lanes = 0xFFFF, 0x0001000100010001
	}
	check, step := lane&^(1<<stored-1), 64
	if signed { // a bit differs from the next one up, from the sign bit to the last but one
		check, step = lane>>1&^(1<<(stored-1)-1), 1
	}
	var found uint64
	for ; len(native) >= 8; native = native[8:] {
		v := binary.LittleEndian.Uint64(native)
		found |= v ^ v>>step
	}
	var rest [8]byte
	copy(rest[:], native)
	v := binary.LittleEndian.Uint64(rest[:])
	found |= v ^ v>>step
	return found&(check*lanes) == 0
}
