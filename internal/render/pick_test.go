package render

import "testing"

func TestPickFrame(t *testing.T) {
	tests := []struct {
		frames, representative int
		positions              []float64
		want                   int
	}{
		{1, 0, nil, 0},
		{0, 0, nil, 0},
		{10, 0, nil, 5},
		{11, 0, nil, 5},
		{10, 3, nil, 2},
		{10, 10, nil, 9},
		{10, 11, nil, 5}, // out of range
		{10, -1, nil, 5},
		{5, 0, []float64{40, 0, 30, 10, 20}, 4}, // the middle by position
		{5, 0, []float64{40, 0}, 2},
		{5, 1, []float64{40, 0, 30, 10, 20}, 0},
	}
	for _, x := range tests {
		if got := PickFrame(x.frames, x.representative, x.positions); got != x.want {
			t.Errorf("%+v: got %d", x, got)
		}
	}
}

func TestPickInstance(t *testing.T) {
	axial := &[6]float64{1, 0, 0, 0, 1, 0}
	nearlyAxial := &[6]float64{1, 0.0004, 0, 0, 1, 0}
	sagittal := &[6]float64{0, 1, 0, 0, 0, -1}
	slice := func(uid string, n int, z float64) InstanceFacts {
		return InstanceFacts{SOPUID: uid, Number: n, Position: [3]float64{0, 0, z}, Orientation: axial}
	}
	tests := []struct {
		name string
		list []InstanceFacts
		want string
	}{
		{"none", nil, ""},
		{"one", []InstanceFacts{{SOPUID: "a"}}, "a"},
		{"by position, not by number", []InstanceFacts{slice("a", 1, 30), slice("b", 2, 10), slice("c", 3, 20)}, "c"},
		{"all numbers are 1", []InstanceFacts{slice("a", 1, 5), slice("b", 1, 1), slice("c", 1, 3)}, "c"},
		{"without positions by number", []InstanceFacts{{SOPUID: "a", Number: 3}, {SOPUID: "b", Number: 1}, {SOPUID: "c", Number: 2}}, "c"},
		{"without anything by UID", []InstanceFacts{{SOPUID: "c"}, {SOPUID: "a"}, {SOPUID: "b"}}, "b"},
		{"no localizer", []InstanceFacts{{SOPUID: "a", Localizer: true}, {SOPUID: "b", Localizer: true}, slice("c", 3, 0)}, "c"},
		{"localizers only", []InstanceFacts{{SOPUID: "a", Localizer: true}}, "a"},
		{"no secondary capture", []InstanceFacts{{SOPUID: "a", Secondary: true}, {SOPUID: "b", Secondary: true}, slice("c", 3, 0)}, "c"},
		{"secondary capture before localizer", []InstanceFacts{{SOPUID: "a", Localizer: true}, {SOPUID: "b", Secondary: true}}, "b"},
		{"majority orientation", []InstanceFacts{
			{SOPUID: "s", Orientation: sagittal}, slice("a", 1, 0), slice("b", 2, 1), {SOPUID: "n", Number: 3, Orientation: nearlyAxial, Position: [3]float64{0, 0, 2}}}, "b"},
	}
	for _, x := range tests {
		// The answer must not depend on the order of the list.
		for shift := range max(1, len(x.list)) {
			list := append(append([]InstanceFacts(nil), x.list[shift:]...), x.list[:shift]...)
			got := ""
			if i := PickInstance(list); i >= 0 {
				got = list[i].SOPUID
			}
			if got != x.want {
				t.Errorf("%s, shifted by %d: got %q, want %q", x.name, shift, got, x.want)
			}
		}
	}
}

func TestPickSeries(t *testing.T) {
	tests := []struct {
		name string
		list []SeriesFacts
		want string
	}{
		{"none", nil, ""},
		{"no images", []SeriesFacts{{UID: "a"}}, ""},
		{"largest", []SeriesFacts{{UID: "a", Number: 1, Images: 2}, {UID: "b", Number: 2, Images: 9}, {UID: "c", Number: 3}}, "b"},
		{"tie by number", []SeriesFacts{{UID: "a", Number: 2, Images: 9}, {UID: "b", Number: 1, Images: 9}}, "b"},
		{"tie by UID", []SeriesFacts{{UID: "b", Images: 9}, {UID: "a", Images: 9}}, "a"},
		{"screenshots last", []SeriesFacts{{UID: "a", Images: 99, Auxiliary: true}, {UID: "b", Images: 1}}, "b"},
	}
	for _, x := range tests {
		got := ""
		if i := PickSeries(x.list); i >= 0 {
			got = x.list[i].UID
		}
		if got != x.want {
			t.Errorf("%s: got %q, want %q", x.name, got, x.want)
		}
	}
}

func TestNoPicture(t *testing.T) {
	const s = "1.2.840.10008.5.1.4.1.1."
	const le = "1.2.840.10008.1.2.1"
	tests := []struct {
		class, syntax string
		pixels        bool
		picture       bool
	}{
		{s + "2", le, true, true},
		{s + "1.1.1", le, true, true},
		{s + "7", le, true, true},
		{s + "30", le, true, true},      // parametric map
		{s + "481.2", le, true, true},   // dose
		{s + "6.1", le, true, true},     // ultrasound
		{s + "9.1.1", le, false, false}, // ECG
		{s + "88.11", le, false, false},
		{s + "88.59", le, false, false},
		{s + "11.1", le, false, false},
		{s + "66.4", le, true, false},
		{s + "66.7", le, true, false},
		{s + "66", le, false, false},
		{s + "481.3", le, false, false},
		{s + "104.1", le, false, false},
		{s + "2", le, false, false},
		{s + "77.1.1.1", "1.2.840.10008.1.2.4.102", true, false},
		{s + "77.1.1.1", "1.2.840.10008.1.2.4.104.1", true, false},
		{s + "2", "1.2.840.10008.1.2.4.90", true, true},
		{s + "2", "1.2.840.10008.1.2.4.110", true, true}, // JPEG XL is no video
		{"1.2.3.4", le, true, true},
	}
	for _, x := range tests {
		if got := NoPicture(x.class, x.syntax, x.pixels); (got == "") != x.picture {
			t.Errorf("%s in %s, pixels %v: got %q, picture wanted: %v", x.class, x.syntax, x.pixels, got, x.picture)
		}
	}
}
