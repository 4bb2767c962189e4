package worker

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dcm"
)

// about says what policies and reports need to know of the study now that volumes were added: what the parent says, and the header of one
// instance of each series that has new ones. Headers that cannot be read say nothing.
func (d *derivation) about(ctx context.Context, made []*volume) (*catalog.About, error) {
	if len(made) == 0 {
		return nil, nil
	}
	a := &catalog.About{}
	view := d.assemble(made)
	fresh := len(view.Manifest.Packs) - len(made)
	if d.parent != nil {
		if p := d.parent.Manifest.About; p != nil {
			*a = *p
		} else {
			fresh = 0
		}
	}
	a.LastArrival = d.now().UTC().Truncate(time.Millisecond)
	seen := map[string]bool{}
	for _, in := range view.Instances() {
		if in.Pack < fresh || seen[in.SeriesUID] {
			continue
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		f, r, err := in.Scan(ctx)
		if err != nil {
			if passing(ctx, err) {
				return nil, err
			}
			continue
		}
		ds, err := dcm.ReadDataset(r, f, dcm.Limits{})
		if err != nil {
			continue
		}
		seen[in.SeriesUID] = true
		learn(a, ds)
	}
	return a, nil
}

// learn adds what a header says.
func learn(a *catalog.About, ds *dcm.Dataset) {
	if day := ds.String(0x00080020); a.StudyDate == "" && isDay(day) {
		a.StudyDate = day
	}
	a.Modalities = withValue(a.Modalities, ds.String(0x00080060))
	a.BodyParts = withValue(a.BodyParts, strings.ToUpper(ds.String(0x00180015)))
	if name := ds.String(0x00081040); a.Department == "" && plain(name) {
		a.Department = name
	}
	if a.Age == "" {
		a.Age = ageGroup(ds.String(0x00101010), ds.String(0x00100030), dayOf(ds.String(0x00080020), a.StudyDate))
	}
}

// dayOf is the first value that is a day.
func dayOf(a, b string) string {
	if isDay(a) {
		return a
	}
	return b
}

func isDay(s string) bool {
	_, err := time.Parse("20060102", s)
	return err == nil
}

// plain reports whether a value can be shown and compared: not empty, not long, no control characters.
func plain(s string) bool {
	return s != "" && len(s) <= catalog.MaxAboutText && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}

func withValue(list []string, s string) []string {
	if !plain(s) || len(list) >= catalog.MaxAboutValues {
		return list
	}
	if i, have := slices.BinarySearch(list, s); !have {
		return slices.Insert(slices.Clone(list), i, s)
	}
	return list
}

// ageGroup is neonate (to the 28th day), child (to the 18th birthday) or adult, from Patient's Age (0010,1010), or from the birth date and the day of the study; "" if neither says it.
func ageGroup(age, birth, study string) string {
	if len(age) == 4 {
		if n, err := strconv.Atoi(age[:3]); err == nil && n >= 0 {
			switch unit := age[3]; {
			case unit == 'D' && n <= 28, unit == 'W' && n <= 4:
				return "neonate"
			case unit == 'D', unit == 'W', unit == 'M' && n < 216, unit == 'Y' && n < 18:
				return "child"
			case unit == 'M', unit == 'Y':
				return "adult"
			}
		}
	}
	born, err := time.Parse("20060102", birth)
	if err != nil {
		return ""
	}
	at, err := time.Parse("20060102", study)
	switch {
	case err != nil || at.Before(born):
		return ""
	case at.Before(born.AddDate(0, 0, 29)):
		return "neonate"
	case at.Before(born.AddDate(18, 0, 0)):
		return "child"
	}
	return "adult"
}
