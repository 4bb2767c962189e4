package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/radtier/radtier/internal/dcm"
)

// archive is a DICOMweb service over files in memory, which does what no real one does on demand.
type archive struct {
	*httptest.Server
	mu       sync.Mutex
	files    map[string][]byte          // by SOP Instance UID; an unreadable one is given out all the same
	heads    map[string]*dcm.File       // of those that can be read
	answers  func(path string) int      // status of a request, 0: as it should be
	frames   func(sop string, b []byte) // changes native frames before they are given out; nil: frames are refused
	requests []string
}

func newArchive(files ...[]byte) *archive {
	a := &archive{files: map[string][]byte{}, heads: map[string]*dcm.File{}, frames: func(string, []byte) {}}
	for _, b := range files {
		a.store(b)
	}
	a.Server = httptest.NewServer(a)
	return a
}

// store takes a file, or replaces that of the same instance.
func (a *archive) store(b []byte) {
	f, err := dcm.Scan(dcm.Bytes(b), int64(len(b)), dcm.Limits{})
	if err != nil {
		panic(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files[f.SOPUID], a.heads[f.SOPUID] = b, f
}

func (a *archive) remove(sop string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.files, sop)
	delete(a.heads, sop)
}

// asked reports how many requests there were whose path has a word in it.
func (a *archive) asked(word string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.requests {
		if strings.Contains(r, word) {
			n++
		}
	}
	return n
}

func (a *archive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, r.URL.Path)
	if a.answers != nil {
		if code := a.answers(r.URL.Path); code != 0 {
			w.WriteHeader(code)
			fmt.Fprint(w, "WANG^XIAO")
			return
		}
	}
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // dw, studies, uid, series, uid, instances, uid, what, number
	switch {
	case len(part) == 4 && part[3] == "instances":
		var list []map[string]any
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		for _, f := range a.heads {
			if f.StudyUID == part[2] {
				list = append(list, head(f))
			}
		}
		if offset > 0 {
			list = nil
		}
		a.json(w, list)
	case len(part) == 8 && part[7] == "metadata" && a.heads[part[6]] != nil:
		a.json(w, []map[string]any{head(a.heads[part[6]])})
	case len(part) == 9 && part[7] == "frames" && a.heads[part[6]] != nil:
		f := a.heads[part[6]]
		n, err := strconv.Atoi(part[8])
		if a.frames == nil || err != nil || f.Pixel == nil || f.Pixel.Encapsulated || n > f.Image.Frames {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		at := f.FrameRanges(n - 1)[0]
		b := append([]byte(nil), a.files[part[6]][at.ValueOffset:at.ValueOffset+at.Length]...)
		a.frames(part[6], b)
		a.part(w, "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", b)
	case len(part) == 7 && a.files[part[6]] != nil:
		a.part(w, "application/dicom", a.files[part[6]])
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (a *archive) json(w http.ResponseWriter, list []map[string]any) {
	w.Header().Set("Content-Type", "application/dicom+json")
	if list == nil {
		list = []map[string]any{}
	}
	if err := json.NewEncoder(w).Encode(list); err != nil {
		panic(err)
	}
}

func (a *archive) part(w http.ResponseWriter, kind string, b []byte) {
	w.Header().Set("Content-Type", `multipart/related; type="x"; boundary=radtier-archive`)
	fmt.Fprintf(w, "--radtier-archive\r\nContent-Type: %s\r\n\r\n%s\r\n--radtier-archive--\r\n", kind, b)
}

// head is what lists and headers say of a file, in DICOM JSON, with a patient's name.
func head(f *dcm.File) map[string]any {
	one := func(v any) map[string]any { return map[string]any{"vr": "XX", "Value": []any{v}} }
	m := map[string]any{"00100010": one(map[string]any{"Alphabetic": "WANG^XIAO"}), "0020000D": one(f.StudyUID), "0020000E": one(f.SeriesUID), "00080018": one(f.SOPUID)}
	if img := f.Image; img != nil {
		signed := 0
		if img.Signed {
			signed = 1
		}
		for tag, v := range map[string]any{"00280002": img.Samples, "00280004": img.Photometric, "00280006": img.Planar, "00280008": fmt.Sprint(img.Frames), "00280010": img.Rows,
			"00280011": img.Columns, "00280100": img.BitsAllocated, "00280101": img.BitsStored, "00280102": img.HighBit, "00280103": signed} {
			m[tag] = one(v)
		}
	}
	return m
}

// archive VARIABLE DIR: starts an archive of the files below a directory, and sets a variable to the URL of its DICOMweb service.
func archiveOf(ts *testscript.TestScript, neg bool, args []string) {
	a := newArchive()
	ts.Defer(a.Close)
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil {
			a.store(b)
		}
		return err
	}))
	ts.Setenv(args[0], a.URL+"/dw")
}
