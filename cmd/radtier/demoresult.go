package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/preview"
	"github.com/radtier/radtier/internal/study"
	"github.com/radtier/radtier/worker"
)

type demoResult struct {
	Dir         string      `json:"dir"`
	Source      string      `json:"source"`
	Studies     []demoStudy `json:"studies"`
	Verified    bool        `json:"verified"` // all of them
	Quarantined int         `json:"quarantined"`
	Skipped     int         `json:"skipped"`

	Regions *demoRegions `json:"regions,omitempty"`
}

type demoStudy struct {
	StudyUID    string     `json:"study_uid"`
	Study       string     `json:"study"` // hash
	Name        string     `json:"name"`  // modality, or what a synthetic study shows
	Instances   int        `json:"instances"`
	RawBytes    int64      `json:"raw_bytes"`
	StoredBytes int64      `json:"stored_bytes"`
	Ratio       float64    `json:"ratio"`
	Verified    bool       `json:"verified"`  // everything intact, every file as received or element- and sample-identical
	Identical   int        `json:"identical"` // files that came back with the SHA-256 of the source
	Converted   int        `json:"converted"` // files that are not kept byte for byte, by design
	Missing     int        `json:"missing"`   // source files that did not come back
	Quarantined int        `json:"quarantined"`
	Problem     string     `json:"problem,omitempty"`
	Seconds     float64    `json:"seconds"`
	Thumbs      []string   `json:"thumbs"` // files
	First       *firstLook `json:"first_look,omitempty"`
}

// firstLook is what it takes to show all slices of a study's longest series for the first time.
type firstLook struct {
	SeriesUID   string  `json:"series_uid"`
	Frames      int     `json:"frames"`
	Width       int     `json:"width"` // of the small pictures
	Height      int     `json:"height"`
	Requests    int     `json:"requests"`
	IndexBytes  int64   `json:"index_bytes"` // of the preview pack
	Bytes       int64   `json:"bytes"`       // of the small pictures
	SeriesBytes int64   `json:"series_bytes"`
	Share       float64 `json:"share"` // (index + small pictures) / series
}

func (r *demoResult) add(s demoStudy) {
	r.Studies = append(r.Studies, s)
	r.Quarantined += s.Quarantined
	r.Verified = (r.Verified || len(r.Studies) == 1) && s.Verified
}

// proveDemo reads a study back: everything it has stored is verified, and every
// file is given as original and compared with the source.
func (a *app) proveDemo(ctx context.Context, x *awaited, source worker.FoundStudy, thumbs string) (demoStudy, error) {
	d := demoStudy{StudyUID: x.UID, Study: x.Hash(), Seconds: x.seconds().Seconds(), Problem: x.failed, Thumbs: []string{}}
	if x.stored.Generation == 0 {
		d.Problem = or(d.Problem, "it was not stored")
		return d, nil
	}
	s := x.stored
	d.Instances, d.RawBytes, d.StoredBytes, d.Ratio, d.Quarantined = s.Instances, s.RawBytes, s.StoredBytes, ratio(s.RawBytes, s.StoredBytes), s.Quarantined
	st, err := a.openStudy(ctx, s)
	if err != nil {
		return d, err
	}
	v, err := study.Verify(ctx, a.stores, st.Manifest, a.set, nil)
	if err != nil {
		return d, err
	}
	if len(v.Damage) > 0 {
		d.Problem = v.Damage[0].What
	}
	if err := a.compareDemo(ctx, st, source, &d); err != nil {
		return d, err
	}
	d.Verified = len(v.Damage) == 0 && d.Missing == 0 && d.Problem == ""
	if d.First, err = a.firstLook(ctx, st); err != nil {
		return d, err
	}
	return d, writeThumbs(st, thumbs, &d)
}

// firstLook reads the small pictures of the series with the most frames as a viewer does: the index of the preview pack, then the series.
func (a *app) firstLook(ctx context.Context, st *study.Study) (*firstLook, error) {
	packs, err := st.Previews(ctx, a.stores)
	if err != nil {
		return nil, err
	}
	var best *firstLook
	for _, q := range packs {
		for i := range q.Index.Series {
			s := &q.Index.Series[i]
			x := &firstLook{SeriesUID: s.UID, SeriesBytes: s.FullBytes, Requests: 1}
			if at := st.Manifest.Packs[q.Number].Index; at != nil {
				x.IndexBytes = at[1]
			}
			before := q.Requests()
			err := q.Each(ctx, s, func(in *preview.Instance, n int, _ []byte, err error) error {
				x.Frames++
				x.Width, x.Height = max(x.Width, in.Frames[n].Width), max(x.Height, in.Frames[n].Height)
				return err
			})
			if err != nil {
				return nil, err
			}
			x.Requests += int(q.Requests() - before)
			x.Bytes = s.Range()[1]
			if x.SeriesBytes > 0 {
				x.Share = float64(x.IndexBytes+x.Bytes) / float64(x.SeriesBytes)
			}
			if x.Frames > 0 && (best == nil || x.Frames > best.Frames) {
				best = x
			}
		}
	}
	return best, nil
}

// compareDemo gives every instance as original and looks for its SHA-256 among those of the source files.
func (a *app) compareDemo(ctx context.Context, st *study.Study, source worker.FoundStudy, d *demoStudy) error {
	want := map[string]bool{}
	for _, q := range st.Manifest.Quarantined {
		want[q.SHA256] = true // its bytes were compared by verify
	}
	dec := st.NewDecoders()
	modalities := map[string]bool{}
	for _, in := range st.Select("", "", true, true) {
		h := sha256.New()
		exact, err := st.WriteOriginal(ctx, dec, in, h)
		if err != nil {
			d.Problem = err.Error()
			continue
		}
		if sum := hex.EncodeToString(h.Sum(nil)); exact {
			want[sum] = true
		} else {
			want[hexOf(in.FileSHA256)] = true
			d.Converted++
		}
		if in.Image != nil && in.Image.Modality != "" {
			modalities[in.Image.Modality] = true
		}
	}
	for _, f := range source.Files {
		sum, err := fileSum(f)
		if err != nil {
			return err
		}
		if want[sum] {
			d.Identical++
		} else {
			d.Missing++
		}
	}
	d.Identical = max(0, d.Identical-d.Converted-len(st.Manifest.Quarantined))
	if d.Missing > 0 && d.Problem == "" {
		d.Problem = plural(d.Missing, "source file") + " did not come back"
	}
	var names []string
	for m := range modalities {
		names = append(names, m)
	}
	sort.Strings(names)
	d.Name = "-"
	for i, m := range names {
		if i == 0 {
			d.Name = m
		} else {
			d.Name += " " + m
		}
	}
	return nil
}

func fileSum(f catalog.SourceFile) (string, error) {
	h := sha256.New()
	r, err := os.Open(f.Path)
	if err != nil {
		return "", sourceError(nil, err)
	}
	defer r.Close()
	if _, err := io.Copy(h, r); err != nil {
		return "", sourceError(nil, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// writeThumbs writes the thumbnails as files: that of the study first.
func writeThumbs(st *study.Study, dir string, d *demoStudy) error {
	if st.Manifest.Hot == nil || len(st.Manifest.Hot.Thumbs) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var names []string
	for name := range st.Manifest.Hot.Thumbs {
		if name != "study" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for i, name := range append([]string{"study"}, names...) {
		data, ok := st.Thumb(name)
		if !ok {
			continue
		}
		file := filepath.Join(dir, d.Study[:8]+".jpg")
		if i > 0 {
			file = filepath.Join(dir, fmt.Sprintf("%s-series%d.jpg", d.Study[:8], i))
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
		d.Thumbs = append(d.Thumbs, file)
	}
	return nil
}

// printFirstLooks says what a viewer reads to show all slices of a series for the first time.
func (r *demoResult) printFirstLooks(w io.Writer) {
	said := false
	for _, s := range r.Studies {
		x := s.First
		if x == nil {
			continue
		}
		if !said {
			fmt.Fprintf(w, "\nFirst look: what a viewer reads to show all slices of the longest series at low resolution, against the stored bytes of the series:\n")
			said = true
		}
		fmt.Fprintf(w, "  %s  %s at %d x %d: %s, %s = %.1f %% of the series' %s (index %s)\n", s.Study[:8], plural(x.Frames, "frame"), x.Width, x.Height,
			plural(x.Requests, "request"), bytesText(x.IndexBytes+x.Bytes), 100*x.Share, bytesText(x.SeriesBytes), bytesText(x.IndexBytes))
	}
}

func (r *demoResult) print(p *program) error {
	w := p.stdout
	fmt.Fprintln(w)
	t := table{head: []string{"study", "what", ">instances", ">before", ">after", ">ratio", "verified", ">time", ">MB/s"}}
	for _, s := range r.Studies {
		spent := time.Duration(s.Seconds * float64(time.Second))
		verified := "no: " + s.Problem
		switch {
		case s.Verified && s.Converted > 0:
			verified = fmt.Sprintf("yes, %d of %d files identical", s.Identical, s.Instances)
		case s.Verified:
			verified = "yes, every file identical"
		}
		t.add(s.Study[:8], s.Name, fmt.Sprint(s.Instances), bytesText(s.RawBytes), bytesText(s.StoredBytes), ratioText(s.RawBytes, s.StoredBytes), verified, durationText(spent), rateText(s.RawBytes, spent))
	}
	if err := t.print(w); err != nil {
		return err
	}
	if r.Quarantined > 0 {
		fmt.Fprintf(w, "\n%s quarantined\n", plural(r.Quarantined, "file"))
	}
	if len(r.Studies) == 0 {
		return nil
	}
	r.printFirstLooks(w)
	r.Regions.print(w)
	self := p.itself() + " --data " + filepath.Join(r.Dir, "data")
	first := r.Studies[0].Study[:8]
	fmt.Fprintf(w, "\nThumbnails:\n")
	for _, s := range r.Studies {
		for _, file := range s.Thumbs[:min(1, len(s.Thumbs))] {
			fmt.Fprintf(w, "  %s\n", file)
		}
	}
	fmt.Fprintf(w, "\nWhere to look next:\n")
	for _, c := range []string{"show " + first, "get " + first + " -o " + filepath.Join(r.Dir, "out"), "verify --all", "status"} {
		fmt.Fprintf(w, "  %s %s\n", self, c)
	}
	if r.Quarantined > 0 {
		fmt.Fprintf(w, "  %s quarantine list\n", self)
	}
	return nil
}
