package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"

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
	Pin    catalog.SourceFile // what was looked at
}

// Discover is [Sources.Discover] for files and directories.
func Discover(ctx context.Context, roots []string, looked func()) (*Found, error) {
	return (*Sources)(nil).Discover(ctx, roots, looked)
}

// bucketLookers is how many headers of a bucket are read at once: most of that time is waiting.
const bucketLookers = 32

// Discover reads the headers of all files under the roots and groups them by
// study. A root is a file, a directory (symbolic links to files are followed,
// to directories not), or "s3://bucket/prefix": the object of that key, or all objects below
// "prefix/". looked is called after every file, from several goroutines, and may be nil; how many there will be is
// not known before a listing ends.
//
// Headers of objects are read by range, most with one request; pixel data is
// not read, so encapsulated pixel data that is broken is found only when the
// study is worked on. A listing is worked on page by page, and what is kept of each file is its name, pin and UIDs: about
// 300 bytes, and as much again while they are grouped, so a million files take some 600 MB until they are queued.
// Queue larger sources prefix by prefix, such that no study is in two of them; studies that are come together all the same, only later.
func (s *Sources) Discover(ctx context.Context, roots []string, looked func()) (*Found, error) {
	d := discovery{sources: s, seen: map[string]string{}, looked: looked}
	lookers := 4 * runtime.GOMAXPROCS(0)
	for _, root := range roots {
		if IsBucketSource(root) {
			lookers = max(lookers, bucketLookers)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	todo := make(chan listed, 2*lookers)
	g.Go(func() error {
		defer close(todo)
		for _, root := range roots {
			if err := s.list(ctx, root, todo); err != nil {
				return err
			}
		}
		return nil
	})
	for range lookers {
		g.Go(func() error {
			for x := range todo {
				if err := d.look(ctx, x); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return group(d.entries), nil
}

// listed is a file that was found and not looked at. Objects are pinned already.
type listed struct {
	root string
	file catalog.SourceFile
}

// rootError is a failure below a root. Its text names the root and no file below it.
type rootError struct {
	root string
	err  error
}

func (e *rootError) Error() string { return fmt.Sprintf("source %s: %v", e.root, withoutPath(e.err)) }
func (e *rootError) Unwrap() error { return e.err }

// list sends what is below a root.
func (s *Sources) list(ctx context.Context, root string, todo chan<- listed) error {
	abs, err := SourceRoot(root)
	if err != nil {
		return err
	}
	found := func(f catalog.SourceFile) error {
		select {
		case todo <- listed{root, f}:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if IsBucketSource(root) {
		err = s.listBucket(ctx, abs, found)
	} else {
		err = walk(ctx, abs, found)
	}
	if err != nil && ctx.Err() == nil {
		return &rootError{root, err}
	}
	return err
}

func walk(ctx context.Context, root string, found func(catalog.SourceFile) error) error {
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
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
		return found(catalog.SourceFile{Path: path})
	})
}

func (s *Sources) listBucket(ctx context.Context, root string, found func(catalog.SourceFile) error) error {
	name, prefix := splitObject(root)
	b, err := s.bucket(ctx, name)
	if err != nil {
		return err
	}
	below := prefix
	if below != "" {
		below += "/"
	}
	any := false
	for o, err := range b.List(ctx, below, "") {
		if err != nil {
			return ofObject(err, below)
		}
		any = true
		if o.Size == 0 && strings.HasSuffix(o.Key, "/") {
			continue // what consoles make of a new folder
		}
		f, err := pinOf(name, o)
		if err != nil {
			return err
		}
		if err := found(f); err != nil {
			return err
		}
	}
	if any || prefix == "" {
		return nil
	}
	f, err := s.pin(ctx, root) // the key of one object
	if errors.Is(err, errGone) {
		return errors.New("nothing is there")
	}
	if err != nil {
		return err
	}
	return found(f)
}

// discovery collects what files turn out to be.
type discovery struct {
	sources *Sources
	looked  func()

	mu      sync.Mutex
	entries []looking
	seen    map[string]string // equal strings are kept once
}

func (d *discovery) look(ctx context.Context, x listed) error {
	l, err := d.sources.lookAt(ctx, x.file)
	if errors.Is(err, errGone) {
		return nil // between listing and looking
	}
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &rootError{x.root, err}
	}
	d.mu.Lock()
	for _, s := range []*string{&l.study, &l.patient, &l.broken, &l.file.SeriesUID} {
		if have, ok := d.seen[*s]; ok {
			*s = have
		} else {
			d.seen[*s] = *s
		}
	}
	d.entries = append(d.entries, l)
	d.mu.Unlock()
	if d.looked != nil {
		d.looked()
	}
	return nil
}

// looking is what one file turned out to be.
type looking struct {
	file    catalog.SourceFile
	study   string
	patient string // for comparison inside this call only
	broken  string
	skip    bool
}

// lookAt reads the header of one file and pins it; an object's pin is tried
// first if it is known. errGone if there is no such file.
func (s *Sources) lookAt(ctx context.Context, f catalog.SourceFile) (looking, error) {
	if !IsBucketSource(f.Path) {
		h, err := os.Open(f.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return looking{}, errGone
		}
		if err != nil {
			return looking{}, err
		}
		defer h.Close()
		info, err := h.Stat()
		if err != nil {
			return looking{}, err
		}
		f.Size, f.ModTime = info.Size(), info.ModTime()
		return lookInto(&fileHandle{h, f.Size, f.ModTime}, f)
	}
	for try := 0; ; try++ {
		var err error
		if try > 0 || f.ETag == "" {
			if f, err = s.pin(ctx, f.Path); err != nil {
				return looking{}, err
			}
		}
		h, err := s.openPinned(ctx, f)
		if err != nil {
			return looking{}, err
		}
		l, err := lookInto(h, f)
		if err == nil || !errors.Is(err, ErrSourceChanged) || errors.Is(err, errGone) || try == 3 {
			return l, err
		}
	}
}

func lookInto(h handle, pin catalog.SourceFile) (looking, error) {
	l := looking{file: pin}
	if pin.Size == 0 {
		l.skip = true
		return l, nil
	}
	src := &sourceFile{handle: h, pin: pin}
	f, err := scanSource(src, pin.Size, dcm.Limits{SkipFragments: IsBucketSource(pin.Path)})
	var unread *unreadError
	switch {
	case errors.As(err, &unread):
		return l, err
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

// group sorts by path, so that the same files make the same studies however they were listed.
func group(entries []looking) *Found {
	slices.SortFunc(entries, func(a, b looking) int { return strings.Compare(a.file.Path, b.file.Path) })
	entries = slices.CompactFunc(entries, func(a, b looking) bool { return a.file.Path == b.file.Path }) // roots may overlap
	found := &Found{Files: len(entries)}
	byStudy := map[string]*FoundStudy{}
	patients := map[string]map[string]int{}
	for _, l := range entries {
		found.Bytes += l.file.Size
		switch {
		case l.skip:
			found.Skipped++
			found.SkippedPaths = append(found.SkippedPaths, l.file.Path)
		case l.broken != "":
			found.Broken = append(found.Broken, BrokenFile{l.file.Path, l.file.Size, l.broken, l.file})
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
