package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/radtier/radtier/internal/objstore/s3"
)

// disk is what a file system says of itself.
type disk struct {
	Kind             string `json:"file_system"`
	Free             int64  `json:"free_bytes"`
	Total            int64  `json:"total_bytes"`
	FreeFiles, Files int64  `json:"-"`
}

// remote reports whether other machines may write to the same file system.
func (d disk) remote() bool {
	switch d.Kind {
	case "nfs", "smb", "smb2", "cifs", "fuse", "9p", "ceph":
		return true
	}
	return false
}

// enoughDisk is below which free space is worth a warning.
const enoughDisk = 10 << 30

// full is what is to be said of the room that is left; nil is nothing.
func (d disk) full(where string) *s3.Finding {
	switch {
	case d.Files > 0 && d.FreeFiles*100 < d.Files:
		return &s3.Finding{Level: s3.LevelWarn, What: fmt.Sprintf("%s: less than 1 %% of its inodes are free", where), Do: "remove small files, or make the file system anew with more inodes"}
	case d.Free < enoughDisk:
		return &s3.Finding{Level: s3.LevelWarn, What: fmt.Sprintf("%s: %s are free", where, bytesText(d.Free)), Do: "make room; a put that finds none fails and is tried again later"}
	}
	return nil
}

// existing is the path itself, or the nearest folder above it that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || filepath.Dir(path) == path {
			return path
		}
		path = filepath.Dir(path)
	}
}

// directoryProfile is what was seen of a directory that keeps objects.
type directoryProfile struct {
	disk
	Path     string `json:"path"`
	Exists   bool   `json:"exists"`
	Writable bool   `json:"writable"`
	Nameless bool   `json:"nameless_files"` // O_TMPFILE and linkat work
}

// checkDirectory looks at a tier of kind file. It leaves nothing behind and makes no directory.
func checkDirectory(path string) (directoryProfile, []s3.Finding) {
	p := directoryProfile{Path: path}
	var found []s3.Finding
	add := func(level, do, what string, args ...any) {
		found = append(found, s3.Finding{Level: level, What: fmt.Sprintf(what, args...), Do: do})
	}
	at := existing(path)
	st, err := os.Stat(path)
	switch {
	case err == nil && !st.IsDir():
		add(s3.LevelRefuse, "name another directory in `tiers`, or move that file away", "%s is no directory", path)
		return p, found
	case err == nil:
		p.Exists = true
	case errors.Is(err, os.ErrNotExist):
		add(s3.LevelNote, "if a disk should be mounted there, mount it", "%s is not there yet; the first `radtier ingest` makes it", path)
	default:
		add(s3.LevelRefuse, "let the user of radtier read it", "%v", err)
		return p, found
	}
	if p.disk, err = diskOf(at); err != nil {
		add(s3.LevelNote, "", "%v", err)
	} else {
		if full := p.full(path); full != nil {
			found = append(found, *full)
		}
		if p.remote() {
			add(s3.LevelNote, "let one machine write there; for several use a tier of kind s3", "it lies on a file system of kind %s: whether a synced file survives a power cut is up to its server", p.Kind)
		}
	}
	f, err := os.CreateTemp(at, "~radtier-check-")
	if err != nil {
		add(s3.LevelRefuse, "let the user of radtier write there", "nothing can be written: %v", errors.Unwrap(err))
		return p, found
	}
	err = errors.Join(f.Sync(), f.Close(), os.Remove(f.Name()))
	if err != nil {
		add(s3.LevelRefuse, "check the disk and its free space", "a file cannot be synced: %v", err)
		return p, found
	}
	p.Writable = true
	if p.Nameless = namelessWorks(at, "~radtier-check-"+rand.Text()); !p.Nameless {
		add(s3.LevelNote, "", "the file system has no nameless files (O_TMPFILE): puts use temporary files, which `radtier sweep --apply` removes after a crash")
	}
	if len(found) == 0 {
		add(s3.LevelOK, "", "it can be used")
	}
	return p, found
}
