package worker

import (
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/roi/evidence"
)

// classOf is whose clock an instance goes by: reports, evidence and other objects that are no images live as long as results.
func classOf(sopClass string) catalog.Class {
	if evidence.IsResult(sopClass, "") {
		return catalog.ClassResult
	}
	return catalog.ClassFull
}
