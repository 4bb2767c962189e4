package dcm

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// patientKey hides a patient id and its issuer (PS3.3 C.7.1.1) behind hashes: id, or id-issuer.
func patientKey(id, issuer string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	key := hex.EncodeToString(sum[:16])
	if issuer != "" {
		sum = sha256.Sum256([]byte(issuer))
		key += "-" + hex.EncodeToString(sum[:8])
	}
	return key
}

// SamePatient reports whether two patient keys do not contradict each other.
// Objects made after the images (reports, key object selections) often lack
// the issuer, or the patient id altogether: what is missing contradicts nothing.
func SamePatient(a, b string) bool {
	idA, issuerA, _ := strings.Cut(a, "-")
	idB, issuerB, _ := strings.Cut(b, "-")
	agree := func(x, y string) bool { return x == "" || y == "" || x == y }
	return agree(idA, idB) && agree(issuerA, issuerB)
}
