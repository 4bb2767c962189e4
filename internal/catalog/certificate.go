package catalog

import (
	"fmt"
	"time"
)

// Certificate names the certificate of a purge: JSON in the hot tier, which lists every object and instance that was deleted, and why. It stays
// as long as anything of the study.
type Certificate struct {
	Key    string    `json:"key"`
	SHA256 string    `json:"sha256"`
	Size   int64     `json:"size"`
	Class  Class     `json:"class"`
	At     time.Time `json:"at"`
	By     string    `json:"by"`   // who applied the plan
	Rule   string    `json:"rule"` // of the policy
	Plan   string    `json:"plan"` // digest
	Packs  int       `json:"packs"`
	Bytes  int64     `json:"bytes"` // of the objects that were deleted
}

// maxCertificates bounds the list: a class can be purged again when it was sent again.
const maxCertificates = 1000

// Purged returns the last certificate of a class, nil if nothing of it was ever purged.
func (m *Manifest) Purged(c Class) (last *Certificate) {
	for i := range m.Certificates {
		if m.Certificates[i].Class == c {
			last = &m.Certificates[i]
		}
	}
	return last
}

// CertificateKey is the key of the certificate of an attempt.
func CertificateKey(k StudyKey, job string, attempt int) string {
	return fmt.Sprintf("%sc/%s.%d.json", k.Prefix(), job, attempt)
}
