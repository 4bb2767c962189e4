// Package archtest states which package of the project may import which, with
// the reason of each rule; its test checks them against `go list`. It also
// keeps paths of somebody's machine out of committed files and the arm64 build alive.
package archtest

import (
	"fmt"
	"sort"
	"strings"
)

const module = "github.com/radtier/radtier"

// Package is what the rules look at: imports of the package's code, not of its tests.
type Package struct {
	Path    string
	Imports []string
}

// layer says what the packages under a folder may import of the project.
type layer struct {
	folder string   // relative to the module; a rule for a deeper folder goes first
	may    []string // "x" is package x alone, "x/..." also all below it; own subfolders are always allowed
	why    string
}

// layers is design rule 1: imports point down only. From top to bottom.
var layers = []layer{
	{"cmd", []string{"..."},
		"the command wires everything together and is imported by nobody"},
	{"bench", []string{"worker/...", "lifecycle/...", "roi/...", "codecs/...", "internal/..."},
		"benchmarks drive the worker and what is below it"},
	{"worker", []string{"lifecycle/...", "roi/...", "codecs/...", "internal/..."},
		"the worker runs the study pipeline out of the parts below it"},
	{"lifecycle/cost", nil,
		"what things cost follows from price books and formulas alone"},
	{"lifecycle", []string{"internal/catalog", "internal/objstore", "internal/pack"},
		"policies move stored bytes; they never look at pixels or DICOM"},
	{"roi", []string{"internal/dcm", "internal/render", "codecs"},
		"regions are found in instances handed in; where they are stored is for others"},
	{"internal/study", []string{"internal/catalog", "internal/objstore", "internal/pack", "internal/preview", "internal/dcm", "internal/render", "codecs"},
		"reading a study back joins manifest, packs and DICOM; decoders are handed in"},
	{"internal/catalog/catalogtest", []string{"internal/catalog/...", "internal/objstore/..."},
		"the catalog's suite runs over stores in memory"},
	{"internal/catalog", []string{"internal/objstore"},
		"the catalog can be rebuilt from the bucket, and knows neither packs' insides nor DICOM"},
	{"internal/preview", []string{"internal/pack", "internal/objstore", "internal/dcm", "internal/render", "codecs"},
		"a preview pack is a kind of pack whose index says how pictures are shown; codecs are handed in"},
	{"internal/pack", []string{"internal/objstore", "codecs"},
		"packs are bytes and samples; what they mean is for others"},
	{"internal/objstore", nil,
		"a store knows objects, not what is in them"},
	{"internal/render", []string{"internal/dcm", "codecs"},
		"rendering needs samples and the data set's windows and palettes, never files or stores"},
	{"internal/dcm", []string{"codecs"},
		"DICOM files are read and written without any knowledge of the product"},
	{"internal/dicomweb", nil,
		"a client of other archives knows HTTP and DICOM JSON; what answers mean is for others"},
	{"internal/testkit", []string{"internal/dcm", "internal/objstore", "codecs"},
		"test material is made of the lowest parts, so that every other test may use it"},
	{"internal/archtest", nil,
		"rules depend on nothing"},
	{"codecs/all", []string{"codecs/..."},
		"the one place that knows every codec"},
	{"codecs", []string{"codecs", "codecs/internal/..."},
		"codecs are a library of their own: each one stands alone on the types of package codecs"},
}

// door names the only packages that may import a third-party library.
type door struct {
	library string // import path, or the beginning of one
	folders []string
	why     string
}

// doors is design rule 2: each third-party library has one door.
var doors = []door{
	{"github.com/hibiken/asynq", []string{"worker"}, "the queue can be replaced in one place"},
	{"github.com/redis/go-redis", []string{"worker"}, "Redis is the queue's business"},
	{"github.com/alicebob/miniredis", []string{"worker"}, "the embedded queue is the worker's default"},
	{"github.com/aws/", []string{"internal/objstore/s3"}, "everybody else speaks objstore.Store"},
	{"github.com/suyashkumar/dicom", []string{"internal/dcm"}, "it panics on hostile input and changes values; dcm uses only what is safe"},
	{"github.com/disintegration/imaging", []string{"internal/render"}, "its results are 8-bit: previews only, never the diagnostic path"},
	{"github.com/shopspring/decimal", []string{"lifecycle", "cmd/radtier"}, "money is decimal, and only finance has money"},
	{"golang.org/x/image", []string{"roi/picture"}, "pictures for people are drawn in one place"},
	{"modernc.org/sqlite", []string{"internal/catalog"}, "SQL stays behind the catalog"},
	{"github.com/jackc/pgx", []string{"internal/catalog"}, "SQL stays behind the catalog"},
	{"database/sql", []string{"internal/catalog"}, "SQL stays behind the catalog"},
	{"github.com/spf13/cobra", []string{"cmd/radtier"}, "only the command has a command line"},
	{"github.com/klauspost/compress", []string{"internal/pack", "internal/catalog"}, "zstd is part of the storage formats, which are defined there"},
}

// support are packages for tests: product code must not need them.
var support = []struct {
	folder string
	users  []string // product folders that may use it all the same
	why    string
}{
	{"internal/testkit", []string{"cmd", "bench"}, "only the demo and the benchmarks run on synthetic studies"},
	{"codecs/codectest", []string{"bench"}, "only benchmarks share its images"},
	{"internal/objstore/storetest", nil, "a suite for tests"},
	{"internal/catalog/catalogtest", nil, "a suite for tests"},
	{"internal/archtest", nil, "a test"},
}

// under reports whether a relative path is folder or below it.
func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// matches reports whether a relative path is one of the patterns "x", "x/..." and "...".
func matches(path string, patterns []string) bool {
	for _, p := range patterns {
		if folder, all := strings.CutSuffix(p, "/..."); p == "..." || path == p || all && under(path, folder) {
			return true
		}
	}
	return false
}

// anyUnder reports whether a relative path lies under one of the folders.
func anyUnder(path string, folders []string) bool {
	for _, f := range folders {
		if under(path, f) {
			return true
		}
	}
	return false
}

// relative returns the path of a package of the project inside the module.
func relative(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// Violations returns one line for each import that a rule forbids, and for each package that no rule knows.
func Violations(packages []Package) []string {
	var bad []string
	report := func(importer, imported, rule string) {
		bad = append(bad, fmt.Sprintf("%s imports %s: %s", importer, imported, rule))
	}
	for _, p := range packages {
		path, ours := relative(p.Path)
		if !ours {
			continue
		}
		l := layerOf(path)
		if l == nil {
			bad = append(bad, fmt.Sprintf("%s has no rule: add its layer to internal/archtest/rules.go", path))
			continue
		}
		for _, imported := range p.Imports {
			target, own := relative(imported)
			if own {
				// A package's own folders are its own business, but codecs do not see each other.
				sibling := under(target, l.folder) && l.folder != "codecs"
				if !sibling && !matches(target, l.may) {
					report(path, target, fmt.Sprintf("%s may import %s: %s", l.folder, allowed(l.may), l.why))
				}
				for _, s := range support {
					if under(target, s.folder) && !under(path, s.folder) && !anyUnder(path, s.users) {
						report(path, target, fmt.Sprintf("%s is for tests: %s", s.folder, s.why))
					}
				}
				continue
			}
			if under(path, "codecs") && thirdParty(imported) && imported != "golang.org/x/sys/cpu" {
				report(path, imported, "codecs import the standard library and golang.org/x/sys/cpu only: they are a library of their own")
			}
			for _, d := range doors {
				if (strings.HasPrefix(imported, d.library)) && !anyUnder(path, d.folders) {
					report(path, imported, fmt.Sprintf("its only door is %s: %s", strings.Join(d.folders, " and "), d.why))
				}
			}
		}
	}
	sort.Strings(bad)
	return bad
}

func layerOf(path string) *layer {
	for i := range layers {
		if under(path, layers[i].folder) {
			return &layers[i]
		}
	}
	return nil
}

func allowed(may []string) string {
	if len(may) == 0 {
		return "nothing of the project"
	}
	return strings.Join(may, ", ")
}

// thirdParty reports whether an import path is outside the standard library: its first element has a dot.
func thirdParty(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}
