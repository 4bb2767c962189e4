package policy

import (
	"slices"
	"time"

	"github.com/radtier/radtier/internal/catalog"
)

// DefaultZone is the zone of policies that name none, and of days that people write without one.
const DefaultZone = "Asia/Shanghai"

// Schema is the first line of a policy file.
const Schema = "radtier.policy/1"

// Policy is a policy file that was checked. It does not change.
type Policy struct {
	Name string
	Zone *time.Location // days are those of this zone
	// Tiers are the tiers' names, hot to cold.
	Tiers []string
	// Trash is how long what expired can be brought back; Quiet how long nothing may have come for a study before anything of it is deleted;
	// Appointments how long before an appointment nothing of a patient's studies is deleted or moved to a colder tier.
	Trash, Quiet, Appointments Period
	// Roles says which copy the studies of a tenant are, where their manifests do not; "*" is for all other tenants.
	Roles map[string]Role
	// Floors are how long the primary copy is kept from the last patient event, whatever the rules say.
	Floors Floors
	// Proof is what must be known of the primary copy before a secondary one is deleted.
	Proof   Proof
	Breaker Breaker
	Rules   []*Rule // by priority, the highest first
	// Digest is the SHA-256 of the file in hex: a plan holds for one policy.
	Digest string
	// Source is the file.
	Source []byte
}

// Classes are the classes that have a clock of their own.
var Classes = []catalog.Class{catalog.ClassFull, catalog.ClassRegion, catalog.ClassResult, catalog.ClassPreview}

// Role is what a copy of a study is: the one that the law is about, or another one.
type Role string

const (
	Primary   Role = "primary"
	Secondary Role = "secondary"
)

// Patient is how a patient was treated; the legal floor depends on it.
type Patient string

const (
	Outpatient Patient = "outpatient"
	Inpatient  Patient = "inpatient"
)

// AgeGroup of a patient at the time of a study.
type AgeGroup string

const (
	Neonate AgeGroup = "neonate" // to the 28th day
	Child   AgeGroup = "child"   // to the 18th birthday
	Adult   AgeGroup = "adult"
)

// Anchor is the day that a period counts from.
type Anchor string

const (
	FromStudy   Anchor = "study"   // Study Date; the first arrival if that is not known or lies in the future
	FromArrival Anchor = "arrival" // the day the last new instance came, or the study's if that is later
	FromAccess  Anchor = "access"  // the last time somebody read full images, or the arrival if that is later
	FromEvent   Anchor = "event"   // the last patient event that is known; without one the period never begins to run
)

// Floors are legal minimums (医疗机构管理条例实施细则 第53条: 15 years for outpatients, 30 for inpatients). Who is not known to be an outpatient counts as an inpatient.
type Floors struct {
	Outpatient, Inpatient Period
	ApprovedBy            []string // who lowered them below the law's; two at least
}

// lawful are the legal minimums.
var lawful = Floors{Outpatient: Period{Years: 15}, Inpatient: Period{Years: 30}}

// Of returns the floor of a patient.
func (f Floors) Of(p Patient) Period {
	if p == Outpatient {
		return f.Outpatient
	}
	return f.Inpatient
}

// ProofLevel is how well the keeper of the primary copy shows that it has it; each level includes those before.
type ProofLevel string

const (
	Listed   ProofLevel = "listed"   // its archive lists the study with all its instances (QIDO-RS)
	Sampled  ProofLevel = "sampled"  // frames were pulled from it, and have our digests
	Attested ProofLevel = "attested" // it delivered an inventory with the digests of all instances, and they are ours
)

// Proof is what a policy asks for.
type Proof struct {
	Level ProofLevel
	Age   Period // no older than this
}

// atLeast reports whether a proof is as good as another.
func (l ProofLevel) atLeast(m ProofLevel) bool {
	order := []ProofLevel{Listed, Sampled, Attested}
	return slices.Index(order, l) >= max(slices.Index(order, m), 0)
}

// ProofBetter reports whether a proof that is known says that the primary copy is the same, at a higher level than another one would, and is still good at a
// time. A nil proof is none.
func (p *Policy) ProofBetter(x *Evidence, than ProofLevel, at time.Time) bool {
	return x != nil && x.Same && !x.Outdated && !than.atLeast(x.Level) && DayOf(at, p.Zone) <= DayOf(x.At, p.Zone).Add(p.Proof.Age)
}

// Breaker bounds what is deleted of one tenant within 24 hours, by whatever number of plans.
type Breaker struct {
	Studies int64   // never stops fewer than these
	Share   float64 // of the tenant's studies
}

// Rule says how long, and where, the parts of some studies are kept.
type Rule struct {
	Name     string
	Line     int // in the file
	Priority int
	Match    Match
	Keep     Period
	From     Anchor
	Steps    []Step // by period; nil: the rule says nothing of tiers. They go on for what is due and may not be deleted
}

// Step puts an artifact on a tier once a period has passed.
type Step struct {
	Tier  string
	After Period
	From  Anchor
}

// Match says which artifacts a rule is for. A nil list takes all.
type Match struct {
	Classes     []catalog.Class // never nil
	Roles       []Role
	Tenants     []string
	Modalities  []string // any of the study's
	BodyParts   []string // any of the study's
	Departments []string
	Ages        []AgeGroup
	Patients    []Patient
	OlderThan   Period // since the study; zero: always
	MinBytes    int64  // of the artifact
	MaxBytes    int64  // 0: none
}

// all reports whether every artifact of the classes matches.
func (m *Match) all() bool {
	return m.Roles == nil && m.Tenants == nil && m.Modalities == nil && m.BodyParts == nil && m.Departments == nil && m.Ages == nil && m.Patients == nil &&
		m.OlderThan.IsZero() && m.MinBytes == 0 && m.MaxBytes == 0
}

// meets reports whether some artifact can match both.
func (m *Match) meets(o *Match) bool {
	// A study may have several modalities and body parts, so that lists of these without a common member can match it both.
	return shares(m.Classes, o.Classes) && shares(m.Roles, o.Roles) && shares(m.Tenants, o.Tenants) && shares(m.Departments, o.Departments) &&
		shares(m.Ages, o.Ages) && shares(m.Patients, o.Patients) &&
		(m.MaxBytes == 0 || o.MinBytes <= m.MaxBytes) && (o.MaxBytes == 0 || m.MinBytes <= o.MaxBytes)
}

func shares[T comparable](a, b []T) bool {
	return a == nil || b == nil || slices.ContainsFunc(a, func(x T) bool { return slices.Contains(b, x) })
}

// RoleOf is what the copies of a tenant are, "" if the policy does not say.
func (p *Policy) RoleOf(tenant string) Role {
	if r, ok := p.Roles[tenant]; ok {
		return r
	}
	return p.Roles["*"]
}

// colder is how many tiers b lies below a; false if one of them is not in the policy.
func (p *Policy) colder(a, b string) (int, bool) {
	i, j := slices.Index(p.Tiers, a), slices.Index(p.Tiers, b)
	return j - i, i >= 0 && j >= 0
}
