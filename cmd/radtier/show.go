package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/study"
)

type showResult struct {
	studyLine
	Manifest    string                `json:"manifest,omitempty"` // key
	Packs       []packLine            `json:"packs"`
	HotBundle   *packLine             `json:"hot_bundle,omitempty"`
	PreviewSize int64                 `json:"preview_bytes"` // of all preview packs
	SeriesList  []seriesLine          `json:"series_list"`
	Syntaxes    []countLine           `json:"syntaxes"`             // as received -> as stored
	PassedWhy   []countLine           `json:"passed_why,omitempty"` // why pixel data was kept as received
	NotExact    int                   `json:"not_exact"`            // instances whose received file is not kept byte for byte
	ConflictsOf []catalog.Conflict    `json:"conflict_list,omitempty"`
	QuarantineF []catalog.Quarantined `json:"quarantine_list,omitempty"`
	WithdrawnOf []catalog.Withdrawn   `json:"withdrawn_list,omitempty"`
	Trash       []catalog.Trashed     `json:"trash,omitempty"` // classes that expired and are hidden
	Erase       *catalog.Erasure      `json:"erase,omitempty"` // an erasure that is not done yet
	Thumbs      []string              `json:"thumbs"`          // "study", series UIDs
	InstancesOf []instanceLine        `json:"instance_list,omitempty"`
}

type packLine struct {
	Key       string `json:"key"`
	Tier      string `json:"tier"`
	Class     string `json:"class"`
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`
	Instances int    `json:"instances,omitempty"`
	Frames    int    `json:"frames,omitempty"`
}

type seriesLine struct {
	SeriesUID string `json:"series_uid"`
	Modality  string `json:"modality,omitempty"`
	Instances int    `json:"instances"`
	Frames    int    `json:"frames"`
	Bytes     int64  `json:"bytes"`
	Versions  int    `json:"earlier_versions,omitempty"`
}

type countLine struct {
	What  string `json:"what"`
	Count int    `json:"count"`
}

type instanceLine struct {
	SeriesUID    string `json:"series_uid"`
	SOPUID       string `json:"sop_uid"`
	ClassUID     string `json:"class_uid"`
	Version      int    `json:"version"`
	Versions     int    `json:"versions"`
	Withdrawn    bool   `json:"withdrawn,omitempty"`
	Syntax       string `json:"received_syntax"`
	Stored       string `json:"stored_syntax"`
	Reason       string `json:"reason,omitempty"`
	Exact        bool   `json:"exact"`
	Bytes        int64  `json:"bytes"`
	Frames       int    `json:"frames"`
	Pack         int    `json:"pack"`
	FileSHA256   string `json:"file_sha256"`
	NativeSHA256 string `json:"native_sha256,omitempty"`
	SampleSHA256 string `json:"sample_sha256,omitempty"`
}

func newShow(p *program) *cobra.Command {
	var tenant string
	var instances, asJSON bool
	cmd := &cobra.Command{
		Use:   "show STUDY",
		Short: "Show what is stored of a study, and how",
		Long: `Shows the packs of a study, its series, transfer syntaxes as received and as stored,
why some pixel data was kept as received, conflicts, quarantined files and thumbnails.

STUDY is a Study Instance UID, the unique end of one, or 4 or more digits that its hash begins with.

  radtier show STUDY
  radtier show STUDY --instances     # each instance with its hashes
  radtier show STUDY --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := p.open(cmd.Context(), openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			s, err := a.find(cmd.Context(), tenant, args[0])
			if err != nil {
				return err
			}
			r, err := a.show(cmd.Context(), s)
			if err != nil {
				return err
			}
			if !instances {
				r.InstancesOf = nil
			}
			if asJSON {
				return printJSON(p.stdout, r)
			}
			return a.printShow(r)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().BoolVar(&instances, "instances", false, "list every instance with its hashes")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) show(ctx context.Context, s catalog.Study) (*showResult, error) {
	r := &showResult{studyLine: lineOf(s), Packs: []packLine{}, SeriesList: []seriesLine{}, Syntaxes: []countLine{}, Thumbs: []string{}}
	if s.Generation == 0 {
		return r, nil
	}
	st, err := a.openStudy(ctx, s)
	if err != nil {
		return nil, err
	}
	m := st.Manifest
	r.Manifest = m.Key()
	for _, k := range m.Packs {
		r.Packs = append(r.Packs, packLine{k.Key, k.Tier, string(k.Class), k.Size, k.SHA256, k.Instances, k.Frames})
		if k.Class == catalog.ClassPreview {
			r.PreviewSize += k.Size
		}
	}
	if m.Hot != nil {
		r.HotBundle = &packLine{Key: m.Hot.Key, Tier: a.stores.names[0], Class: string(catalog.ClassHot), Bytes: m.Hot.Size, SHA256: m.Hot.SHA256}
		for name := range m.Hot.Thumbs {
			r.Thumbs = append(r.Thumbs, name)
		}
		sort.Strings(r.Thumbs)
	}
	r.ConflictsOf, r.QuarantineF, r.WithdrawnOf, r.Trash, r.Erase = m.Conflicts, m.Quarantined, m.Withdrawn, m.Trash, m.Erase
	r.describe(st.Instances())
	return r, nil
}

// describe sums up the instances.
func (r *showResult) describe(list []study.Instance) {
	syntaxes, reasons := map[string]int{}, map[string]int{}
	series := map[string]int{}
	for _, in := range list {
		i, ok := series[in.SeriesUID]
		if !ok {
			i = len(r.SeriesList)
			series[in.SeriesUID] = i
			r.SeriesList = append(r.SeriesList, seriesLine{SeriesUID: in.SeriesUID})
		}
		s := &r.SeriesList[i]
		s.Bytes += in.FileSize
		if in.Image != nil && s.Modality == "" {
			s.Modality = in.Image.Modality
		}
		if in.Version < in.Versions {
			s.Versions++
		} else {
			s.Instances++
			s.Frames += len(in.Frames)
		}
		what := in.Syntax
		if in.Stored != in.Syntax {
			what += " -> " + in.Stored
		}
		syntaxes[what]++
		if in.Reason != "" {
			reasons[in.Reason]++
		}
		if !in.Exact {
			r.NotExact++
		}
		r.InstancesOf = append(r.InstancesOf, instanceLine{in.SeriesUID, in.SOPUID, in.ClassUID, in.Version, in.Versions, in.Withdrawn, in.Syntax, in.Stored, in.Reason,
			in.Exact, in.FileSize, len(in.Frames), in.Pack, hexOf(in.FileSHA256), hexOf(in.NativeSHA256), hexOf(in.SampleSHA256)})
	}
	r.Syntaxes, r.PassedWhy = counted(syntaxes), counted(reasons)
}

func hexOf(d pack.Digest) string {
	if d == (pack.Digest{}) {
		return ""
	}
	return fmt.Sprintf("%x", d)
}

// counted lists what there is most of first.
func counted(m map[string]int) []countLine {
	list := make([]countLine, 0, len(m))
	for k, n := range m {
		list = append(list, countLine{k, n})
	}
	sort.Slice(list, func(i, j int) bool {
		if list[i].Count != list[j].Count {
			return list[i].Count > list[j].Count
		}
		return list[i].What < list[j].What
	})
	return list
}

func (a *app) printShow(r *showResult) error {
	w := a.stdout
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-12s "+format+"\n", append([]any{name}, args...)...)
	}
	line("study", "%s", shown(r.StudyUID))
	line("hash", "%s", r.Study)
	line("tenant", "%s", r.Tenant)
	line("status", "%s%s", r.Status, map[bool]string{true: fmt.Sprintf(", %d arrivals wait for a worker", r.Waiting)}[r.Waiting > 0])
	if r.Generation == 0 {
		fmt.Fprintln(w, "nothing is stored yet; next: `radtier worker --once`")
		return nil
	}
	line("generation", "%d, %s", r.Generation, timeText(r.Updated))
	line("content", "%s, %s, %s", plural(r.Series, "series"), plural(r.Instances, "instance"), plural(r.Frames, "frame"))
	line("size", "%s received, %s stored, ratio %s", bytesText(r.RawBytes), bytesText(r.StoredBytes), ratioText(r.RawBytes, r.StoredBytes))
	for _, c := range r.Syntaxes {
		line("syntax", "%s: %s", shown(c.What), plural(c.Count, "instance"))
	}
	for _, c := range r.PassedWhy {
		line("kept", "%s as received: %s", plural(c.Count, "instance"), shown(c.What))
	}
	if r.NotExact > 0 {
		line("not exact", "%s: elements and samples are identical, the received file is not kept byte for byte", plural(r.NotExact, "instance"))
	}
	for _, k := range r.Packs {
		if k.Class == string(catalog.ClassPreview) {
			line("previews", "%s  %s, small pictures of %s, tier %s", k.Key, bytesText(k.Bytes), plural(k.Frames, "frame"), k.Tier)
			continue
		}
		line("pack", "%s  %s, %s, tier %s", k.Key, bytesText(k.Bytes), plural(k.Instances, "instance"), k.Tier)
	}
	if r.HotBundle != nil {
		line("hot bundle", "%s  %s, %s", r.HotBundle.Key, bytesText(r.HotBundle.Bytes), plural(len(r.Thumbs), "thumbnail"))
	}
	if e := r.Erase; e != nil {
		what, how := "all of it", "hidden, and erased by the next worker"
		if !e.Whole() {
			what = plural(len(e.SOPUIDs), "instance")
		}
		if !e.Taken.IsZero() {
			how = "no generation names it any more; what is left of its bytes goes with the next sweep"
		}
		fmt.Fprintf(w, "erasure      %s, ordered %s by %s: %s\n", what, timeText(e.At), shown(e.By), how)
	}
	for _, t := range r.Trash {
		line("in trash", "%s since %s, by rule %s: reads do not show it", t.Class, timeText(t.Since), shown(t.Rule))
	}
	for _, c := range r.ConflictsOf {
		line("conflict", "%s: %s with different %s", shown(c.SOPUID), plural(len(c.Files), "version"), map[string]string{"header": "headers and equal samples", "samples": "samples"}[c.Kind])
	}
	for _, q := range r.QuarantineF {
		line("quarantined", "%s %s: %s", q.SHA256[:12], bytesText(q.Size), shown(q.Reason))
	}
	for _, x := range r.WithdrawnOf {
		line("withdrawn", "%s (%s)", shown(x.SOPUID), shown(x.Code))
	}
	fmt.Fprintln(w)
	t := table{head: []string{"modality", ">instances", ">frames", ">received", "thumb", "series uid"}}
	thumbs := strings.Join(r.Thumbs, "\x00") + "\x00"
	for _, s := range r.SeriesList {
		n := fmt.Sprint(s.Instances)
		if s.Versions > 0 {
			n += fmt.Sprintf("+%d earlier", s.Versions)
		}
		has := map[bool]string{true: "yes", false: "no"}[strings.Contains("\x00"+thumbs, "\x00"+s.SeriesUID+"\x00")]
		t.add(or(s.Modality, "-"), n, fmt.Sprint(s.Frames), bytesText(s.Bytes), has, shown(s.SeriesUID))
	}
	if err := t.print(w); err != nil || len(r.InstancesOf) == 0 {
		return err
	}
	fmt.Fprintln(w)
	t = table{head: []string{"version", ">frames", ">received", "exact", "file sha256", "native sha256", "sample sha256", "instance"}} // UIDs last: one long one must not move the others
	for _, in := range r.InstancesOf {
		version := fmt.Sprintf("%d/%d", in.Version, in.Versions)
		if in.Withdrawn {
			version += " withdrawn"
		}
		t.add(version, fmt.Sprint(in.Frames), bytesText(in.Bytes), yes(in.Exact), in.FileSHA256, or(in.NativeSHA256, "-"), or(in.SampleSHA256, "-"), shown(in.SOPUID))
	}
	return t.print(w)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// selected finds the current or a given version of the instances a command asks for.
func selected(st *study.Study, series, sop string, version int, withdrawn bool) ([]study.Instance, error) {
	list := st.Select(series, sop, version > 0, withdrawn)
	if version > 0 {
		kept := list[:0]
		for _, in := range list {
			if in.Version == version {
				kept = append(kept, in)
			}
		}
		list = kept
	}
	if len(list) > 0 {
		return list, nil
	}
	if !withdrawn && len(st.Select(series, sop, true, true)) > 0 && len(st.Select(series, sop, true, false)) == 0 {
		return nil, errors.New("what matches was withdrawn by its sender: --withdrawn gives it all the same")
	}
	return nil, errors.New("no instance matches: `radtier show STUDY --instances` lists them")
}
