package catalog

import (
	"fmt"
	"time"
)

// Certificate names the certificate of a purge or an erasure: JSON in the hot tier, which lists every object and instance that was deleted, and why. It stays
// as long as anything of the study.
type Certificate struct {
	Key     string    `json:"key"`
	SHA256  string    `json:"sha256"`
	Size    int64     `json:"size"`
	Class   Class     `json:"class,omitempty"` // of a purge
	At      time.Time `json:"at"`
	By      string    `json:"by"`             // who applied the plan, or ordered the erasure
	Rule    string    `json:"rule,omitempty"` // of the policy, of a purge
	Plan    string    `json:"plan,omitempty"` // digest, of a purge
	Erasure bool      `json:"erasure,omitempty"`
	Packs   int       `json:"packs"`
	Bytes   int64     `json:"bytes"` // of the objects that were deleted
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
