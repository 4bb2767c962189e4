package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/cmd/radtier/config"
	"github.com/radtier/radtier/internal/objstore/s3"
)

// storeReport is what was seen of one tier.
type storeReport struct {
	Tier      string            `json:"tier"`
	Kind      string            `json:"kind"`
	Where     string            `json:"where"`
	Usable    bool              `json:"usable"`
	Directory *directoryProfile `json:"directory,omitempty"`
	Bucket    *bucketProfile    `json:"bucket,omitempty"`
	Findings  []finding         `json:"findings"`
}

type finding struct {
	Level string `json:"level"` // ok, note, warn, refuse
	What  string `json:"what"`
	Do    string `json:"do,omitempty"`
}

// probeTime bounds the probe of one store.
const probeTime = 2 * time.Minute

func newStore(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "store", Short: "Look at the object stores", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newStoreCheck(p))
	return cmd
}

func newStoreCheck(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [TIER]",
		Short: "Probe the stores: what they really do, and whether they are safe to use",
		Long: `Tries on each tier (or the one that is named) what radtier relies on: puts, puts that must not
overwrite, parts, checksums, storage classes, copies; and reads the rules that the bucket has. Of a directory
it looks at the file system. What it writes lies under radtier-probe/ and is removed again.

A bucket that is refused here is refused by every other command: each finding says what to do.

  radtier store check
  radtier store check cold
  radtier store check --json

Exit codes: 0 all can be used, 1 one is refused or cannot be reached.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			list := cfg.Tiers
			if len(args) == 1 {
				i := slices.IndexFunc(list, func(t config.Tier) bool { return t.Name == args[0] })
				if i < 0 {
					return usagef("there is no tier %q: the configuration has %s", args[0], tierNames(cfg))
				}
				list = list[i : i+1]
			}
			reports, err := checkStores(cmd.Context(), list)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(p.stdout, reports)
			} else {
				err = p.printStores(reports)
			}
			for _, r := range reports {
				if err == nil && !r.Usable {
					err = errFailed
				}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func tierNames(cfg *config.Config) string {
	var names []string
	for _, t := range cfg.Tiers {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

// checkStores probes tiers side by side. The error is that of a context that ended.
func checkStores(ctx context.Context, list []config.Tier) ([]storeReport, error) {
	reports := make([]storeReport, len(list))
	g, ctx := errgroup.WithContext(ctx)
	for i, t := range list {
		g.Go(func() error {
			reports[i] = checkStore(ctx, t)
			return ctx.Err()
		})
	}
	return reports, g.Wait()
}

func checkStore(ctx context.Context, t config.Tier) storeReport {
	r := storeReport{Tier: t.Name, Kind: t.Kind, Where: t.Where()}
	var found []s3.Finding
	if t.Kind == "s3" {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		o := s3Options(t)
		o.Create = false
		p, err := s3.Check(ctx, o)
		if err != nil {
			p.Findings = append(p.Findings, s3.Finding{Level: s3.LevelRefuse, What: err.Error(), Do: "check endpoint, network and server, then try again"})
		}
		r.Bucket, found = &bucketProfile{profile: p}, p.Findings
	} else {
		d, list := checkDirectory(t.Path)
		r.Directory, found = &d, list
	}
	r.Usable = true
	r.Findings = []finding{}
	for _, f := range found {
		r.Findings = append(r.Findings, finding{f.Level, f.What, f.Do})
		r.Usable = r.Usable && f.Level != s3.LevelRefuse
	}
	return r
}

func (p *program) printStores(reports []storeReport) error {
	for i, r := range reports {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		fmt.Fprintf(p.stdout, "tier %s: %s\n", r.Tier, r.Where)
		t := table{head: []string{"", ""}}
		if r.Bucket != nil && r.Bucket.profile.Multipart {
			for _, row := range r.Bucket.rows() {
				t.add("  "+row[0], row[1])
			}
		} else if d := r.Directory; d != nil && d.Kind != "" {
			t.add("  file system", d.Kind)
			t.add("  free", fmt.Sprintf("%s of %s", bytesText(d.Free), bytesText(d.Total)))
			t.add("  writable", yes(d.Writable))
			t.add("  nameless files", yes(d.Nameless))
		}
		if err := t.printRows(p.stdout); err != nil {
			return err
		}
		for _, f := range r.Findings {
			fmt.Fprintf(p.stdout, "  %s: %s\n", f.Level, shown(f.What))
			if f.Do != "" {
				fmt.Fprintf(p.stdout, "      do: %s\n", shown(f.Do))
			}
		}
		verdict := "can be used"
		if !r.Usable {
			verdict = "is refused"
		}
		fmt.Fprintf(p.stdout, "  => tier %s %s\n", r.Tier, verdict)
	}
	return nil
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// bucketProfile is what was seen of a bucket. Its JSON has the rows of its table.
type bucketProfile struct{ profile s3.Profile }

// MarshalJSON writes the rows as an object: "create-only put" is create_only_put.
func (b bucketProfile) MarshalJSON() ([]byte, error) {
	m := map[string]string{}
	for _, row := range b.rows() {
		m[strings.ToLower(strings.NewReplacer(" ", "_", "-", "_").Replace(row[0]))] = row[1]
	}
	return json.Marshal(m)
}

// rows is the profile as a table.
func (b bucketProfile) rows() [][2]string {
	p := b.profile
	var classes []string
	for _, c := range p.Classes {
		text := string(c.Name)
		if c.Archive {
			text += " (archive)"
		}
		if !c.Works {
			text += " DOES NOT WORK"
		}
		classes = append(classes, text)
	}
	var rules []string
	for _, r := range p.Lifecycle {
		rules = append(rules, fmt.Sprintf("%s: %s after %d days under %q", r.ID, r.Action, r.Days, r.Prefix))
	}
	etag := "of one request " + map[bool]string{true: "MD5", false: "opaque"}[p.ETagIsMD5] + ", of parts " + map[bool]string{true: "MD5 of MD5s", false: "opaque"}[p.CompositeETag]
	return [][2]string{
		{"server", or(shown(p.Server), "does not say")},
		{"region", or(p.Region, "-")},
		{"addressing", p.Addressing},
		{"checksums in use", p.Checksums},
		{"refuses a wrong CRC", yes(p.VerifiedCRC)},
		{"checksum of the whole", yes(p.WholeObjectChecksum)},
		{"ETag", etag},
		{"create-only put", yes(p.CreateOnlyPut)},
		{"create-only in parts", yes(p.CreateOnlyMultipart)},
		{"create-only copy", yes(p.CreateOnlyCopy)},
		{"get if unchanged", yes(p.IfMatchGet)},
		{"classes", or(strings.Join(classes, ", "), "-")},
		{"shows classes", yes(p.SelfDescribingClasses)},
		{"copy", yes(p.Copy) + ", to another class " + yes(p.CopyToClass)},
		{"restore", yes(p.Restore)},
		{"lifecycle rules", or(strings.Join(rules, "; "), "none")},
		{"versioning", p.Versioning},
		{"object lock", p.ObjectLock},
		{"probed", fmt.Sprintf("%d requests", p.Requests)},
	}
}
