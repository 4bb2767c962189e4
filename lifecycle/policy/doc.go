// Package policy says what becomes of the parts of a study, and when: a policy file, the facts of a study, and [Decide], which is a
// pure function of both and of the time. It reads no clock, no store and no catalog.
//
// A policy has rules. Each names the studies and classes it is for, how long they are kept, and on which tiers. What precedes what is fixed:
// holds, the legal floor, the longest retention of all rules that match, priority. Priority only decides which rule's
// tiers count. Two rules that can match the same study with the same priority, a rule that matches everything by having no condition, and a class that
// some study could have without any rule are errors when the file is loaded: nothing is ever deleted because a condition was forgotten.
//
// All days are calendar days in the policy's zone. A period is added as a calendar does it: P1M from 31 January is the last day of February.
// What is kept for a period is kept through the last day of it; it is due at the first moment of the next day.
package policy
