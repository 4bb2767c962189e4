package worker

import (
	"encoding/hex"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/pack"
)

// stillQuarantined drops the files that a volume has now: they were tried again and could be stored.
func (d *derivation) stillQuarantined(list []catalog.Quarantined, res *result) []catalog.Quarantined {
	if len(list) == 0 {
		return nil
	}
	stored := map[string]bool{}
	note := func(x *pack.Index) {
		for i := range x.Instances {
			stored[hex.EncodeToString(x.Instances[i].FileSHA256[:])] = true
		}
	}
	for _, v := range d.received() {
		note(v.Index)
	}
	for _, v := range res.volumes {
		note(v.index)
	}
	var left []catalog.Quarantined
	for _, q := range list {
		if !stored[q.SHA256] {
			left = append(left, q)
		}
	}
	return left
}
