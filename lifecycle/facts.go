package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/lifecycle/policy"
)

// FactsOf are the facts that a policy decides on, from a study's row and what it says of the head manifest. hot names the tier that manifests leave
// unnamed.
func FactsOf(p *policy.Policy, s catalog.Study, b *catalog.Brief, hot string) *policy.Facts {
	f := &policy.Facts{Tenant: s.Tenant, StudyUID: s.UID, Generation: s.Generation, Role: p.RoleOf(s.Tenant), Arrived: s.Created, LastArrival: b.Last(), LastAccess: s.Accessed,
		Modalities: b.Modalities, BodyParts: b.BodyParts, Department: b.Department, Age: policy.AgeGroup(b.Age),
		Busy: s.Want > s.Done, Partial: s.Quarantined > 0, RegionState: s.RegionState,
		Settled: b.Settled || s.Reviewed == catalog.ReviewNegative, KeepWhole: s.Reviewed == catalog.ReviewKeepWhole}
	if f.LastArrival.IsZero() { // a version that did not write it: the head is no older
		f.LastArrival = s.Updated
	}
	if day, err := policy.ParseDay(b.StudyDate); err == nil {
		f.StudyDay = day
	}
	if c := b.Custody; c != nil {
		f.Role, f.Patient = cmp.Or(policy.Role(c.Role), f.Role), policy.Patient(c.Patient)
		if day, err := policy.ParseDay(c.LastEvent); err == nil {
			f.LastEvent = day
		}
		if x := c.Proof; x != nil {
			f.Proof = &policy.Evidence{Level: policy.ProofLevel(x.Level), At: x.At, Same: x.Same, Outdated: x.Arrivals > 0 && x.Arrivals < s.Done}
		}
	}
	for _, h := range b.Holds {
		held := policy.Hold{ID: h.ID, Kind: string(cmp.Or(h.Kind, catalog.HoldLegal)), Reason: h.Reason, Since: h.Since}
		if !h.Until.IsZero() {
			held.Until = policy.DayOf(h.Until.Add(-time.Millisecond), p.Zone)
		}
		if f.Holds = append(f.Holds, held); h.Kind == catalog.HoldAppointment && held.Until != 0 {
			f.Appointments = append(f.Appointments, held.Until)
		}
	}
	for i := range b.Holdings {
		f.Artifacts = addHolding(f.Artifacts, &b.Holdings[i], hot)
	}
	return f
}

// FactsOfManifest are the facts of a study that nothing waits for, all from one generation, but for when it was read last, which no generation knows.
func FactsOfManifest(p *policy.Policy, m *catalog.Manifest, hot string, accessed time.Time) *policy.Facts {
	b := catalog.BriefOf(m)
	s := catalog.RowOf(m)
	s.Accessed = accessed
	return FactsOf(p, s, &b, hot)
}

// addHolding adds objects of a class and tier to the artifact that they are part of.
func addHolding(list []policy.Artifact, o *catalog.BriefObject, hot string) []policy.Artifact {
	a := policy.Artifact{Class: o.Class, Tier: cmp.Or(o.Tier, hot), Since: o.Start(), Bytes: o.Bytes, Objects: o.Objects, Trashed: o.InTrash(), Restored: o.RestoredUntil()}
	i := slices.IndexFunc(list, func(b policy.Artifact) bool { return b.Class == a.Class && b.Tier == a.Tier })
	if i < 0 {
		return append(list, a)
	}
	b := &list[i]
	b.Bytes, b.Objects = b.Bytes+a.Bytes, b.Objects+a.Objects
	if a.Since.Before(b.Since) {
		b.Since = a.Since
	}
	return list
}
