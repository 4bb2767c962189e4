package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows one line that changes on a terminal, and a plain line every few seconds elsewhere.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	columns  int
	next     time.Time
	last     int // runes of the line that is shown
}

// plainEvery is how often a line is written where nobody can redraw it.
const plainEvery = 5 * time.Second

// newProgress makes the progress line of a command. Log lines that are written meanwhile clear it first.
func (prog *program) newProgress() *progress {
	w := prog.stderr
	p := &progress{w: w, columns: 80, next: time.Now().Add(plainEvery)}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.terminal = true
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 20 {
			p.columns = width
		}
	}
	prog.bar.Store(p)
	return p
}

// logWriter is stderr for logs.
type logWriter struct{ *program }

func (l logWriter) Write(b []byte) (int, error) {
	if bar := l.bar.Load(); bar != nil {
		return bar.print(b)
	}
	return l.stderr.Write(b)
}

func (p *progress) print(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	return p.w.Write(b)
}

// show replaces the line. fraction is drawn as a bar where there is room; negative means that it is not known.
func (p *progress) show(fraction float64, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal {
		if now := time.Now(); now.After(p.next) {
			p.next = now.Add(plainEvery)
			fmt.Fprintln(p.w, text)
		}
		return
	}
	line := text
	if room := min(p.columns-len([]rune(text))-4, 30); room >= 8 && fraction >= 0 {
		full := min(max(int(fraction*float64(room)), 0), room)
		line = "[" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "] " + text
	}
	r := []rune(line)
	if len(r) > p.columns-1 {
		r = r[:p.columns-1]
	}
	fmt.Fprintf(p.w, "\r%s%s", string(r), strings.Repeat(" ", max(0, p.last-len(r))))
	p.last = len(r)
}

// clear makes room for other output.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
}

func (p *progress) wipe() {
	if p.terminal && p.last > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.last))
		p.last = 0
	}
}

// say writes a line of its own.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	fmt.Fprintf(p.w, format+"\n", args...)
}
