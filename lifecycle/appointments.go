package lifecycle

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Appointment says that a patient comes, and names one of his studies. It names no patient: Group is whatever the sender calls those that belong together.
type Appointment struct {
	StudyUID string
	Group    string // "": the study stands alone
	At       time.Time
	Priority int64 // larger ones first, at the same time
	Line     int   // in the file
}

// AppointmentsError says where a list of appointments cannot be used. Then nothing of it is.
type AppointmentsError struct {
	Line int
	What string
}

func (e *AppointmentsError) Error() string {
	return fmt.Sprintf("appointments, line %d: %s", e.Line, e.What)
}

// MaxAppointments bounds a list.
const MaxAppointments = 1_000_000

// appointmentColumns are the columns of a list.
var appointmentColumns = []string{"study_uid", "at", "group", "priority"}

// ReadAppointments reads a list: CSV with a head that names the columns study_uid and at (RFC 3339), and may name group and priority; or JSON lines with the same
// names. Other columns are not read. A line that cannot be read refuses the whole list: an *AppointmentsError.
func ReadAppointments(r io.Reader) ([]Appointment, error) {
	b := bufio.NewReader(r)
	if first, _ := b.Peek(3); string(first) == "\ufeff" { // as spreadsheets write
		_, _ = b.Discard(3)
	}
	first, err := b.Peek(1)
	if err != nil {
		return nil, &AppointmentsError{1, "the list is empty"}
	}
	if first[0] == '{' {
		return jsonAppointments(b)
	}
	return csvAppointments(b)
}

func csvAppointments(r io.Reader) (list []Appointment, err error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	head, err := c.Read()
	if err != nil {
		return nil, &AppointmentsError{1, err.Error()}
	}
	at := map[string]int{}
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := at[name]; twice && slices.Contains(appointmentColumns, name) {
			return nil, &AppointmentsError{1, fmt.Sprintf("column %s is there twice", name)}
		}
		at[name] = i
	}
	for _, name := range appointmentColumns[:2] {
		if _, ok := at[name]; !ok {
			return nil, &AppointmentsError{1, fmt.Sprintf("the head names no column %s: there must be study_uid and at, and may be group and priority", name)}
		}
	}
	for {
		row, err := c.Read()
		line, _ := c.FieldPos(0)
		switch {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			var parse *csv.ParseError
			if errors.As(err, &parse) {
				return nil, &AppointmentsError{parse.Line, parse.Err.Error()}
			}
			return nil, err
		}
		value := map[string]string{}
		for _, name := range appointmentColumns {
			if i, ok := at[name]; ok {
				value[name] = row[i]
			}
		}
		if list, err = addAppointment(list, line, value); err != nil {
			return nil, err
		}
	}
}

func jsonAppointments(r *bufio.Reader) (list []Appointment, err error) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 64<<10)
	for line := 1; s.Scan(); line++ {
		if strings.TrimSpace(s.Text()) == "" {
			continue
		}
		var row struct {
			StudyUID string      `json:"study_uid"`
			At       string      `json:"at"`
			Group    string      `json:"group"`
			Priority json.Number `json:"priority"`
		}
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			return nil, &AppointmentsError{line, "it is no JSON object with texts study_uid, at and group, and a number priority"}
		}
		if list, err = addAppointment(list, line, map[string]string{"study_uid": row.StudyUID, "at": row.At, "group": row.Group, "priority": row.Priority.String()}); err != nil {
			return nil, err
		}
	}
	return list, s.Err()
}

func addAppointment(list []Appointment, line int, value map[string]string) ([]Appointment, error) {
	fail := func(format string, args ...any) ([]Appointment, error) {
		return nil, &AppointmentsError{line, fmt.Sprintf(format, args...)}
	}
	if len(list) >= MaxAppointments {
		return fail("there are more than %d", MaxAppointments)
	}
	a := Appointment{StudyUID: strings.TrimSpace(value["study_uid"]), Group: value["group"], Line: line}
	if a.StudyUID == "" || len(a.StudyUID) > 64 || strings.Trim(a.StudyUID, "0123456789.") != "" {
		return fail("study_uid must be digits and dots, 1 to 64 of them")
	}
	if len(a.Group) > 256 {
		return fail("group is longer than 256 bytes")
	}
	var err error
	if a.At, err = time.Parse(time.RFC3339, strings.TrimSpace(value["at"])); err != nil {
		return fail("at must be a time such as 2026-12-01T08:00:00+08:00")
	}
	a.At = a.At.UTC().Truncate(time.Second)
	if p := strings.TrimSpace(value["priority"]); p != "" {
		if a.Priority, err = strconv.ParseInt(p, 10, 32); err != nil {
			return fail("priority must be a whole number")
		}
	}
	return append(list, a), nil
}
