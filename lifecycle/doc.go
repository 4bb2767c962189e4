// Package lifecycle decides and does what happens to studies after they were
// stored: holds, what hospitals tell of their records, the facts that a policy decides on, plans,
// moves between tiers, and the sweep: removing objects that nothing names.
//
// Nothing is removed that a published manifest or one of its ancestors still
// needs, that an open job may still adopt, that a hold protects, or that is
// younger than the grace period; and never before the catalog has agreed, in
// one transaction with the study's row locked. A study whose bucket and catalog do not agree is listed and left alone.
package lifecycle
