package jpegls

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/testkit"
)

// decodeAny decodes a stream into a view of its own geometry, if that is small.
func decodeAny(d *Decoder, data []byte) (codecs.View, codecs.Info, error) {
	src := [][]byte{data}
	info, err := d.Probe(src)
	if err != nil {
		return codecs.View{}, info, err
	}
	opts := codecs.DecodeOptions{Limits: codecs.Limits{MaxPixels: 1 << 20, MaxBytes: 1 << 20}}
	container := 8
	if info.Bits > 8 {
		container = 16
	}
	var v codecs.View
	if int64(info.Width)*int64(info.Height)*int64(info.Components) <= opts.Limits.MaxPixels {
		v = codecs.Interleaved(make([]byte, info.Width*info.Height*info.Components*container/8), info.Width, info.Height, info.Components, container, info.Bits, false)
	}
	return v, info, d.Decode(v, src, opts)
}

func TestMalformedCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testkit.Corpus(t), "codestreams", "malformed", "*.jls"))
	if err != nil || len(files) != 2 {
		t.Fatalf("got %d files, %v, want 2", len(files), err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range decoderPaths() {
			_, _, err := decodeAny(d, data)
			if err == nil {
				t.Errorf("%s: got no error", filepath.Base(f))
			} else {
				assertTyped(t, err)
			}
		}
	}
}

// smallStreams are one of each kind the encoder makes.
func smallStreams(t testing.TB) map[string][]byte {
	r := rand.New(rand.NewPCG(21, 22))
	streams := map[string][]byte{}
	for name, c := range map[string]struct {
		opts    Options
		n, bits int
	}{
		"gray 8":   {Options{}, 1, 8},
		"gray 12":  {Options{}, 1, 12},
		"restarts": {Options{RestartInterval: 2}, 1, 16},
		"planar":   {Options{Interleave: InterleaveNone}, 3, 8},
		"line":     {Options{Interleave: InterleaveLine, RestartInterval: 3}, 3, 8},
		"sample":   {Options{Interleave: InterleaveSample}, 3, 10},
		"presets":  {Options{preset: preset{t1: 4, t2: 9, t3: 30, reset: 20}}, 1, 8},
	} {
		v := makeView(r, 13, 9, c.n, (c.bits+7)/8*8, c.bits, false, layout{}, patterns[6])
		data, _, err := NewEncoder(c.opts).Encode(nil, v, codecs.EncodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		streams[name] = data
	}
	return streams
}

func TestTruncatedStreams(t *testing.T) {
	for name, data := range smallStreams(t) {
		decoders := decoderPaths()
		want, _, err := decodeAny(decoders[0], data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for n := range data {
			for _, d := range decoders {
				got, _, err := decodeAny(d, data[:n])
				switch {
				case err == nil && n < len(data)-3:
					t.Fatalf("%s: %d of %d bytes decoded", name, n, len(data))
				case err == nil && !bytes.Equal(got.Pix, want.Pix):
					t.Fatalf("%s: %d of %d bytes decoded to other samples", name, n, len(data))
				case err != nil:
					assertTyped(t, err)
				}
			}
		}
		// Only the EOI marker may be missing.
		if _, _, err := decodeAny(decoders[0], data[:len(data)-2]); err != nil {
			t.Errorf("%s without EOI: %v", name, err)
		}
	}
}

func TestDamagedStreams(t *testing.T) {
	for name, data := range smallStreams(t) {
		decoders := decoderPaths()
		for i := range data {
			for bit := range 8 {
				bad := bytes.Clone(data)
				bad[i] ^= 1 << bit
				a, _, errA := decodeAny(decoders[0], bad)
				if errA != nil {
					assertTyped(t, errA)
				}
				for _, d := range decoders[1:] {
					b, _, errB := decodeAny(d, bad)
					if (errA == nil) != (errB == nil) || errA == nil && !bytes.Equal(a.Pix, b.Pix) {
						t.Fatalf("%s, bit %d of byte %d: kernels %v, general %v %v", name, bit, i, errA, d.general, errB)
					}
				}
			}
		}
	}
}

func TestFragmentsAtEveryPosition(t *testing.T) {
	for name, data := range smallStreams(t) {
		d := NewDecoder()
		want, _, err := decodeAny(d, data)
		if err != nil {
			t.Fatal(err)
		}
		for n := range data {
			src := [][]byte{data[:n], nil, data[n:min(n+1, len(data))], data[min(n+1, len(data)):], {0}}
			if err := d.Compare(want, src, codecs.DecodeOptions{}); err != nil {
				t.Fatalf("%s split at byte %d: %v", name, n, err)
			}
		}
	}
}

// replace swaps one byte sequence of a stream for another.
func replace(t *testing.T, data []byte, from, to string) []byte {
	t.Helper()
	if strings.Count(string(data), from) != 1 {
		t.Fatalf("%x occurs %d times in the stream, want once", from, strings.Count(string(data), from))
	}
	return []byte(strings.Replace(string(data), from, to, 1))
}

// Headers that other writers use must decode to the same samples.
func TestForeignHeaders(t *testing.T) {
	gray := smallStreams(t)["gray 8"]
	restarts := smallStreams(t)["restarts"]
	frame := "\xff\xf7\x00\x0b\x08\x00\x09\x00\x0d\x01\x01\x11\x00"
	scan := "\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00"
	for name, c := range map[string]struct{ base, changed []byte }{
		"SPIFF header and comment": {gray, replace(t, gray, "\xff\xd8", "\xff\xd8\xff\xe8\x00\x0aSPIFF\x00\x01\x02\xff\xe8\x00\x08\x00\x00\x00\x01\xff\xd8\xff\xfe\x00\x05abc")},
		"fill bytes":               {gray, replace(t, gray, frame, "\xff\xff\xff"+frame)},
		"LSE with defaults":        {gray, replace(t, gray, scan, "\xff\xf8\x00\x0d\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"+scan)},
		"LSE with MAXVAL":          {gray, replace(t, gray, scan, "\xff\xf8\x00\x0d\x01\x00\xff\x00\x03\x00\x07\x00\x15\x00\x40"+scan)},
		"mapping table not used":   {gray, replace(t, gray, scan, "\xff\xf8\x00\x07\x02\x01\x01\x05\x06"+scan)},
		"oversize dimensions":      {gray, replace(t, gray, frame, "\xff\xf8\x00\x0c\x04\x04\x00\x00\x00\x09\x00\x00\x00\x0d\xff\xf7\x00\x0b\x08\x00\x00\x00\x00\x01\x01\x11\x00")},
		"DNL":                      {gray, append(replace(t, gray[:len(gray)-2], frame, "\xff\xf7\x00\x0b\x08\x00\x00\x00\x0d\x01\x01\x11\x00"), "\xff\xdc\x00\x04\x00\x09\xff\xd9"...)},
		"DRI of 4 bytes":           {restarts, replace(t, restarts, "\xff\xdd\x00\x04\x00\x02", "\xff\xdd\x00\x06\x00\x00\x00\x02")},
		"line interleave of one":   {gray, replace(t, gray, scan, "\xff\xda\x00\x08\x01\x01\x00\x00\x01\x00")},
	} {
		d := NewDecoder()
		want, wantInfo, err := decodeAny(d, c.base)
		if err != nil {
			t.Fatal(err)
		}
		got, info, err := decodeAny(d, c.changed)
		if err != nil || info != wantInfo || !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%s: got %+v, %v, want %+v and the same samples", name, info, err, wantInfo)
		}
	}
}

// Each of these must fail, and in the way named.
func TestRefusedHeaders(t *testing.T) {
	gray := smallStreams(t)["gray 8"]
	restarts := smallStreams(t)["restarts"]
	frame := "\xff\xf7\x00\x0b\x08\x00\x09\x00\x0d\x01\x01\x11\x00"
	scan := "\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00"
	for name, c := range map[string]struct {
		data []byte
		want any
	}{
		"empty":                 {nil, new(*codecs.MalformedError)},
		"no SOI":                {gray[2:], new(*codecs.MalformedError)},
		"precision 17":          {replace(t, gray, frame, "\xff\xf7\x00\x0b\x11\x00\x09\x00\x0d\x01\x01\x11\x00"), new(*codecs.MalformedError)},
		"no components":         {replace(t, gray, frame, "\xff\xf7\x00\x08\x08\x00\x09\x00\x0d\x00"), new(*codecs.MalformedError)},
		"no columns":            {replace(t, gray, frame, "\xff\xf7\x00\x0b\x08\x00\x09\x00\x00\x01\x01\x11\x00"), new(*codecs.MalformedError)},
		"no lines, no DNL":      {replace(t, gray, frame, "\xff\xf7\x00\x0b\x08\x00\x00\x00\x0d\x01\x01\x11\x00"), new(*codecs.MalformedError)},
		"two frames":            {replace(t, gray, frame, frame+frame), new(*codecs.MalformedError)},
		"scan before frame":     {replace(t, gray, frame, ""), new(*codecs.MalformedError)},
		"unknown component":     {replace(t, gray, scan, "\xff\xda\x00\x08\x01\x02\x00\x00\x00\x00"), new(*codecs.MalformedError)},
		"interleave mode 3":     {replace(t, gray, scan, "\xff\xda\x00\x08\x01\x01\x00\x00\x03\x00"), new(*codecs.MalformedError)},
		"NEAR above MAXVAL/2":   {replace(t, gray, scan, "\xff\xda\x00\x08\x01\x01\x00\xff\x00\x00"), new(*codecs.MalformedError)},
		"MAXVAL above 2^P-1":    {replace(t, gray, scan, "\xff\xf8\x00\x0d\x01\x01\xff\x00\x03\x00\x07\x00\x15\x00\x40"+scan), new(*codecs.MalformedError)},
		"T2 below T1":           {replace(t, gray, scan, "\xff\xf8\x00\x0d\x01\x00\xff\x00\x08\x00\x07\x00\x15\x00\x40"+scan), new(*codecs.MalformedError)},
		"RESET 2":               {replace(t, gray, scan, "\xff\xf8\x00\x0d\x01\x00\xff\x00\x03\x00\x07\x00\x15\x00\x02"+scan), new(*codecs.MalformedError)},
		"mapping table":         {replace(t, gray, scan, "\xff\xda\x00\x08\x01\x01\x01\x00\x00\x00"), new(*codecs.UnsupportedError)},
		"point transform":       {replace(t, gray, scan, "\xff\xda\x00\x08\x01\x01\x00\x00\x00\x01"), new(*codecs.UnsupportedError)},
		"LSE of 14495-2":        {replace(t, gray, scan, "\xff\xf8\x00\x03\x05"+scan), new(*codecs.UnsupportedError)},
		"baseline JPEG":         {replace(t, gray, frame, "\xff\xc0"+frame[2:]), new(*codecs.UnsupportedError)},
		"wrong restart":         {replace(t, restarts, "\xff\xd2", "\xff\xd3"), new(*codecs.MalformedError)},
		"restart not declared":  {replace(t, restarts, "\xff\xdd\x00\x04\x00\x02", ""), new(*codecs.MalformedError)},
		"data after the sample": {replace(t, gray, "\xff\xd9", "\x00\x00\xff\xd9"), new(*codecs.MalformedError)},
		"huge dimensions":       {replace(t, gray, frame, "\xff\xf7\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00"), new(*codecs.LimitError)},
	} {
		d := NewDecoder()
		v := codecs.Interleaved(make([]byte, 13*9*2), 13, 9, 1, 16, 16, false)
		err := d.Decode(v, [][]byte{c.data}, codecs.DecodeOptions{Limits: codecs.Limits{MaxPixels: 1 << 20}})
		if !errors.As(err, c.want) {
			t.Errorf("%s: got %v, want %T", name, err, c.want)
		}
		var malformed *codecs.MalformedError
		if errors.As(err, &malformed) && (malformed.Offset < 0 || malformed.Offset > int64(len(c.data)) || malformed.Clause == "") {
			t.Errorf("%s: error without its place: %v", name, err)
		}
	}
}

func TestViewsThatDoNotFit(t *testing.T) {
	data := smallStreams(t)["gray 12"]
	pix := make([]byte, 1000)
	for name, c := range map[string]struct {
		v    codecs.View
		opts codecs.DecodeOptions
	}{
		"other width":      {codecs.Interleaved(pix, 12, 9, 1, 16, 12, false), codecs.DecodeOptions{}},
		"other components": {codecs.Interleaved(pix, 13, 9, 3, 16, 12, false), codecs.DecodeOptions{}},
		"small words":      {codecs.Interleaved(pix, 13, 9, 1, 8, 8, false), codecs.DecodeOptions{}},
		"reduced":          {codecs.Interleaved(pix, 13, 9, 1, 16, 12, false), codecs.DecodeOptions{Reduce: 1}},
	} {
		var unsupported *codecs.UnsupportedError
		if err := NewDecoder().Decode(c.v, [][]byte{data}, c.opts); !errors.As(err, &unsupported) {
			t.Errorf("%s: got %v, want an UnsupportedError", name, err)
		}
	}
	v := codecs.Interleaved(pix, 13, 9, 1, 16, 12, false)
	var limit *codecs.LimitError
	if err := NewDecoder().Decode(v, [][]byte{data}, codecs.DecodeOptions{Limits: codecs.Limits{MaxBytes: 1000}}); !errors.As(err, &limit) {
		t.Errorf("MaxBytes 1000: got %v, want a LimitError", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := NewDecoder().Decode(v, [][]byte{data}, codecs.DecodeOptions{Context: ctx}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Decode: got %v, want context.Canceled", err)
	}
	if _, _, err := NewEncoder(Options{}).Encode(nil, v, codecs.EncodeOptions{Context: ctx}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Encode: got %v, want context.Canceled", err)
	}
}
