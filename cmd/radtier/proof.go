package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
)

// proofResult is what an inventory proves.
type proofResult struct {
	Inventory string     `json:"inventory"` // SHA-256
	Same      int        `json:"same"`
	Differ    []proofOdd `json:"differ"`
	Unlisted  int        `json:"differ_unlisted,omitempty"`
	Unknown   int        `json:"unknown"` // studies that are not here
}

type proofOdd struct {
	Study string `json:"study"` // hash
	Note  string `json:"note"`
}

// maxOdd is how many studies that differ are listed by name.
const maxOdd = 1000

func newProof(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "proof",
		Short: "Record what proves that the primary copies exist",
		Long: `A secondary copy goes only while it is proved that the keeper of the primary copy has it. Policies say which proof is needed, and how old it may be.

  radtier proof import inventory.csv --keeper NAME --made 2026-11-20 --by NAME
  radtier proof query policy.yaml --url https://pacs.example/dicom-web --keeper NAME`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newProofImport(p), newProofQuery(p))
	return cmd
}

func newProofImport(p *program) *cobra.Command {
	var tenant, keeper, made, by string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "import INVENTORY",
		Short: "Compare an inventory with what is stored, and record the proof (level attested)",
		Long: `Reads the inventory that the keeper of the primary copies delivered, and compares it, study by study, with every instance that is stored here. A study is proved if
each of its instances is listed with the same digest. One that differs, or of which an instance is missing, is recorded as different: it is not deleted.

An inventory is CSV with a head that names the columns study_uid, sop_uid, and sha256 (of the DICOM file) or sample_sha256 (of its samples, whatever the transfer syntax) or both; or JSON
lines with the same names. Other columns are not read. The rows of a study stand together. "radtier show STUDY --instances" prints our digests.

  radtier proof import inventory.csv --keeper NAME --made 2026-11-20 --by NAME
  radtier proof import inventory.jsonl --keeper NAME --made 2026-11-20 --by NAME --tenant hospital-7`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if keeper == "" || made == "" || by == "" {
				return usagef("an inventory needs --keeper NAME (who has the primary copies), --made DAY (when it was made) and --by NAME (who answers for the import)")
			}
			zone, err := zoneOfDays()
			if err != nil {
				return err
			}
			day, err := policy.ParseDay(made)
			if err != nil {
				return usagef("--made: %w", err)
			}
			if day > policy.DayOf(time.Now(), zone) {
				return usagef("--made %s has not come yet", day)
			}
			ctx := cmd.Context()
			a, err := p.open(ctx, openExisting)
			if err != nil {
				return err
			}
			defer a.Close()
			r, err := a.importProof(ctx, args[0], tenant, by, catalog.Proof{Level: string(policy.Attested), At: day.Start(zone), Keeper: keeper})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(p.stdout, r)
			}
			for _, o := range r.Differ {
				fmt.Fprintf(p.stdout, "differs: study %s: %s\n", cut(o.Study, 8), shown(o.Note))
			}
			_, err = fmt.Fprintf(p.stdout, "%s proved, %d different, %d not here\n", plural(r.Same, "study"), len(r.Differ)+r.Unlisted, r.Unknown)
			return err
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` whose studies these are (default: whoever has them)")
	cmd.Flags().StringVar(&keeper, "keeper", "", "`NAME` of who keeps the primary copies and made the inventory")
	cmd.Flags().StringVar(&made, "made", "", "the `DAY` on which it was made: its proofs are as old")
	cmd.Flags().StringVar(&by, "by", "", "`NAME` of who answers for the import")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// importProof reads an inventory twice: for its digest, and study by study.
func (a *app) importProof(ctx context.Context, path, tenant, by string, x catalog.Proof) (*proofResult, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, err
	}
	x.SHA256 = hex.EncodeToString(sum.Sum(nil))
	read := &countingReader{r: f}
	inventory, err := lifecycle.OpenInventory(read)
	if err != nil {
		return nil, err
	}
	r := &proofResult{Inventory: x.SHA256, Differ: []proofOdd{}}
	var mu sync.Mutex
	bar := a.newProgress()
	defer bar.clear()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	for n := 1; ; n++ {
		uid, list, readErr := inventory.Study()
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil || groupCtx.Err() != nil {
			return nil, errors.Join(readErr, group.Wait(), ctx.Err())
		}
		group.Go(func() error {
			hash, same, note, err := a.proveStudy(groupCtx, tenant, uid, list, x, by)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, catalog.ErrNoStudy):
				r.Unknown++
				return nil
			case err != nil:
				return err
			case same:
				r.Same++
			case len(r.Differ) < maxOdd:
				r.Differ = append(r.Differ, proofOdd{hash, note})
			default:
				r.Unlisted++
			}
			return nil
		})
		bar.show(float64(read.n.Load())/float64(max(size, 1)), fmt.Sprintf("%d studies compared", n))
	}
	return r, group.Wait()
}

// proveStudy compares one study with what is listed of it, and records what came of that.
func (a *app) proveStudy(ctx context.Context, tenant, uid string, list []lifecycle.Attested, x catalog.Proof, by string) (hash string, same bool, note string, err error) {
	s, err := a.db.FindStudy(ctx, tenant, uid)
	if err != nil {
		return "", false, "", err
	}
	if s.UID != uid || s.Generation == 0 {
		return "", false, "", catalog.ErrNoStudy
	}
	st, err := a.openStudy(ctx, s)
	if err != nil {
		return "", false, "", err
	}
	var own []lifecycle.OwnInstance
	for _, in := range st.Instances() {
		if class := st.Manifest.Packs[in.Pack].Class; class == catalog.ClassFull || class == catalog.ClassResult {
			own = append(own, lifecycle.OwnInstance{SOPUID: in.SOPUID, FileSHA256: hexOf(in.FileSHA256), Samples: hexOf(in.SampleSHA256)})
		}
	}
	x.Same, x.Note = lifecycle.Compare(own, list)
	x.Arrivals = st.Manifest.Arrivals
	_, err = lifecycle.RecordProof(ctx, a.db, a.stores.Hot(), s.StudyKey, x, by)
	return s.Hash(), x.Same, x.Note, err
}

// countingReader tells how much was read so far.
type countingReader struct {
	r io.Reader
	n atomic.Int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}
