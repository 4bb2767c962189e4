package tiers

import (
	"errors"
	"testing"
	"time"

	"github.com/radtier/radtier/internal/objstore"
)

func TestRestoreStates(t *testing.T) {
	cold := Class{Name: "COLD", Archive: true, RestoreDelay: 5 * time.Hour}
	t0 := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	asked := Restore{}.Ask(t0, cold, 2)
	again := asked.Ask(t0.Add(time.Hour), cold, 9) // under way: unchanged
	longer := asked.Ask(t0.Add(6*time.Hour), cold, 3)
	shorter := asked.Ask(t0.Add(6*time.Hour), cold, 1)
	anew := asked.Ask(t0.Add(5*time.Hour+2*day), cold, 1)
	tests := []struct {
		name     string
		r        Restore
		at       time.Duration
		ongoing  bool
		readable bool
	}{
		{"never asked", Restore{}, 0, false, false},
		{"just asked", asked, 0, true, false},
		{"a moment before ready", asked, 5*time.Hour - 1, true, false},
		{"ready", asked, 5 * time.Hour, false, true},
		{"last moment", asked, 5*time.Hour + 2*day - 1, false, true},
		{"over", asked, 5*time.Hour + 2*day, false, false},
		{"asked twice, over as at first", again, 5*time.Hour + 2*day, false, false},
		{"prolonged", longer, 6*time.Hour + 3*day - 1, false, true},
		{"prolonged, over", longer, 6*time.Hour + 3*day, false, false},
		{"not shortened", shorter, 5*time.Hour + 2*day - 1, false, true},
		{"anew, under way", anew, 5*time.Hour + 2*day, true, false},
		{"anew, ready", anew, 10*time.Hour + 2*day, false, true},
	}
	for _, tt := range tests {
		now := t0.Add(tt.at)
		s := tt.r.State(now, cold)
		if !s.Archived || s.Ongoing != tt.ongoing || s.Readable(now) != tt.readable {
			t.Errorf("%s: got %+v readable %v, want ongoing %v readable %v", tt.name, s, s.Readable(now), tt.ongoing, tt.readable)
		}
	}
	if s := asked.State(t0, Class{Name: "HOT"}); s != (objstore.RestoreState{}) || !s.Readable(t0) {
		t.Errorf("class without archive: got %+v, want the zero state", s)
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name string
		list Classes
		ok   bool
	}{
		{"none", nil, false},
		{"one", Classes{{Name: "HOT"}}, true},
		{"hot and archive", Classes{{Name: "HOT"}, {Name: "COLD", MinDays: 90, Archive: true, RestoreDelay: time.Hour}}, true},
		{"twice", Classes{{Name: "HOT"}, {Name: "HOT"}}, false},
		{"archive first", Classes{{Name: "COLD", Archive: true}}, false},
		{"leads elsewhere", Classes{{Name: ".."}}, false},
		{"slash", Classes{{Name: "a/b"}}, false},
		{"empty name", Classes{{Name: ""}}, false},
		{"delay without archive", Classes{{Name: "HOT", RestoreDelay: 1}}, false},
		{"negative days", Classes{{Name: "HOT", MinDays: -1}}, false},
	}
	for _, tt := range tests {
		if err := tt.list.Check(); (err == nil) != tt.ok {
			t.Errorf("%s: got %v, want ok %v", tt.name, err, tt.ok)
		}
	}
	list := Classes{{Name: "HOT"}, {Name: "COLD", MinDays: 90}}
	if i, err := list.Index(""); i != 0 || err != nil {
		t.Errorf("default class: got %d, %v", i, err)
	}
	if i, err := list.Index("COLD"); i != 1 || err != nil {
		t.Errorf("COLD: got %d, %v", i, err)
	}
	if _, err := list.Index("WARM"); !errors.Is(err, objstore.ErrUnsupported) {
		t.Errorf("unknown class: got %v, want ErrUnsupported", err)
	}
	t0 := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	if got, want := list[1].MinimumUntil(t0), t0.AddDate(0, 0, 90); !got.Equal(want) {
		t.Errorf("minimum until: got %v, want %v", got, want)
	}
}
