package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
)

// Found is what is in a source: files grouped into studies by their UIDs, whatever their names.
type Found struct {
	Studies []FoundStudy
	// Broken are files that are DICOM but cannot be read, or belong to no study; they go to quarantine.
	Broken []BrokenFile
	// Skipped counts what is no instance: files that are not DICOM at all, DICOMDIRs, empty files.
	Skipped      int
	Files        int
	Bytes        int64
	SkippedPaths []string
}

// FoundStudy is the files of one study.
type FoundStudy struct {
	UID   string
	Files []catalog.SourceFile
	Bytes int64
}

// BrokenFile is a file that cannot be queued.
type BrokenFile struct {
	Path   string
	Size   int64
	Reason string
}

// Discover reads the headers of all files under the roots (files or
// directories; symbolic links to files are followed, to directories not) and
// groups them by study. looked is called after every file, from several goroutines, and may be nil.
func Discover(ctx context.Context, roots []string, looked func()) (*Found, error) {
	paths, err := walk(ctx, roots)
	if err != nil {
		return nil, err
	}
	entries := make([]looking, len(paths))
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range 4 * runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(paths) {
					return nil
				}
				var err error
				if entries[i], err = lookAt(paths[i]); err != nil {
					return err
				}
				if looked != nil {
					looked()
				}
			}
			return context.Cause(ctx)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return group(paths, entries), nil
}

// looking is what one file turned out to be.
type looking struct {
	file    catalog.SourceFile
	study   string
	patient string // for comparison inside this call only
	broken  string
	skip    bool
}

func walk(ctx context.Context, roots []string) ([]string, error) {
	var paths []string
	seen := map[string]bool{}
	for _, root := range roots {
		abs, err := filepath.Abs(root)
		if err != nil {
			return nil, err
		}
		err = filepath.WalkDir(abs, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if e.IsDir() {
				return ctx.Err()
			}
			if !e.Type().IsRegular() {
				if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
					return nil // a socket, a device, a link to nowhere or to a directory
				}
			}
			if !seen[path] {
				seen[path] = true
				paths = append(paths, path)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read source: %w", err)
		}
	}
	sort.Strings(paths)
	return paths, nil
}

// lookAt reads the header of one file.
func lookAt(path string) (looking, error) {
	h, err := os.Open(path)
	if err != nil {
		return looking{}, fmt.Errorf("read source: %w", err)
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return looking{}, err
	}
	l := looking{file: catalog.SourceFile{Path: path, Size: info.Size(), ModTime: info.ModTime()}}
	if info.Size() == 0 {
		l.skip = true
		return l, nil
	}
	f, err := dcm.Scan(h, info.Size(), dcm.Limits{})
	switch {
	case errors.Is(err, dcm.ErrNotDICOM):
		l.skip = true
	case err != nil:
		l.broken = err.Error()
	case f.IsDICOMDIR():
		l.skip = true
	case f.StudyUID == "":
		l.broken = "no Study Instance UID (0020,000D)"
	case len(f.StudyUID) > catalog.MaxUID:
		l.broken = fmt.Sprintf("Study Instance UID (0020,000D) of %d bytes; at most %d are kept as a key", len(f.StudyUID), catalog.MaxUID)
	default:
		l.study, l.patient = f.StudyUID, f.PatientKey
		l.file.SeriesUID, l.file.SOPUID, l.file.Number = f.SeriesUID, f.SOPUID, f.InstanceNumber
	}
	return l, nil
}

func group(paths []string, entries []looking) *Found {
	found := &Found{Files: len(paths)}
	byStudy := map[string]*FoundStudy{}
	patients := map[string]map[string]int{}
	for i, l := range entries {
		found.Bytes += l.file.Size
		switch {
		case l.skip:
			found.Skipped++
			found.SkippedPaths = append(found.SkippedPaths, paths[i])
		case l.broken != "":
			found.Broken = append(found.Broken, BrokenFile{paths[i], l.file.Size, l.broken})
		default:
			s := byStudy[l.study]
			if s == nil {
				s = &FoundStudy{UID: l.study}
				byStudy[l.study] = s
				patients[l.study] = map[string]int{}
			}
			if l.patient != "" { // groups are numbers: who the patient is stays out of the catalog
				g, ok := patients[l.study][l.patient]
				if !ok {
					g = len(patients[l.study]) + 1
					patients[l.study][l.patient] = g
				}
				l.file.Group = g
			}
			s.Files = append(s.Files, l.file)
			s.Bytes += l.file.Size
		}
	}
	for _, s := range byStudy {
		found.Studies = append(found.Studies, *s)
	}
	sort.Slice(found.Studies, func(i, j int) bool { return found.Studies[i].UID < found.Studies[j].UID })
	return found
}
