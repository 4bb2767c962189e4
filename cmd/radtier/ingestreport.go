package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/worker"
)

// quietLevel is what interactive commands log at while log.level is not set.
const quietLevel = slog.LevelWarn

// ingestResult is what `ingest --json` prints.
type ingestResult struct {
	Files       int           `json:"files"`
	Skipped     int           `json:"skipped"`
	Quarantined int           `json:"quarantined"` // files that could not be queued
	Studies     []studyResult `json:"studies"`
	Seconds     float64       `json:"seconds,omitempty"`
}

type studyResult struct {
	Tenant      string  `json:"tenant"`
	StudyUID    string  `json:"study_uid"`
	Study       string  `json:"study"` // hash
	Job         string  `json:"job"`
	Status      string  `json:"status"` // queued, stored, partial, failed
	Error       string  `json:"error,omitempty"`
	Files       int     `json:"files"` // of this batch
	Bytes       int64   `json:"bytes"`
	Instances   int     `json:"instances,omitempty"` // of the study
	RawBytes    int64   `json:"raw_bytes,omitempty"`
	StoredBytes int64   `json:"stored_bytes,omitempty"`
	Ratio       float64 `json:"ratio,omitempty"`
	Quarantined int     `json:"quarantined,omitempty"`
	Seconds     float64 `json:"seconds,omitempty"`
}

func (w *awaited) result() studyResult {
	r := studyResult{Tenant: w.Tenant, StudyUID: w.UID, Study: w.Hash(), Job: w.job, Status: "queued", Files: w.files, Bytes: w.bytes}
	switch {
	case w.failed != "":
		r.Status, r.Error = "failed", w.failed
	case w.stored.Generation > 0:
		s := w.stored
		r.Status, r.Instances, r.RawBytes, r.StoredBytes = string(s.Status), s.Instances, s.RawBytes, s.StoredBytes
		r.Ratio, r.Quarantined, r.Seconds = ratio(s.RawBytes, s.StoredBytes), s.Quarantined, w.seconds().Seconds()
	}
	return r
}

// report prints what became of the studies. It returns errPartial if something is not whole.
func (w *waiter) report(found *worker.Found, f ingestFlags) error {
	res := ingestResult{Files: found.Files, Skipped: found.Skipped, Quarantined: len(found.Broken), Studies: []studyResult{}}
	if f.wait {
		res.Seconds = time.Since(w.start).Seconds()
	}
	whole := len(found.Broken) == 0
	for _, s := range w.list {
		r := s.result()
		res.Studies = append(res.Studies, r)
		whole = whole && (r.Status == "queued" || r.Status == string(catalog.StatusStored))
	}
	var err error
	if f.json {
		err = printJSON(w.stdout, res)
	} else {
		err = w.printIngest(res, f.wait)
	}
	if err != nil || whole {
		return err
	}
	return errPartial
}

// manyStudies is how many lines a table may have before only those that need attention are listed.
const manyStudies = 40

func (w *waiter) printIngest(res ingestResult, waited bool) error {
	out := w.stdout
	var raw, stored, bytes int64
	instances, files := 0, 0
	t := table{head: []string{"study", "status", ">instances", ">received", ">stored", ">ratio", ">time", ">MB/s"}}
	for _, s := range res.Studies {
		raw, stored, bytes = raw+s.RawBytes, stored+s.StoredBytes, bytes+s.Bytes
		instances, files = instances+s.Instances, files+s.Files
		if !waited || len(res.Studies) > manyStudies && s.Status == string(catalog.StatusStored) {
			continue
		}
		spent := time.Duration(s.Seconds * float64(time.Second))
		t.add(s.Study[:8], s.Status, fmt.Sprint(s.Instances), bytesText(s.RawBytes), bytesText(s.StoredBytes), ratioText(s.RawBytes, s.StoredBytes), durationText(spent), rateText(s.Bytes, spent))
	}
	if len(t.rows) > 0 {
		if err := t.print(out); err != nil {
			return err
		}
	}
	for _, s := range res.Studies {
		if s.Error != "" {
			fmt.Fprintf(out, "study %s is set aside: %s; `radtier quarantine retry --all` tries it again\n", s.Study[:8], s.Error)
		}
	}
	if res.Quarantined > 0 {
		fmt.Fprintf(out, "%s cannot be read and %s quarantined: `radtier quarantine list`\n", plural(res.Quarantined, "file"), isAre(res.Quarantined))
	}
	if res.Skipped > 0 {
		fmt.Fprintf(out, "%s skipped: no DICOM instances\n", plural(res.Skipped, "file"))
	}
	switch {
	case len(res.Studies) == 0:
		fmt.Fprintf(out, "no studies found in %s\n", plural(res.Files, "file"))
	case !waited:
		fmt.Fprintf(out, "%s queued: %s, %s\nnext: `radtier worker --once` stores them, `radtier status` shows the backlog\n",
			plural(len(res.Studies), "study"), plural(files, "file"), bytesText(bytes))
	default:
		spent := time.Duration(res.Seconds * float64(time.Second))
		fmt.Fprintf(out, "%s, %s: %s received, %s stored, ratio %s, %s, %s MB/s\n", plural(len(res.Studies), "study"), plural(instances, "instance"),
			bytesText(raw), bytesText(stored), ratioText(raw, stored), durationText(spent), rateText(bytes, spent))
	}
	return nil
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
