package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/codecs/all"
	"github.com/radtier/radtier/internal/dcm"
	"github.com/radtier/radtier/worker"
)

// CodecsOptions is what the codecs are measured on.
type CodecsOptions struct {
	Dir         string // DICOM files, of which native frames count
	Rounds      int    // how often each frame is encoded and decoded; the best round counts. Default 3
	RivalFrames int    // of each modality; 0: no rivals
}

// CodecResult is one codec on the frames of one modality. Times are CPU time of one core.
type CodecResult struct {
	Modality string        `json:"modality"` // "" for all together
	Codec    string        `json:"codec"`
	Kernels  string        `json:"kernels,omitempty"`
	Frames   int           `json:"frames"`
	RawBytes int64         `json:"raw_bytes"` // of native frames
	Stored   int64         `json:"stored_bytes"`
	Encode   time.Duration `json:"encode_ns"`
	Decode   time.Duration `json:"decode_ns"`
}

// EncodeMBps is raw megabytes (10^6 bytes) per second that one core encodes.
func (r CodecResult) EncodeMBps() float64 { return float64(r.RawBytes) / 1e6 / r.Encode.Seconds() }

// DecodeMBps is the same of decoding.
func (r CodecResult) DecodeMBps() float64 { return float64(r.RawBytes) / 1e6 / r.Decode.Seconds() }

// Ratio is raw over stored bytes.
func (r CodecResult) Ratio() float64 { return float64(r.RawBytes) / float64(max(r.Stored, 1)) }

// CodecsReport is a run over a folder. Every codestream was decoded and compared with its frame.
type CodecsReport struct {
	Results []CodecResult `json:"results"` // by modality, all together last
	Rivals  []CodecResult `json:"rivals,omitempty"`
	Missing []string      `json:"missing,omitempty"` // rivals that are not installed
	Skipped int           `json:"skipped"`           // instances without native frames that the codecs take
}

// Codecs encodes and decodes the native frames in a folder with each codec that frames may be stored with, one after the other on one core.
func Codecs(ctx context.Context, o CodecsOptions) (CodecsReport, error) {
	var report CodecsReport
	found, err := worker.Discover(ctx, []string{o.Dir}, nil)
	if err != nil {
		return report, err
	}
	m := &measuring{o: o, sums: map[[2]string]*CodecResult{}}
	m.o.Rounds = max(o.Rounds, 1)
	if o.RivalFrames > 0 {
		if m.rival, err = newOpenJPH(); err != nil {
			report.Missing = append(report.Missing, err.Error())
		} else {
			defer m.rival.close()
		}
	}
	set := all.Set()
	for _, c := range worker.Codecs() {
		x, _ := set.Lookup(c.Syntax())
		m.codecs = append(m.codecs, measured{name: string(c), kernels: x.Kernels(), encoder: x.NewEncoder(), decoder: x.NewDecoder()})
	}
	for _, s := range found.Studies {
		for _, file := range s.Files {
			did, err := m.file(ctx, file.Path)
			if err != nil {
				return report, fmt.Errorf("%s: %w", file.Path, err)
			}
			if !did {
				report.Skipped++
			}
		}
	}
	if len(m.sums) == 0 {
		return report, fmt.Errorf("no native frames that the codecs take in %s", o.Dir)
	}
	report.Results, report.Rivals = m.results()
	return report, nil
}

// measured is a codec under test.
type measured struct {
	name, kernels string
	encoder       codecs.Encoder
	decoder       codecs.Decoder
	stream        []byte
}

type measuring struct {
	o      CodecsOptions
	codecs []measured
	rival  *openJPH
	sums   map[[2]string]*CodecResult // by modality and codec
	pix    []byte                     // of a decoded frame
}

func (m *measuring) sum(modality, codec string) *CodecResult {
	key := [2]string{modality, codec}
	if m.sums[key] == nil {
		m.sums[key] = &CodecResult{Modality: modality, Codec: codec}
	}
	return m.sums[key]
}

// file measures the frames of one instance; false if there are none that the codecs take.
func (m *measuring) file(ctx context.Context, path string) (bool, error) {
	h, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return false, err
	}
	f, err := dcm.Scan(h, info.Size(), dcm.Limits{})
	if err != nil {
		return false, nil // broken files are no concern here
	}
	if f.Pixel == nil || f.Image == nil || f.Pixel.Encapsulated || f.FrameSize() == 0 || f.Image.Samples != 1 && f.Image.Samples != 3 || f.Image.BitsStored < 2 {
		return false, nil
	}
	pix := make([]byte, f.FrameSize())
	for i := range f.Image.Frames {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if _, err := h.ReadAt(pix, f.Pixel.ValueOffset+int64(i)*f.FrameSize()); err == io.EOF {
			return false, nil
		} else if err != nil {
			return false, err
		}
		view, err := f.View(pix)
		var layout *dcm.UnsupportedError
		if errors.As(err, &layout) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		if err := m.frame(ctx, shortName(f.Modality), view, f.Image.Photometric == "RGB"); err != nil {
			return false, fmt.Errorf("frame %d: %w", i, err)
		}
	}
	return true, nil
}

// shortName is a modality as it is printed; "-" if it is missing or none.
func shortName(modality string) string {
	if modality == "" || len(modality) > 16 || strings.Trim(modality, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ") != "" {
		return "-"
	}
	return modality
}

// sameFrames is how our codec is called on those frames that a rival had.
const sameFrames = ", same frames"

// frame measures all codecs on one frame.
func (m *measuring) frame(ctx context.Context, modality string, v codecs.View, rgb bool) error {
	levels := 0
	withRival := m.rival != nil && m.sum(modality, m.rival.name()).Frames < m.o.RivalFrames
	for i := range m.codecs {
		c := &m.codecs[i]
		r := m.sum(modality, c.name)
		r.Kernels = c.kernels
		out := v
		if cap(m.pix) < len(v.Pix) {
			m.pix = make([]byte, len(v.Pix))
		}
		out.Pix = m.pix[:len(v.Pix)]
		var encode, decode time.Duration
		for round := range m.o.Rounds {
			start := processCPU()
			stream, layout, err := c.encoder.Encode(c.stream[:0], v, codecs.EncodeOptions{RGB: rgb})
			took := processCPU() - start
			if err != nil {
				return err
			}
			if c.stream = stream; round == 0 {
				if err := codecs.Verify(c.decoder, v, stream, codecs.DecodeOptions{}); err != nil {
					return err
				}
				levels = max(levels, len(layout.LevelEnds)-1)
			}
			encode = best(round, encode, took)
			start = processCPU()
			err = c.decoder.Decode(out, [][]byte{stream}, codecs.DecodeOptions{})
			if decode = best(round, decode, processCPU()-start); err != nil {
				return err
			}
		}
		r.add(v, int64(len(c.stream)), encode, decode)
		if withRival && c.name == string(worker.HTJ2K) {
			m.sum(modality, c.name+sameFrames).add(v, int64(len(c.stream)), encode, decode)
		}
	}
	if !withRival {
		return nil
	}
	stored, encode, decode, err := m.rival.run(ctx, v, rgb, levels, m.o.Rounds)
	if err == nil {
		m.sum(modality, m.rival.name()).add(v, stored, encode, decode)
	}
	return err
}

func best(round int, so, now time.Duration) time.Duration {
	if round == 0 {
		return now
	}
	return min(so, now)
}

func (r *CodecResult) add(v codecs.View, stored int64, encode, decode time.Duration) {
	r.Frames++
	r.RawBytes += int64(v.Width) * int64(v.Height) * int64(v.Components) * int64(v.WordBytes())
	r.Stored += stored
	r.Encode += encode
	r.Decode += decode
}

// results sorts what was measured by modality, with the sums of all at the end.
func (m *measuring) results() (own, rivals []CodecResult) {
	order := map[string]int{}
	for i, c := range m.codecs {
		order[c.name] = i
	}
	total := map[string]*CodecResult{}
	for _, r := range m.sums {
		if r.Frames == 0 {
			continue
		}
		t := total[r.Codec]
		if t == nil {
			t = &CodecResult{Codec: r.Codec, Kernels: r.Kernels}
			total[r.Codec] = t
		}
		t.Frames, t.RawBytes, t.Stored, t.Encode, t.Decode = t.Frames+r.Frames, t.RawBytes+r.RawBytes, t.Stored+r.Stored, t.Encode+r.Encode, t.Decode+r.Decode
		if _, ours := order[r.Codec]; ours {
			own = append(own, *r)
		} else {
			rivals = append(rivals, *r)
		}
	}
	slices.SortFunc(own, func(a, b CodecResult) int {
		return cmp.Or(strings.Compare(a.Modality, b.Modality), order[a.Codec]-order[b.Codec])
	})
	slices.SortFunc(rivals, func(a, b CodecResult) int {
		return cmp.Or(strings.Compare(a.Modality, b.Modality), -strings.Compare(a.Codec, b.Codec))
	})
	for _, c := range m.codecs {
		own = append(own, *total[c.name])
		delete(total, c.name)
	}
	for _, codec := range slices.Backward(slices.Sorted(maps.Keys(total))) {
		rivals = append(rivals, *total[codec])
	}
	return own, rivals
}
