package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/radtier/radtier/worker"
)

// Rival is a command-line program that compresses one DICOM file losslessly.
type Rival struct {
	Name string
	Args func(in, out string) []string
}

// Rivals are the programs that people use today, one process per file.
var Rivals = []Rival{
	{"dcmcjpls", func(in, out string) []string { return []string{in, out} }},
	{"gdcmconv", func(in, out string) []string { return []string{"--jpegls", in, out} }},
}

// RivalResult is one run of a rival over a folder.
type RivalResult struct {
	Name     string        `json:"name"`
	Files    int           `json:"files"`
	Failed   int           `json:"failed"`
	RawBytes int64         `json:"raw_bytes"`
	Stored   int64         `json:"stored_bytes"`
	Wall     time.Duration `json:"wall_ns"`
	CPU      time.Duration `json:"cpu_ns"`
}

// RunRival compresses every instance in dir, one after the other. It neither
// verifies nor packs, as the pipeline does. An uninstalled rival gives exec.ErrNotFound.
func RunRival(ctx context.Context, r Rival, dir string) (RivalResult, error) {
	path, err := exec.LookPath(r.Name)
	if err != nil {
		return RivalResult{}, err
	}
	found, err := worker.Discover(ctx, []string{dir}, nil)
	if err != nil {
		return RivalResult{}, err
	}
	tmp, err := os.MkdirTemp("", "radtier-rival-")
	if err != nil {
		return RivalResult{}, err
	}
	defer os.RemoveAll(tmp)
	res := RivalResult{Name: r.Name}
	start := time.Now()
	for _, s := range found.Studies {
		for _, f := range s.Files {
			out := filepath.Join(tmp, fmt.Sprintf("%d.dcm", res.Files))
			cmd := exec.CommandContext(ctx, path, r.Args(f.Path, out)...)
			cmd.Stderr = &bytes.Buffer{}
			err := cmd.Run()
			if ctx.Err() != nil {
				return res, ctx.Err()
			}
			res.Files++
			res.RawBytes += f.Size
			res.CPU += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			if info, statErr := os.Stat(out); err == nil && statErr == nil {
				res.Stored += info.Size()
				os.Remove(out)
			} else {
				res.Failed++
			}
		}
	}
	res.Wall = time.Since(start)
	return res, nil
}
