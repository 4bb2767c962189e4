package dicomweb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Instance is an instance as the server lists it.
type Instance struct {
	SeriesUID, SOPUID     string
	Frames, Rows, Columns int // 0: it does not say
}

// MaxInstances is how many instances of one study are listed at most.
const MaxInstances = 200_000

const acceptJSON = "application/dicom+json"

// Instances lists the instances of a study, each once; nil if the server does not have the study. atLeast is how many are expected: servers may give fewer at
// a time than they are asked for, so that a short page is the last one only if there are as many.
func (c *Client) Instances(ctx context.Context, study string, atLeast int) ([]Instance, error) {
	path, err := pathOf(study)
	if err != nil {
		return nil, err
	}
	what := "instances of study " + named(study)
	var list []Instance
	seen := map[string]bool{}
	for offset := 0; ; {
		q := url.Values{"limit": {strconv.Itoa(c.o.Page)}, "offset": {strconv.Itoa(offset)}, "includefield": {"00280008", "00280010", "00280011"}}
		page, more, err := c.page(ctx, what, path+"/instances?"+q.Encode(), study)
		var status *StatusError
		if errors.As(err, &status) && (status.Code == http.StatusNotFound || status.Code == http.StatusGone) {
			if offset > 0 {
				return nil, &MalformedError{what, "the study was there, and is not any more"}
			}
			return nil, c.confirmMissing(ctx, study)
		}
		if err != nil {
			return nil, err
		}
		before := len(list)
		for _, r := range page {
			in := Instance{SeriesUID: r.Series.text(), SOPUID: r.SOP.text(), Frames: r.Frames.number(), Rows: r.Rows.number(), Columns: r.Columns.number()}
			if in.SOPUID == "" {
				return nil, &MalformedError{what, "an instance has no SOP Instance UID"}
			}
			if !seen[in.SOPUID] {
				seen[in.SOPUID] = true
				list = append(list, in)
			}
		}
		if len(list) > MaxInstances {
			return nil, &MalformedError{what, fmt.Sprintf("there are more than %d", MaxInstances)}
		}
		if len(list) == before || len(page) < c.o.Page && !more && len(list) >= atLeast {
			return list, nil
		}
		offset += len(page)
	}
}

// confirmMissing asks another way for a study whose address is not there: so is the address of a service that is somewhere else.
func (c *Client) confirmMissing(ctx context.Context, study string) error {
	what := "search for study " + named(study)
	page, _, err := c.page(ctx, what, "/studies?"+url.Values{"StudyInstanceUID": {study}, "limit": {"1"}}.Encode(), "")
	if err != nil {
		return err
	}
	for _, r := range page {
		if r.Study.text() == study {
			return &MalformedError{what, "it is listed, and its instances are not there (status 404)"}
		}
	}
	return nil
}

// record is what is read of an object of DICOM JSON (PS3.18 annex F).
type record struct {
	Study       attribute `json:"0020000D"`
	Series      attribute `json:"0020000E"`
	SOP         attribute `json:"00080018"`
	Samples     attribute `json:"00280002"`
	Photometric attribute `json:"00280004"`
	Planar      attribute `json:"00280006"`
	Frames      attribute `json:"00280008"`
	Rows        attribute `json:"00280010"`
	Columns     attribute `json:"00280011"`
	Allocated   attribute `json:"00280100"`
	Stored      attribute `json:"00280101"`
	High        attribute `json:"00280102"`
	Signed      attribute `json:"00280103"`
}

type attribute struct {
	Value []json.RawMessage `json:"Value"`
}

// text is the first value, "" if there is none. Numbers may be written as such or as strings.
func (a attribute) text() string {
	if len(a.Value) == 0 {
		return ""
	}
	var s string
	if json.Unmarshal(a.Value[0], &s) != nil {
		s = string(a.Value[0])
	}
	return strings.TrimRight(strings.TrimSpace(s), "\x00")
}

// number is the first value, 0 if there is none.
func (a attribute) number() int {
	n, err := strconv.ParseInt(a.text(), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int(n)
}

// page reads one answer of DICOM JSON. more: the server says that there is more. Objects of another study than the one that was asked for, if study is not
// "", are an error.
func (c *Client) page(ctx context.Context, what, path, study string) (list []record, more bool, err error) {
	err = c.get(ctx, request{what, path, acceptJSON, c.o.MaxList}, func(a *answer) (err error) {
		list, more = nil, strings.HasPrefix(strings.TrimSpace(a.Header.Get("Warning")), "299")
		if a.StatusCode == http.StatusNoContent {
			return nil
		}
		if list, err = readRecords(a); err != nil {
			return &MalformedError{what, err.Error()}
		}
		return nil
	})
	for _, r := range list {
		if uid := r.Study.text(); err == nil && study != "" && uid != "" && uid != study {
			return nil, false, &MalformedError{what, "it is about another study"}
		}
	}
	return list, more, err
}

var errNotJSON = errors.New("it is no DICOM JSON")

// readRecords reads an array of objects. Errors do not repeat what was read.
func readRecords(a *answer) (list []record, err error) {
	d := json.NewDecoder(a)
	t, err := d.Token()
	if errors.Is(err, io.EOF) && strings.Contains(a.Header.Get("Content-Type"), "json") {
		return nil, nil // nothing was found
	}
	if err != nil || t != json.Delim('[') {
		return nil, errNotJSON
	}
	for d.More() {
		var r record
		if err := d.Decode(&r); err != nil {
			return nil, errNotJSON
		}
		if list = append(list, r); len(list) > MaxInstances {
			return nil, fmt.Errorf("it lists more than %d", MaxInstances)
		}
	}
	if t, err = d.Token(); err != nil || t != json.Delim(']') {
		return nil, errNotJSON
	}
	return list, nil
}

// pathOf is the path of a study, series or instance, given their UIDs. UIDs are those that were received, whatever they contain.
func pathOf(uids ...string) (string, error) {
	var b strings.Builder
	for i, uid := range uids {
		if uid == "" || uid == "." || uid == ".." {
			return "", &MalformedError{"a UID", "it is empty or a dot, and has no address"}
		}
		b.WriteString([]string{"/studies/", "/series/", "/instances/"}[i] + url.PathEscape(uid))
	}
	return b.String(), nil
}

// named is a UID as errors say it: what cannot be one is quoted, and cut.
func named(uid string) string {
	if len(uid) > 64 || strings.Trim(uid, "0123456789.") != "" {
		return fmt.Sprintf("%.64q", uid)
	}
	return uid
}
