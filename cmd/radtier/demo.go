package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/internal/testkit/synth"
	"github.com/radtier/radtier/worker"
)

type demoFlags struct {
	from, keep  string
	small, json bool
	slices      int
}

// demoDir is where the demo leaves its result; its marker says that it may be made anew.
const (
	demoDir    = "demo-output"
	demoMarker = ".radtier-demo"

	demoLesions = "lesions.json"
	demoPicture = "regions.png"
)

func newDemo(p *program) *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Do the main job on synthetic studies, or on your files, and show the result",
		Long: `Makes four synthetic studies (a chest CT with a lesion, an MR of the head, a two-view chest X-ray,
an ultrasound clip), stores them losslessly, reads everything back, rebuilds every file, and
compares it with what went in. Then it annotates the lesion, and shows what stays of it when the
full images expire. No server, no root, no configuration is needed.

  radtier demo
  radtier demo --small           # a few seconds
  radtier demo --slices 600      # a CT of 600 slices: 315 MB of files
  radtier demo --from DIR        # your own DICOM files; they are only read
  radtier demo --keep /tmp/try   # instead of ./demo-output

The result stays for you to look at: objects, catalog, thumbnails. A later demo replaces it.

Exit codes: 0 everything was verified, 3 something was quarantined or differs.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.slices < 3 || f.slices > 10_000 {
				return usagef("--slices %d: a CT has 3 to 10000 here", f.slices)
			}
			if f.from != "" && (f.small || cmd.Flags().Changed("slices")) {
				return usagef("--from takes your files as they are: --small and --slices are for synthetic studies")
			}
			return p.demo(cmd.Context(), f)
		},
	}
	cmd.Flags().StringVar(&f.from, "from", "", "`DIR` of DICOM files to use instead of synthetic studies")
	cmd.Flags().StringVar(&f.keep, "keep", demoDir, "`DIR` of the result")
	cmd.Flags().BoolVar(&f.small, "small", false, "smaller synthetic studies")
	cmd.Flags().IntVar(&f.slices, "slices", 120, "`N` slices of the synthetic CT")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the result as JSON")
	return cmd
}

func (p *program) demo(ctx context.Context, f demoFlags) (err error) {
	dir := filepath.Clean(f.keep)
	if err := prepareDemo(dir); err != nil {
		return err
	}
	source, names, lesions := f.from, map[string]string{}, ""
	if source == "" {
		source = filepath.Join(dir, "source")
		if names, lesions, err = p.makeStudies(ctx, source, f); err != nil {
			return err
		}
	}
	cfg, err := p.demoConfig(dir)
	if err != nil {
		return err
	}
	a, err := p.openWith(ctx, cfg, openOrMake, quietLevel)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	bar := p.newProgress()
	found, err := discover(ctx, nil, []string{source}, bar)
	if err != nil {
		return err
	}
	if len(found.Studies) == 0 && len(found.Broken) == 0 {
		return fmt.Errorf("no DICOM files in %s", source)
	}
	client := worker.Client{DB: a.db, Store: a.stores.Hot()}
	jobs, err := client.Enqueue(ctx, found, source, worker.EnqueueOptions{Tenant: cfg.Tenant})
	if err != nil {
		return err
	}
	w := a.newWaiter(found, cfg.Tenant, jobs, bar)
	fmt.Fprintf(p.stderr, "storing %s, %s\n", plural(len(found.Studies), "study"), bytesText(found.Bytes))
	if err := w.work(ctx); err != nil {
		return err
	}
	fmt.Fprintln(p.stderr, "reading everything back and comparing it with the source")
	r := &demoResult{Dir: dir, Source: source, Quarantined: len(found.Broken), Skipped: found.Skipped}
	proved := make([]demoStudy, len(w.list))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, x := range w.list {
		g.Go(func() (err error) {
			proved[i], err = a.proveDemo(gctx, x, found.Studies[i], filepath.Join(dir, "thumbs"))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, s := range proved {
		if name := names[s.StudyUID]; name != "" {
			s.Name = name
		}
		r.add(s)
	}
	if lesions != "" {
		if r.Regions, err = a.demoRegions(ctx, lesions, filepath.Join(dir, demoPicture)); err != nil {
			return err
		}
	}
	if f.json {
		err = printJSON(p.stdout, r)
	} else {
		err = r.print(p)
	}
	if err == nil && (!r.Verified || r.Quarantined > 0) {
		return errPartial
	}
	return err
}

// prepareDemo makes the directory of the result, or empties that of an earlier demo. It touches no other directory.
func prepareDemo(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	} else if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, demoMarker)); err != nil {
			return usagef("%s has files that are not of a demo: name another directory with --keep", dir)
		}
	}
	for _, part := range []string{"source", "data", "thumbs", demoLesions, demoPicture} {
		if err := os.RemoveAll(filepath.Join(dir, part)); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	return os.WriteFile(filepath.Join(dir, demoMarker), []byte("made by radtier demo, which replaces it\n"), 0o644)
}

// makeStudies writes the synthetic studies, and where their lesion is, and returns their names by UID and the annotation file, "" if there is none.
func (p *program) makeStudies(ctx context.Context, dir string, f demoFlags) (names map[string]string, lesions string, err error) {
	o := synth.Options{Seed: 1, Slices: f.slices}
	if f.small {
		o.Scale = 0.25
	}
	names = map[string]string{}
	start := time.Now()
	var files int
	var size int64
	for _, s := range synth.Demo(o) {
		if ctx.Err() != nil {
			return nil, "", context.Cause(ctx)
		}
		n, bytes, err := s.WriteTo(filepath.Join(dir, strings.ReplaceAll(s.Name, " ", "-")))
		if err != nil {
			return nil, "", err
		}
		if s.Lesion != nil && len(s.Lesion.SOPUIDs) > 0 {
			lesions = filepath.Join(filepath.Dir(dir), demoLesions)
			if err := os.WriteFile(lesions, s.Annotation(), 0o644); err != nil {
				return nil, "", fmt.Errorf("demo: %w", err)
			}
		}
		files, size = files+n, size+bytes
		names[s.UID] = s.Name
	}
	fmt.Fprintf(p.stderr, "made %s: %s, %s in %s, %s\n", plural(len(names), "synthetic study"), plural(files, "file"), bytesText(size), dir, durationText(time.Since(start)))
	return names, lesions, nil
}

// demoConfig is the built-in default with its data below dir. Configuration
// files do not count, and of the environment only how much the machine may do.
func (p *program) demoConfig(dir string) (*config.Config, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	env := func(name string) string {
		if strings.HasPrefix(name, "RADTIER_WORKER_") || strings.HasPrefix(name, "RADTIER_LOG_") || name == "RADTIER_QUEUE_SERVER" || name == "RADTIER_QUEUE_WINDOW" {
			return p.env(name)
		}
		return ""
	}
	cfg, err := config.Load(config.Sources{Data: filepath.Join(dir, "data"), Env: env, Dir: here, NoFile: true})
	if err == nil && cfg.Origin("worker.studies") == "default" {
		cfg.Worker.Studies = 1 // one after the other, so that each has a time of its own
	}
	return cfg, err
}

// itself is how the user called this program, for commands that can be pasted.
func (p *program) itself() string {
	if exe, err := os.Executable(); err == nil && strings.Contains(exe, string(filepath.Separator)+"go-build") {
		return "go run ./cmd/radtier"
	}
	return p.args[0]
}
