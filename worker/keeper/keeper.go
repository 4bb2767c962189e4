// Package keeper asks the archive of who keeps the primary copies whether it has what is stored here: by its list of a study, and by samples of what it lists.
//
// An answer says whether the copies are the same, and why not. An error is no answer: nothing is known then, and nothing is to be recorded. What was answered
// holds no patient data.
package keeper

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dicomweb"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// Sample says how much of a study is pulled and compared: so many instances, or a share of them; at least one of each series, and at most MaxSample.
type Sample struct {
	Instances int
	Share     float64 // 0 to 1
}

const (
	// MaxSample is how many instances of a study are compared at most.
	MaxSample = 100
	// MaxFrames is how many frames of one instance are compared at most, unless its file must be read anyway.
	MaxFrames = 8
)

// Question is what is to be proved. The same seed chooses the same instances and frames of the same study.
type Question struct {
	Level  policy.ProofLevel // listed or sampled
	Sample Sample
	Seed   uint64
}

// Answer is what the archive showed.
type Answer struct {
	Same   bool
	Note   string // what was looked at, or what differs
	SHA256 string // of its list; see lifecycle.ListedDigest
}

// Keeper is an archive that is asked. It may be used from many goroutines.
type Keeper struct {
	Client *dicomweb.Client
	Set    *codecs.Set // for files that the archive keeps encoded
}

// Ask compares a study with what the archive has of it: its full images and results.
func (k *Keeper) Ask(ctx context.Context, st *study.Study, q Question) (*Answer, error) {
	var stored []study.Instance
	for _, in := range st.Instances() {
		if class := st.Manifest.Packs[in.Pack].Class; class == catalog.ClassFull || class == catalog.ClassResult {
			stored = append(stored, in)
		}
	}
	own := make([]lifecycle.OwnListed, len(stored))
	for i, in := range stored {
		content := in.SampleSHA256
		if content == (pack.Digest{}) {
			content = in.FileSHA256
		}
		own[i] = lifecycle.OwnListed{SOPUID: in.SOPUID, Content: hex.EncodeToString(content[:])}
		if img := in.Image; img != nil {
			own[i].Frames, own[i].Rows, own[i].Columns = img.Frames, img.Rows, img.Columns
		}
	}
	list, err := k.Client.Instances(ctx, st.Manifest.StudyUID, len(own))
	if err != nil {
		return nil, err
	}
	listed, series := make([]lifecycle.Listed, len(list)), make(map[string]string, len(list))
	for i, x := range list {
		listed[i] = lifecycle.Listed{SOPUID: x.SOPUID, Frames: x.Frames, Rows: x.Rows, Columns: x.Columns}
		series[x.SOPUID] = x.SeriesUID
	}
	a := &Answer{SHA256: lifecycle.ListedDigest(listed)}
	if a.Same, a.Note = lifecycle.CompareListed(own, listed); !a.Same || q.Level == policy.Listed {
		return a, nil
	}
	return a, k.sample(ctx, st, stored, series, q, a)
}

// sample compares a choice of instances. The answer says that the lists are the same.
func (k *Keeper) sample(ctx context.Context, st *study.Study, stored []study.Instance, series map[string]string, q Question, a *Answer) error {
	c := comparison{Keeper: k, st: st, dec: st.NewDecoders()}
	chosen, rng := choose(stored, st.Manifest.StudyUID, q)
	for _, in := range chosen {
		at := dicomweb.Address{Study: in.Volume.Index.StudyUID, Series: series[in.SOPUID], SOP: in.SOPUID}
		if at.Series == "" {
			at.Series = in.SeriesUID
		}
		err := c.instance(ctx, in, at, someFrames(rng, len(in.Frames)))
		var differs *differsError
		if errors.As(err, &differs) {
			a.Same = false
			a.Note = fmt.Sprintf("seed %016x, instance %s: %s", q.Seed, shownUID(in.SOPUID), differs.what)
			return nil
		}
		if err != nil {
			return err
		}
	}
	a.Note = fmt.Sprintf("%s; seed %016x: %d pulled, %d frames", a.Note, q.Seed, len(chosen), c.frames)
	if c.files > 0 {
		a.Note += fmt.Sprintf(", %d whole files", c.files)
	}
	if len(c.remarks) > 0 {
		slices.Sort(c.remarks)
		a.Note += "; the same samples with " + strings.Join(slices.Compact(c.remarks), ", ")
	}
	return nil
}

// choose picks instances whose frames have digests; where there are none, any.
func choose(stored []study.Instance, uid string, q Question) ([]study.Instance, *rand.Rand) {
	var candidates []study.Instance
	for _, frames := range []bool{true, false} {
		for _, in := range stored {
			if hasFrames(in) == frames {
				candidates = append(candidates, in)
			}
		}
		if len(candidates) > 0 {
			break
		}
	}
	slices.SortStableFunc(candidates, func(a, b study.Instance) int {
		return strings.Compare(a.SeriesUID+"\x00"+a.SOPUID, b.SeriesUID+"\x00"+b.SOPUID)
	})
	candidates = slices.CompactFunc(candidates, func(a, b study.Instance) bool { return a.SOPUID == b.SOPUID }) // versions of the same content
	second := uint64(14695981039346656037)                                                                      // FNV-1a, so that studies do not all lose the same slice
	for i := range len(uid) {
		second = (second ^ uint64(uid[i])) * 1099511628211
	}
	rng := rand.New(rand.NewPCG(q.Seed, second))
	want := max(q.Sample.Instances, int(q.Sample.Share*float64(len(candidates))+0.999999), 1)
	want = min(want, MaxSample, len(candidates))
	var first, rest []study.Instance // one of each series, and all others
	for from := 0; from < len(candidates); {
		to := from + 1
		for to < len(candidates) && candidates[to].SeriesUID == candidates[from].SeriesUID {
			to++
		}
		pick := from + rng.IntN(to-from)
		for i := from; i < to; i++ {
			if i == pick {
				first = append(first, candidates[i])
			} else {
				rest = append(rest, candidates[i])
			}
		}
		from = to
	}
	for _, part := range [][]study.Instance{first, rest} {
		rng.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
	}
	return append(first, rest...)[:min(max(want, len(first)), MaxSample)], rng
}

// hasFrames reports whether the samples of all frames are known.
func hasFrames(in study.Instance) bool {
	return in.Image != nil && in.Image.FrameBytes() > 0 && len(in.Frames) > 0 && !slices.ContainsFunc(in.Frames, func(f pack.Frame) bool { return f.SampleSHA256 == (pack.Digest{}) })
}

// someFrames chooses among n frames, counted from 0.
func someFrames(rng *rand.Rand, n int) []int {
	list := rng.Perm(n)
	list = list[:min(n, MaxFrames)]
	slices.Sort(list)
	return list
}

// shownUID is a UID as notes say it.
func shownUID(uid string) string {
	if len(uid) > 64 || strings.Trim(uid, "0123456789.") != "" {
		return fmt.Sprintf("%+.32q", uid)
	}
	return uid
}
