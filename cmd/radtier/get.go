package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/codecs"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/pack"
	"github.com/radtier/radtier/internal/render"
	"github.com/radtier/radtier/internal/study"
)

type getFlags struct {
	tenant, series, instance, as, out string
	frame, version, level, maxSize    int
	withdrawn, json, preview          bool
}

// Forms that get gives.
const (
	asOriginal   = "original"
	asStored     = "stored"
	asExplicitLE = "explicit-le"
	asPNG        = "png"
)

func newGet(p *program) *cobra.Command {
	var f getFlags
	cmd := &cobra.Command{
		Use:   "get STUDY",
		Short: "Write a study, a series, an instance or a frame to files",
		Long: `Reads a study back. Everything is checked against its SHA-256 before it is given out.

  radtier get STUDY -o out                     # the very files that were received
  radtier get STUDY -o out --as explicit-le    # Explicit VR Little Endian, native pixel data
  radtier get STUDY -o out --as stored         # DICOM files around the stored codestreams
  radtier get STUDY -o out --as png            # pictures, for looking only
  radtier get STUDY --instance UID -o - | dcmdump -
  radtier get STUDY --instance UID --frame 7 --as png -o frame.png

Of a frame that is stored with resolution levels (HTJ2K) a part of its bytes gives a smaller picture:

  radtier get STUDY --instance UID --frame 7 --level 0 -o small.png         # the lowest level
  radtier get STUDY --instance UID --frame 7 --max-size 256 -o small.png    # the highest of at most 256 pixels
  radtier get STUDY --instance UID --frame 7 --level 1 --as stored -o small.jhc
  radtier get STUDY --preview -o out               # the small pictures of all frames, from the preview pack
  radtier get STUDY --preview --as stored -o out   # the same as codestreams

Files are DIR/<series>/<instance>.dcm, named by UIDs; every other character than letters,
digits and dots is replaced, and nothing is written outside DIR. An existing file of that name is replaced.

With --frame, --as original and stored give the frame's bytes as received and as stored;
explicit-le its native little endian samples.

How many bytes were read from the store is said on stderr, and also which
instances are not kept byte for byte: of these original gives the same elements and samples
in Explicit VR Little Endian.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("frame") && f.frame == 0 {
				return usagef("--frame counts from 1")
			}
			if cmd.Flags().Changed("version") && f.version == 0 {
				return usagef("--version counts from 1")
			}
			if cmd.Flags().Changed("max-size") && f.maxSize == 0 {
				return usagef("--max-size is a number of pixels, 1 or more")
			}
			if cmd.Flags().Changed("instance") && f.instance == "" || cmd.Flags().Changed("series") && f.series == "" {
				return usagef("--instance and --series take a UID")
			}
			if cmd.Flags().Changed("level") && f.level < 0 {
				return usagef("--level counts from 0, the lowest resolution")
			}
			if (f.preview || f.level >= 0 || f.maxSize > 0) && !cmd.Flags().Changed("as") {
				f.as = asPNG
			}
			return p.get(cmd.Context(), args[0], f)
		},
	}
	cmd.Flags().StringVar(&f.tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().StringVar(&f.series, "series", "", "only this Series Instance `UID`")
	cmd.Flags().StringVar(&f.instance, "instance", "", "only this SOP Instance `UID`")
	cmd.Flags().IntVar(&f.frame, "frame", 0, "only this frame, counted from 1")
	cmd.Flags().StringVar(&f.as, "as", asOriginal, "original, stored, explicit-le or png")
	cmd.Flags().StringVarP(&f.out, "output", "o", "", "`DIR`, or the file to write if one is asked for, or - for stdout (default: a directory named by the study's UID)")
	cmd.Flags().IntVar(&f.version, "version", 0, "an earlier version of the instances, counted from 1 (default: the last)")
	cmd.Flags().IntVar(&f.level, "level", -1, "this resolution level, from 0, the lowest: a picture, or with --as stored a codestream")
	cmd.Flags().IntVar(&f.maxSize, "max-size", 0, "pictures of at most this many `PIXELS`, from no more bytes than these take")
	cmd.Flags().BoolVar(&f.preview, "preview", false, "the small pictures of the preview pack: png, or with --as stored codestreams")
	cmd.Flags().BoolVar(&f.withdrawn, "withdrawn", false, "also instances that their sender rejected")
	cmd.Flags().BoolVar(&f.json, "json", false, "print what was written as JSON (not with -o -)")
	return cmd
}

type getResult struct {
	Study     string   `json:"study"`
	As        string   `json:"as"`
	Files     int      `json:"files"`
	Bytes     int64    `json:"bytes"`
	NotExact  int      `json:"not_exact"`
	Failed    []string `json:"failed,omitempty"`
	BytesRead int64    `json:"bytes_read"` // from the store
}

func (p *program) get(ctx context.Context, name string, f getFlags) error {
	switch {
	case f.as != asOriginal && f.as != asStored && f.as != asExplicitLE && f.as != asPNG:
		return usagef("--as %q is not known: use original, stored, explicit-le or png", f.as)
	case f.frame < 0 || f.version < 0:
		return usagef("--frame and --version count from 1")
	case f.level >= 0 && f.maxSize > 0, f.preview && (f.level >= 0 || f.maxSize > 0):
		return usagef("--level, --max-size and --preview say the same in three ways: choose one")
	case f.maxSize < 0:
		return usagef("--max-size is a number of pixels")
	case (f.level >= 0 || f.preview) && f.as != asPNG && f.as != asStored, f.maxSize > 0 && f.as != asPNG && f.as != asStored:
		return usagef("--level, --max-size and --preview give --as png or stored")
	case (f.level >= 0 || f.maxSize > 0) && f.as == asStored && f.frame == 0:
		return usagef("--level and --max-size give one codestream: add --frame")
	case f.out == "-" && f.json:
		return usagef("--json and -o - both want stdout: choose one")
	}
	a, err := p.open(ctx, openToRead)
	if err != nil {
		return err
	}
	defer a.Close()
	s, err := a.find(ctx, f.tenant, name)
	if err != nil {
		return err
	}
	st, err := a.openShown(ctx, s)
	if err != nil {
		return err
	}
	list, err := selected(st, f.series, f.instance, f.version, f.withdrawn)
	hidden := inTrash(st.Manifest, catalog.ClassFull, catalog.ClassResult, catalog.ClassRegion)
	switch {
	case err != nil && hidden != nil:
		return hidden
	case err != nil:
		return err
	case hidden != nil:
		fmt.Fprintf(p.stderr, "radtier: not all is given: %v\n", hidden)
	}
	single := len(list) == 1 && (f.as != asPNG && !f.preview || f.frame > 0 || len(list[0].Frames) <= 1)
	if f.out == "-" && !single {
		return usagef("-o - takes one file, and %d match: add --instance UID (and --frame)", len(list))
	}
	if f.out == "" {
		f.out = safeName(s.UID)
	}
	to, err := openTarget(f.out, single && f.instance != "", p.stdout)
	if err != nil {
		return err
	}
	defer to.close()
	g := &getting{app: a, st: st, flags: f, to: to, result: getResult{Study: s.Hash(), As: f.as}}
	if f.preview {
		err = g.previews(ctx, list)
	} else {
		err = g.all(ctx, list)
	}
	if err != nil {
		return err
	}
	return g.report()
}

// getting is one run of get.
type getting struct {
	*app
	st       *study.Study
	flags    getFlags
	to       *target
	mu       sync.Mutex
	result   getResult
	archived int // of the failed: in an archive class
}

// all gives the instances, several at a time. What one of them cannot be given as does not stop the others.
func (g *getting) all(ctx context.Context, list []study.Instance) error {
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(len(list), runtime.GOMAXPROCS(0)) {
		group.Go(func() error {
			dec := g.st.NewDecoders()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(list) {
					return nil
				}
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := g.instance(ctx, dec, list[i]); err != nil {
					if ctx.Err() != nil || fatal(err) {
						return err
					}
					g.fail(list[i], err)
				}
			}
		})
	}
	return group.Wait()
}

// fatal errors concern the target or the store, not one instance.
func fatal(err error) bool {
	var t *targetError
	return errors.As(err, &t)
}

func (g *getting) fail(in study.Instance, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.result.Failed = append(g.result.Failed, in.SOPUID)
	if errors.Is(err, objstore.ErrArchived) { // said once, at the end
		g.archived++
		return
	}
	line, _ := strings.CutPrefix(errorLine(err), "picture of "+shown(in.SOPUID)+", ") // said once is enough
	fmt.Fprintf(g.stderr, "radtier: instance %s: %s\n", shown(in.SOPUID), line)
}

func (g *getting) wrote(n int64, exact bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.result.Files++
	g.result.Bytes += n
	if !exact {
		g.result.NotExact++
	}
}

func (g *getting) instance(ctx context.Context, dec *pack.Decoders, in study.Instance) error {
	if g.flags.as == asPNG {
		return g.pictures(ctx, dec, in)
	}
	if g.flags.frame > 0 {
		data, ext, err := g.frame(ctx, dec, in, g.flags.frame-1)
		if err != nil {
			return err
		}
		return g.file(in, fmt.Sprintf("-%d.%s", g.flags.frame, ext), func(w io.Writer) (bool, error) {
			_, err := w.Write(data)
			return true, err
		})
	}
	return g.file(in, ".dcm", func(w io.Writer) (exact bool, err error) {
		switch g.flags.as {
		case asOriginal:
			return g.st.WriteOriginal(ctx, dec, in, w)
		case asStored:
			return true, g.st.WriteStored(ctx, dec, in, w)
		}
		return true, g.st.WriteExplicitLE(ctx, dec, in, w)
	})
}

// frame returns the bytes of one frame (from 0) and what to call them.
func (g *getting) frame(ctx context.Context, dec *pack.Decoders, in study.Instance, n int) ([]byte, string, error) {
	if n >= len(in.Frames) {
		return nil, "", fmt.Errorf("there is no frame %d: it has %d", n+1, len(in.Frames))
	}
	switch g.flags.as {
	case asStored:
		if g.flags.level >= 0 || g.flags.maxSize > 0 {
			r, err := g.resolution(in, n)
			if err != nil {
				return nil, "", err
			}
			data, err := g.st.FrameLevel(ctx, in, n, r)
			return data, "jhc", err
		}
		data, e, err := in.Volume.FrameBytes(ctx, in.Index, n)
		return data, codingExt(e.Coding), err
	case asOriginal:
		data, err := in.Volume.Frame(ctx, dec, in.Index, n, nil)
		return data, "bin", err
	}
	if in.Stored == in.Syntax && in.Reason != "" || in.Image == nil || in.Image.BigEndian || in.Image.Planar && in.Image.Samples > 1 {
		return nil, "", &codecs.UnsupportedError{Codec: "frame", What: "its samples are not in little endian order, side by side; take it as original, or the instance as explicit-le"}
	}
	data, err := in.Volume.Frame(ctx, dec, in.Index, n, nil)
	return data, "raw", err
}

func codingExt(c pack.Coding) string {
	switch c {
	case pack.CodingJPEGLS:
		return "jls"
	case pack.CodingRLE:
		return "rle"
	case pack.CodingHTJ2K:
		return "jhc"
	case pack.CodingZstd:
		return "zst"
	}
	return "bin"
}

// pictures draws one frame, or all.
func (g *getting) pictures(ctx context.Context, dec *pack.Decoders, in study.Instance) error {
	first, last := g.flags.frame-1, g.flags.frame-1
	if g.flags.frame == 0 {
		first, last = 0, max(len(in.Frames), 1)-1
	}
	for n := first; n <= last; n++ {
		r, err := g.resolution(in, n)
		if err != nil {
			return err
		}
		img, _, err := g.st.PictureAt(ctx, dec, in, n, r)
		if err != nil {
			return err
		}
		suffix := ".png"
		if len(in.Frames) > 1 {
			suffix = fmt.Sprintf("-%04d.png", n+1)
		}
		if err := g.file(in, suffix, func(w io.Writer) (bool, error) { return true, render.EncodePNG(w, img) }); err != nil {
			return err
		}
	}
	return nil
}

func (g *getting) file(in study.Instance, suffix string, write func(io.Writer) (exact bool, err error)) error {
	name := safeName(in.SOPUID)
	if in.Version < in.Versions {
		name += fmt.Sprintf("-v%d", in.Version)
	}
	exact := true
	n, err := g.to.write(safeName(in.SeriesUID), name+suffix, func(w io.Writer) (err error) {
		exact, err = write(w)
		return err
	})
	if err != nil {
		return err
	}
	g.wrote(n, exact)
	return nil
}

// noteAccess remembers that the study was read. A read never fails because that cannot be noted.
func (g *getting) noteAccess() {
	if g.flags.preview || g.result.Files == 0 && g.archived == 0 {
		return
	}
	m := g.st.Manifest
	cold := slices.ContainsFunc(g.st.Instances(), func(in study.Instance) bool { return m.Packs[in.Pack].Tier != g.stores.names[0] })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := g.db.NoteAccess(ctx, m.Tenant, m.Study().Hash(), g.result.BytesRead, cold); err != nil {
		fmt.Fprintf(g.stderr, "radtier: this read is not noted, so it does not keep the study longer: %s\n", errorLine(err))
	}
}

func (g *getting) report() error {
	r := &g.result
	r.BytesRead = g.stores.read.Load()
	if r.NotExact > 0 {
		fmt.Fprintf(g.stderr, "%s not kept byte for byte: written with the same elements and samples in Explicit VR Little Endian\n", plural(r.NotExact, "instance"))
	}
	if g.flags.json {
		if err := printJSON(g.stdout, r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(g.stderr, "%s, %s written, %s read from the store\n", plural(r.Files, "file"), bytesText(r.Bytes), bytesText(r.BytesRead))
	}
	if g.archived > 0 {
		fmt.Fprintf(g.stderr, "%s in an archive class: `radtier restore %s --by NAME --reason TEXT` brings the study back\n", plural(g.archived, "instance"), g.st.Manifest.Study().Hash()[:8])
	}
	g.noteAccess()
	if len(r.Failed) > 0 {
		fmt.Fprintf(g.stderr, "%s could not be given as %s\n", plural(len(r.Failed), "instance"), r.As)
		return errPartial
	}
	return nil
}
