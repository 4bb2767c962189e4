package catalog

import "time"

// About is what policies and reports need to know of a study: when it was made and came, what was examined, whose copy it is. It holds a
// day and a group of ages, and nothing that names a patient.
type About struct {
	StudyDate  string   `json:"study_date,omitempty"` // Study Date (0008,0020), YYYYMMDD; "" not known
	Modalities []string `json:"modalities,omitempty"` // of all series, sorted
	BodyParts  []string `json:"body_parts,omitempty"` // Body Part Examined (0018,0015) of all series, sorted
	Department string   `json:"department,omitempty"` // Institutional Department Name (0008,1040)
	Age        string   `json:"age,omitempty"`        // neonate, child or adult at the time of the study; "" not known
	// LastArrival is when the last new instances were committed.
	LastArrival time.Time `json:"last_arrival,omitzero"`
}

// What About may hold.
const (
	MaxAboutValues = 32 // modalities, body parts
	MaxAboutText   = 64 // bytes of a value
)

func (v *validator) about(m *Manifest) {
	a := m.About
	if a == nil {
		return
	}
	if _, err := time.Parse("20060102", a.StudyDate); a.StudyDate != "" {
		v.check(err == nil, "about: study date is %.20q", a.StudyDate)
	}
	for _, list := range [][]string{a.Modalities, a.BodyParts, {a.Department}, {a.Age}} {
		v.check(len(list) <= MaxAboutValues, "about: %d values", len(list))
		for _, s := range list {
			v.check(len(s) <= MaxAboutText, "about: a value of %d bytes", len(s))
		}
	}
}
