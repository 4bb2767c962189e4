package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/pack"
)

// errNotProved says that a codestream did not decode to its source. It is a
// fault of a codec, not of the input: the frame is kept as it was received and the fault is reported.
var errNotProved = errors.New("encoded frame does not decode to its source")

// minSaving is the share of a frame's bytes that encoding must save, or the frame stays as received.
const minSaving = 0.03

// plainProofs is how many frames there are for each one that is proved by a
// plain Go decoder, so that a kernel that is wrong both ways is found.
const plainProofs = 100

// provedPlainly chooses these frames by their codestreams: a repeated attempt chooses the same.
func provedPlainly(stream []byte) bool { return crc32.ChecksumIEEE(stream)%plainProofs == 0 }

// storedFrame is one frame ready to be written.
type storedFrame struct {
	pack.FrameData
	pooled []byte // payload memory to give back after writing
	fault  error  // a codec fault that was survived by keeping the frame as received
}

// encodeNative turns one native frame, as its bytes lie in the received file,
// into a codestream of a transfer syntax and proves it: the codestream is decoded, laid out by the
// very function that readers use, and compared with the received bytes. What
// a codestream cannot hold (overlay or junk bits above Bits Stored) becomes the residue.
func encodeNative(ctx context.Context, b *core, bufs *buffers, syntax string, img *pack.Image, raw []byte) (storedFrame, error) {
	start := time.Now()
	coding, ok := pack.CodingOf(syntax)
	encoder := b.encoder(syntax)
	if !ok || encoder == nil {
		return storedFrame{}, fmt.Errorf("frames are not stored in transfer syntax %s", syntax)
	}
	out := bufs.get(int64(len(raw)) + int64(len(raw))/8 + 4096)[:0]
	stream, layout, err := encoder.Encode(out, pack.FrameView(img, raw, img.Signed), codecs.EncodeOptions{Context: ctx, RGB: img.Photometric == "RGB"})
	b.Times.add(&b.Times.Encode, start)
	if err != nil {
		if ctx.Err() != nil {
			return storedFrame{}, context.Cause(ctx)
		}
		bufs.put(out)
		return rawFrame(bufs, raw, fmt.Errorf("encoder: %w", err)), nil
	}
	f := storedFrame{pooled: stream, FrameData: pack.FrameData{Data: stream, Coding: coding, RawSize: int64(len(raw)), LevelEnds: slices.Clone(layout.LevelEnds)}}
	var exact bool
	f.SignFill, exact = fillOf(img, raw)

	start = time.Now()
	defer b.Times.add(&b.Times.Rebuild, start)
	decoders := b.rebuild
	if provedPlainly(stream) {
		decoders = b.plain
	}
	rebuilt, err := pack.RebuildFrame(ctx, decoders, img, f.SignFill, f.Coding, stream, nil, b.buffer(int64(len(raw))))
	switch {
	case err != nil && ctx.Err() != nil:
		return storedFrame{}, context.Cause(ctx)
	case err != nil:
		bufs.put(stream)
		return rawFrame(bufs, raw, fmt.Errorf("%w: %w", errNotProved, err)), nil
	case bytes.Equal(rebuilt, raw):
	case exact || !residueAbove(img, rebuilt, raw):
		bufs.put(stream)
		return rawFrame(bufs, raw, errNotProved), nil
	default: // rebuilt now holds received XOR rebuilt
		f.Residue = pack.CompressZstd(nil, rebuilt)
	}
	if float64(len(stream)+len(f.Residue)) > (1-minSaving)*float64(len(raw)) {
		bufs.put(stream)
		return rawFrame(bufs, raw, nil), nil
	}
	return f, nil
}

// rawFrame keeps a frame's words, compressed by zstd if that helps.
func rawFrame(bufs *buffers, raw []byte, fault error) storedFrame {
	out := pack.CompressZstd(bufs.get(int64(len(raw)) + 4096)[:0], raw)
	f := storedFrame{pooled: out, fault: fault, FrameData: pack.FrameData{Data: out, Coding: pack.CodingZstd, RawSize: int64(len(raw))}}
	if len(out) >= len(raw) {
		f.Data, f.Coding = append(out[:0], raw...), pack.CodingBytes
	}
	return f
}

// fillOf tells how the bits above Bits Stored are filled in the received
// words: with the sign, or with zeros; exact is false if neither holds for all of them.
func fillOf(img *pack.Image, raw []byte) (signFill, exact bool) {
	if img.BitsStored == img.BitsAllocated {
		return img.Signed, true
	}
	// Eight bytes a step: lanes of 8 or 16 bits, each looked at alone. In big
	// endian words the lanes are swapped first; a rest of a few bytes is padded with zeros, which look like fill.
	lane, ones := uint64(0xFFFF), uint64(0x0001_0001_0001_0001)
	if img.BitsAllocated == 8 {
		lane, ones = 0xFF, 0x0101_0101_0101_0101
	}
	high := ones * (lane &^ (1<<img.BitsStored - 1))
	shift := img.BitsStored - 1
	swap := img.BigEndian && img.BitsAllocated == 16
	var notZero, notSign uint64
	look := func(x uint64) {
		if swap {
			x = x>>8&0x00FF_00FF_00FF_00FF | x&0x00FF_00FF_00FF_00FF<<8
		}
		notZero |= x & high
		notSign |= (x ^ (x>>shift&ones)*lane) & high
	}
	p := raw
	for ; len(p) >= 8; p = p[8:] {
		look(binary.LittleEndian.Uint64(p))
	}
	if len(p) > 0 {
		var rest [8]byte
		copy(rest[:], p)
		look(binary.LittleEndian.Uint64(rest[:]))
	}
	if img.Signed && notSign == 0 {
		return true, true
	}
	return img.Signed && notZero != 0, notZero == 0
}

// residueAbove replaces rebuilt by its XOR with raw and reports whether they differ in bits above Bits Stored only.
func residueAbove(img *pack.Image, rebuilt, raw []byte) bool {
	var low byte
	for i := range rebuilt {
		rebuilt[i] ^= raw[i]
	}
	if img.BitsAllocated == 8 {
		mask := byte(1<<img.BitsStored - 1)
		for _, x := range rebuilt {
			low |= x & mask
		}
		return low == 0
	}
	lowWord := uint16(1<<img.BitsStored - 1)
	first, second := byte(lowWord), byte(lowWord>>8)
	if img.BigEndian {
		first, second = second, first
	}
	for i := 0; i+1 < len(rebuilt); i += 2 {
		low |= rebuilt[i]&first | rebuilt[i+1]&second
	}
	return low == 0
}
