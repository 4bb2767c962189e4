package lifecycle

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// ActionProof is the action of generations that record what the keeper of the primary copy showed.
const ActionProof = "proof"

// Attested is an instance as the keeper of the primary copy lists it in an inventory: with the SHA-256 of its file, or of its samples, or both.
type Attested struct {
	SOPUID              string
	FileSHA256, Samples string // hex, "" not said
}

// OwnInstance is a stored instance, to be compared with an inventory. Several of one UID are versions.
type OwnInstance struct {
	SOPUID              string
	FileSHA256, Samples string // hex, "" there are none
}

// InventoryError says where an inventory cannot be used. Nothing after that row was looked at.
type InventoryError struct {
	Row  int // from 1, the head of a CSV file included
	What string
}

func (e *InventoryError) Error() string { return fmt.Sprintf("inventory, row %d: %s", e.Row, e.What) }

// maxInventoryRow bounds a row, maxStudyRows the rows of one study.
const (
	maxInventoryRow = 64 << 10
	maxStudyRows    = 200_000
)

type inventoryRow struct {
	Study   string `json:"study_uid"`
	SOP     string `json:"sop_uid"`
	File    string `json:"sha256"`
	Samples string `json:"sample_sha256"`
}

// Inventory reads an inventory study by study: CSV with a head that names the columns study_uid, sop_uid, and sha256 (of the file) or sample_sha256 or both, or JSON
// lines with the same names. Other columns are not read. The rows of a study must stand together.
type Inventory struct {
	next func() (inventoryRow, error)
	row  int
	held *inventoryRow
	seen map[[16]byte]bool // studies that were read, by digest
}

// OpenInventory begins to read. What is wrong with an inventory is an *InventoryError.
func OpenInventory(r io.Reader) (*Inventory, error) {
	b := bufio.NewReaderSize(r, maxInventoryRow)
	first, err := b.Peek(4)
	if err != nil && len(first) == 0 {
		return nil, &InventoryError{1, "it is empty"}
	}
	if string(first[:min(3, len(first))]) == "\ufeff" { // as spreadsheets write
		_, _ = b.Discard(3)
		first, _ = b.Peek(1)
	}
	v := &Inventory{seen: map[[16]byte]bool{}}
	if len(first) > 0 && first[0] == '{' {
		v.next = v.jsonRows(b)
		return v, nil
	}
	v.next, err = v.csvRows(b)
	return v, err
}

func (v *Inventory) jsonRows(b *bufio.Reader) func() (inventoryRow, error) {
	return func() (row inventoryRow, err error) {
		for {
			line, err := b.ReadSlice('\n')
			if errors.Is(err, bufio.ErrBufferFull) {
				return row, fmt.Errorf("it is longer than %d bytes", maxInventoryRow)
			}
			if len(line) == 0 {
				return row, err
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return row, err
			}
			if strings.TrimSpace(string(line)) == "" {
				v.row++
				continue
			}
			if err := json.Unmarshal(line, &row); err != nil {
				return row, errors.New("it is no JSON object")
			}
			return row, nil
		}
	}
}

func (v *Inventory) csvRows(b *bufio.Reader) (func() (inventoryRow, error), error) {
	c := csv.NewReader(b)
	c.ReuseRecord = true
	head, err := c.Read()
	if err != nil {
		return nil, &InventoryError{1, "it is no CSV and no JSON"}
	}
	v.row = 1
	at := map[string]int{"study_uid": -1, "sop_uid": -1, "sha256": -1, "sample_sha256": -1}
	for i, name := range head {
		if _, known := at[strings.ToLower(strings.TrimSpace(name))]; known {
			at[strings.ToLower(strings.TrimSpace(name))] = i
		}
	}
	if at["study_uid"] < 0 || at["sop_uid"] < 0 || at["sha256"] < 0 && at["sample_sha256"] < 0 {
		return nil, &InventoryError{1, "the head must name study_uid, sop_uid, and sha256 or sample_sha256"}
	}
	return func() (row inventoryRow, err error) {
		rec, err := c.Read()
		if err != nil {
			var parse *csv.ParseError
			if errors.As(err, &parse) {
				err = errors.New("it is no CSV with as many columns as the head") // what it holds may be about a patient
			}
			return row, err
		}
		get := func(name string) string {
			if i := at[name]; i >= 0 {
				return strings.TrimSpace(rec[i])
			}
			return ""
		}
		return inventoryRow{get("study_uid"), get("sop_uid"), get("sha256"), get("sample_sha256")}, nil
	}, nil
}

// Study returns the next study of the inventory with its instances; io.EOF after the last.
func (v *Inventory) Study() (uid string, list []Attested, err error) {
	for {
		row, err := v.take()
		if errors.Is(err, io.EOF) {
			if uid == "" {
				return "", nil, io.EOF
			}
			return uid, list, nil
		}
		if err != nil {
			return "", nil, err
		}
		if uid == "" {
			uid = row.Study
			sum := sha256.Sum256([]byte(uid))
			if v.seen[[16]byte(sum[:16])] {
				return "", nil, &InventoryError{v.row, "its study stood further up already: the rows of a study must stand together"}
			}
			v.seen[[16]byte(sum[:16])] = true
		}
		if row.Study != uid {
			v.held = &row
			return uid, list, nil
		}
		if list = append(list, Attested{row.SOP, row.File, row.Samples}); len(list) > maxStudyRows {
			return "", nil, &InventoryError{v.row, fmt.Sprintf("its study has more than %d rows", maxStudyRows)}
		}
	}
}

// take is the next row, checked.
func (v *Inventory) take() (inventoryRow, error) {
	if v.held != nil {
		row := *v.held
		v.held = nil
		return row, nil
	}
	v.row++
	row, err := v.next()
	if errors.Is(err, io.EOF) {
		return row, err
	}
	if err != nil {
		return row, &InventoryError{v.row, err.Error()}
	}
	row.File, row.Samples = strings.ToLower(row.File), strings.ToLower(row.Samples)
	switch {
	case row.Study == "" || row.SOP == "" || len(row.Study) > catalog.MaxUID || len(row.SOP) > catalog.MaxUID:
		return row, &InventoryError{v.row, "study_uid or sop_uid is missing or too long"}
	case row.File == "" && row.Samples == "":
		return row, &InventoryError{v.row, "it has no digest: an inventory without them proves nothing"}
	case !isSum(row.File) || !isSum(row.Samples):
		return row, &InventoryError{v.row, "a digest is not the 64 hex digits of a SHA-256"}
	}
	return row, nil
}

func isSum(s string) bool {
	if s == "" {
		return true
	}
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size
}

// Compare says whether the keeper has all that we have: of each of our instances one that is the same, by its file's digest or by that of its samples. A note says
// what differs. Versions of an instance with the same samples are one, of which any will do: headers are corrected; those with other samples, and those whose samples
// are not known, must all be there.
func Compare(own []OwnInstance, listed []Attested) (same bool, note string) {
	theirs := map[string][]Attested{}
	for _, a := range listed {
		theirs[a.SOPUID] = append(theirs[a.SOPUID], a)
	}
	type version struct{ sop, content string }
	found := map[version]bool{}
	for _, o := range own {
		id := version{o.SOPUID, cmp.Or(o.Samples, o.FileSHA256)}
		found[id] = found[id] || slices.ContainsFunc(theirs[o.SOPUID], o.is)
	}
	missing, other := 0, 0
	for id, ok := range found {
		switch {
		case ok:
		case len(theirs[id.sop]) == 0:
			missing++
		default:
			other++
		}
	}
	switch {
	case len(own) == 0:
		return false, "there is nothing to compare: no instance is stored"
	case missing+other > 0:
		return false, fmt.Sprintf("of %d instances %d are not listed and %d have other digests", len(found), missing, other)
	}
	return true, ""
}

// is reports whether an instance is the one that is listed: every digest that both sides have must agree, and there must be one.
func (o OwnInstance) is(a Attested) bool {
	file, samples := a.FileSHA256 != "" && o.FileSHA256 != "", a.Samples != "" && o.Samples != ""
	switch {
	case file && a.FileSHA256 == o.FileSHA256: // the very file
		return true
	case samples:
		return a.Samples == o.Samples
	}
	return false
}

// RecordProof records what the keeper of a study's primary copy showed. An older proof than is known, or the same again, changes nothing.
func RecordProof(ctx context.Context, db *catalog.DB, store objstore.Store, k catalog.StudyKey, x catalog.Proof, by string) (*catalog.Manifest, error) {
	x.At = x.At.UTC().Truncate(time.Millisecond)
	note := fmt.Sprintf("%s by %s: the same", x.Level, x.Keeper)
	switch {
	case !x.Same:
		note = fmt.Sprintf("%s by %s: %s", x.Level, x.Keeper, x.Note)
	case x.Note != "":
		note += ", " + x.Note
	}
	return catalog.CommitAside(ctx, db, store, catalog.Aside{Key: k, Action: ActionProof, By: by, Note: note, Change: func(m *catalog.Manifest) error {
		c := catalog.Custody{}
		if m.Custody != nil {
			c = *m.Custody
		}
		if c.Proof != nil && (*c.Proof == x || c.Proof.At.After(x.At)) {
			return catalog.ErrNothingToDo
		}
		c.Proof = &x
		if err := c.Check(); err != nil {
			return err
		}
		m.Custody = &c
		return nil
	}})
}
