package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
)

// Exit codes; the help of the root command documents them.
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 2
	exitPartial     = 3
	exitInterrupted = 130
)

// process is what a run gets from its operating system, and tests give it instead.
type process struct {
	args           []string // with the program's name
	env            func(string) string
	environ        []string // all of it as NAME=value; nil if nobody wants it checked
	stdin          io.Reader
	stdout, stderr io.Writer
	hard           <-chan struct{} // closed by the second interrupt; ctx ends with the first
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, p process) int {
	root := newRoot(&program{process: p})
	root.SetArgs(p.args[1:])
	err := root.ExecuteContext(ctx)
	code := exitCode(ctx, err)
	if message := errorLine(err); message != "" {
		fmt.Fprintln(p.stderr, "radtier: "+message)
	}
	return code
}

// errPartial ends a command that did its work and has told already what is not whole.
var errPartial = errors.New("")

// errStopped ends a command that was asked to stop and has said so.
var errStopped = errors.New("")

// errFailed ends a command that has shown already what is wrong, with exit code 1.
var errFailed = errors.New("")

// usageError is a mistake on the command line; nothing was done.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func exitCode(ctx context.Context, err error) int {
	var usage usageError
	var conf *config.Error
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errPartial):
		return exitPartial
	case errors.Is(err, errStopped), ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &conf):
		return exitUsage
	}
	return exitError
}

// errorLine is an error as one line: what, where, what to do.
func errorLine(err error) string {
	if err == nil || errors.Is(err, errPartial) || errors.Is(err, errStopped) || errors.Is(err, errFailed) {
		return ""
	}
	message := strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
	var usage usageError
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &usage):
		return message
	case errors.Is(err, catalog.ErrBucketBehind), errors.Is(err, catalog.ErrNewerSchema):
		return message // says what to do
	case errors.Is(err, objstore.ErrNotFound):
		return message + "; the store has lost it, or is another one: see `radtier config show`, then `radtier verify --all`"
	case objstore.IsTransient(err):
		return message
	case errors.Is(err, os.ErrPermission):
		return message + "; run it as the user that owns the data directory"
	}
	return message
}

// newRoot builds the command tree.
func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "radtier",
		Short: "Stores imaging studies losslessly in an object store and gives them back",
		Long: `Radtier takes DICOM studies, stores them losslessly compressed in an object store,
proves every frame and every file, makes thumbnails, and gives everything back.

Try it without any setup:
  radtier demo

Or with your own files, which are only read:
  radtier ingest --wait DIR      # directories of DICOM files, whatever their names
  radtier studies
  radtier show STUDY
  radtier get STUDY -o out

STUDY is a Study Instance UID, the unique end of one, or 4 or more digits that its hash begins with.

Data lies in ./radtier-data unless --data, $RADTIER_DATA or a configuration file says otherwise;
` + "`radtier config show --origin`" + ` tells which.

Exit codes: 0 done, 1 error, 2 wrong usage or configuration (nothing was done),
3 done, but something is partial, quarantined or damaged, 130 interrupted.`,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see `%s --help`", err, cmd.CommandPath())
	})
	root.PersistentFlags().StringVar(&p.flags.config, "config", "", "configuration `FILE`")
	root.PersistentFlags().StringVar(&p.flags.data, "data", "", "data `DIR` (default ./radtier-data)")
	root.AddCommand(newBench(p), newIngest(p), newWorker(p), newStatus(p), newStudies(p), newShow(p), newGet(p), newThumb(p),
		newVerify(p), newScrub(p), newAudit(p), newRegions(p), newReview(p), newHold(p), newCustody(p), newProof(p), newClock(p), newPolicy(p), newPrices(p), newPlan(p), newRestore(p), newPrefetch(p), newReport(p), newUndelete(p), newErase(p), newCertificate(p), newAnnotate(p), newQuarantine(p), newRebuild(p), newSweep(p), newStore(p), newDoctor(p), newDemo(p), newConfig(p), newVersion(p))
	markUsage(root)
	return root
}

// markUsage makes wrong numbers of arguments usage errors.
func markUsage(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = cobra.ArbitraryArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usagef("%w; see `%s --help`", err, cmd.CommandPath())
		}
		return nil
	}
	for _, sub := range cmd.Commands() {
		markUsage(sub)
	}
}
