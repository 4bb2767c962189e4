package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// bytesText is a size for people: 12.3 MB, in powers of 1000.
func bytesText(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, u := float64(n)/1000, 0
	for f >= 999.95 && u < len(units)-1 {
		f, u = f/1000, u+1
	}
	return fmt.Sprintf("%.1f %cB", f, units[u])
}

// ratioText is how many times smaller the stored bytes are.
func ratioText(raw, stored int64) string {
	if raw <= 0 || stored <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(raw)/float64(stored))
}

func ratio(raw, stored int64) float64 {
	if stored <= 0 {
		return 0
	}
	return float64(raw) / float64(stored)
}

// rateText is megabytes (10^6 bytes) per second.
func rateText(n int64, d time.Duration) string {
	if d <= 0 || n <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(n)/1e6/d.Seconds())
}

func durationText(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.2fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// plural is "1 file" or "3 files".
func plural(n int, one string) string {
	many := one + "s"
	switch {
	case n == 1:
		return "1 " + one
	case strings.HasSuffix(one, "y"):
		many = strings.TrimSuffix(one, "y") + "ies"
	case strings.HasSuffix(one, "ss"):
		many = one + "es"
	case one == "series":
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// shown makes text that came from a file safe for a terminal: control characters and broken UTF-8 are escaped.
func shown(s string) string {
	clean := utf8.ValidString(s)
	for _, r := range s {
		clean = clean && r >= ' ' && r != 0x7f && !(r >= 0x80 && r < 0xa0)
	}
	if clean {
		return s
	}
	q := fmt.Sprintf("%q", s)
	return q[1 : len(q)-1]
}

// table lays out rows in columns; a heading that begins with ">" is right-aligned.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) error { return t.lines(w, true) }

// printRows leaves the headings out.
func (t *table) printRows(w io.Writer) error { return t.lines(w, false) }

func (t *table) lines(w io.Writer, heading bool) error {
	width := make([]int, len(t.head))
	right := make([]bool, len(t.head))
	head := make([]string, len(t.head))
	for i, h := range t.head {
		head[i], right[i] = strings.CutPrefix(h, ">")
	}
	all := append([][]string{head}, t.rows...)
	for _, row := range all {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	if !heading {
		all = all[1:]
	}
	for _, row := range all {
		var b strings.Builder
		for i, c := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if i > 0 {
				b.WriteString("  ")
			}
			if right[i] {
				b.WriteString(pad + c)
			} else {
				b.WriteString(c + pad)
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// printJSON writes one value, indented.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printLine writes one value as one line.
func printLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
