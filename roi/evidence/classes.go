package evidence

import "strings"

// storage is how the UIDs of storage SOP Classes begin (PS3.4 B.5).
const storage = "1.2.840.10008.5.1.4.1.1."

// IsEvidence reports whether instances of a SOP Class are annotation objects, which Read is to be given. modality helps where a class is
// private or missing.
func IsEvidence(classUID, modality string) bool {
	if uid, ok := strings.CutPrefix(classUID, storage); ok {
		switch {
		case strings.HasPrefix(uid, "88."), strings.HasPrefix(uid, "11."), strings.HasPrefix(uid, "104."), uid == "66.4", uid == "66.7", uid == "481.3", uid == "91.1",
			uid == "66.5", uid == "481.11": // surface segmentation, RT segment annotation: not read here, and never taken for harmless
			return true
		}
		return false
	}
	switch modality {
	case "SR", "KO", "PR", "SEG", "RTSTRUCT", "DOC":
		return true
	}
	return false
}

// MayBeEvidence reports whether an instance may say where lesions are: IsEvidence, or an object without pixels of a class that nobody but its maker knows.
func MayBeEvidence(classUID, modality string, pixels bool) bool {
	return IsEvidence(classUID, modality) || !pixels && !strings.HasPrefix(classUID, "1.2.840.10008.")
}

// IsResult reports whether instances of a SOP Class belong to the results of a study, which outlive its images: all that IsEvidence
// names, and the other objects that are no images of the patient (registrations, real world value maps, fiducials, parametric maps).
func IsResult(classUID, modality string) bool {
	if IsEvidence(classUID, modality) {
		return true
	}
	if uid, ok := strings.CutPrefix(classUID, storage); ok {
		switch uid {
		case "66.1", "66.2", "66.3", // spatial registration, fiducials, deformable registration
			"67", // real world value mapping
			"30": // parametric map
			return true
		}
		return false
	}
	switch modality {
	case "REG", "RWV", "FID":
		return true
	}
	return false
}
