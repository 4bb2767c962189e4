package pack

import (
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Every zstd frame of the format declares its content size and ends with the
// checksum of RFC 8878 3.1.1. Encoders and decoders are pooled because their
// tables are megabytes; the pools hold no state that shows in the output.
// (Single-segment frames are the only ones that declare a content size below 256 bytes.)
var (
	encoders = sync.Pool{New: func() any { return newEncoder(zstd.SpeedBetterCompression) }}
	packers  = sync.Pool{New: func() any { return newEncoder(zstd.SpeedBestCompression) }}
	decoders = sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(maxRaw))
		if err != nil {
			panic("pack: zstd decoder options: " + err.Error())
		}
		return d
	}}
)

func newEncoder(level zstd.EncoderLevel) *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true), zstd.WithZeroFrames(true), zstd.WithSingleSegment(true), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("pack: zstd encoder options: " + err.Error())
	}
	return e
}

// CompressZstd appends one zstd frame of src to dst. Equal input gives equal
// output within a build. It is safe for concurrent use.
func CompressZstd(dst, src []byte) []byte { return compress(&encoders, dst, src) }

// compressTight is CompressZstd at the highest level, for what is small and kept hot: header blocks and indexes.
func compressTight(dst, src []byte) []byte { return compress(&packers, dst, src) }

func compress(pool *sync.Pool, dst, src []byte) []byte {
	e := pool.Get().(*zstd.Encoder)
	defer pool.Put(e)
	return e.EncodeAll(src, dst)
}

// DecompressZstd appends the content of the zstd frame src to dst. The frame
// must declare its content size, which is checked against max bytes before
// anything is allocated: a larger one is a *LimitError, a broken frame a
// *MalformedError. It is safe for concurrent use.
func DecompressZstd(dst, src []byte, max int64) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return dst, &MalformedError{"zstd frame header: " + err.Error(), 0}
	}
	if !h.HasFCS || h.Skippable {
		return dst, &MalformedError{"zstd frame without content size", 0}
	}
	if max < 0 || h.FrameContentSize > uint64(max) {
		return dst, &LimitError{"bytes of a decompressed zstd frame", int64(min(h.FrameContentSize, 1<<62)), max}
	}
	n := int(h.FrameContentSize)
	if cap(dst)-len(dst) < n {
		dst = append(make([]byte, 0, len(dst)+n), dst...)
	}
	// The decoder writes up to cap(dst) and never reallocates, so a frame cannot be larger than it says.
	room := dst[: len(dst) : len(dst)+n]
	d := decoders.Get().(*zstd.Decoder)
	defer decoders.Put(d)
	out, err := d.DecodeAll(src, room)
	if err != nil {
		return dst, &MalformedError{"zstd frame: " + err.Error(), -1}
	}
	if len(out) != len(dst)+n {
		return dst, &MalformedError{"zstd frame is shorter than its content size", -1}
	}
	return out, nil
}
