package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelpExamples parses every example in the help texts: commands, flags and numbers of arguments are those there are.
func TestHelpExamples(t *testing.T) {
	examples := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" {
			t.Errorf("%s has no short help", cmd.CommandPath())
		}
		for _, line := range strings.Split(cmd.Long, "\n") {
			line, _, _ = strings.Cut(line, "#")
			for _, part := range strings.FieldsFunc(line, func(r rune) bool { return r == '&' || r == '|' || r == '>' }) {
				words := strings.Fields(part)
				if len(words) == 0 || words[0] != "radtier" || !strings.HasPrefix(line, "  ") {
					continue
				}
				examples++
				root := newRoot(&program{})
				found, rest, err := root.Find(words[1:])
				if err == nil {
					err = found.ParseFlags(rest)
				}
				if err == nil {
					err = found.ValidateArgs(found.Flags().Args())
				}
				if err != nil || found == root {
					t.Errorf("help of %q has the example %q, which does not work: %v", cmd.CommandPath(), strings.TrimSpace(part), err)
				}
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&program{}))
	if examples < 30 {
		t.Errorf("%d examples found in the help texts, want at least 30", examples)
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	for _, x := range []struct {
		err  error
		want string
		code int
	}{
		{nil, "", exitDone},
		{errPartial, "", exitPartial},
		{errStopped, "", exitInterrupted},
		{usagef("bad\nflag"), "bad; flag", exitUsage},
		{&targetError{errPartial}, "", exitPartial},
	} {
		if got, code := errorLine(x.err), exitCode(t.Context(), x.err); got != x.want || code != x.code {
			t.Errorf("error %q: line %q and code %d, want %q and %d", x.err, got, code, x.want, x.code)
		}
	}
}

func TestSafeName(t *testing.T) {
	seen := map[string]string{}
	for _, uid := range []string{"1.2.3", "", ".", "..", "../../etc/passwd", "a/b", "a_b", ".hidden", "1.2\x00", strings.Repeat("9.", 400), "王"} {
		name := safeName(uid)
		if strings.ContainsAny(name, "/\\\x00") || strings.HasPrefix(name, ".") || name == "" || len(name) > 200 {
			t.Errorf("safeName(%q) = %q: not safe", uid, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("safeName gives %q for both %q and %q", name, uid, other)
		}
		seen[name] = uid
	}
	if got := safeName("1.2.3"); got != "1.2.3" {
		t.Errorf("safeName(1.2.3) = %q, want it unchanged", got)
	}
}
