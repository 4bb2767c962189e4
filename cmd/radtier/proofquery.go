package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/dicomweb"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/policy"
	"github.com/radtier/radtier/worker/keeper"
)

// queryResult is what an archive proves.
type queryResult struct {
	Level    policy.ProofLevel `json:"level"`
	Seed     string            `json:"seed,omitempty"` // in hex, of what was sampled
	Same     int               `json:"same"`
	Differ   []proofOdd        `json:"differ"`
	Failed   []proofOdd        `json:"failed"`             // nothing is known of these, and nothing was recorded
	Unlisted int               `json:"unlisted,omitempty"` // that differ or failed, beyond those listed
	Stopped  bool              `json:"stopped,omitempty"`  // before all were asked for

	keeper       keeper.Keeper
	question     keeper.Question
	policy       *policy.Policy
	name, by     string
	mu           sync.Mutex // guards all above and below
	failures     int        // in all
	inRow, asked int        // studies that the archive had no answer for, one after the other; all that were begun
}

// giveUpAfter is after how many studies in a row without an answer a run ends: the archive is not there.
const giveUpAfter = 3

// queryFlags are the flags as they were given.
type queryFlags struct {
	dicomweb.Options
	ca, tokenEnv, level, sample, seed, tenant, keeper, by string
	within, limit                                         int
	json                                                  bool
}

func newProofQuery(p *program) *cobra.Command {
	var f queryFlags
	cmd := &cobra.Command{
		Use:   "query POLICY [STUDY...]",
		Short: "Ask the archive of the keeper, and record the proof (level listed or sampled)",
		Long: `Asks the archive that has the primary copies over DICOMweb, study by study, and records what it shows: the studies that are named, or all secondary copies for whose
deletion, now or within a week, nothing but a proof lacks.

listed: the archive lists each instance that is stored here, in the same size (QIDO-RS). sampled: besides, a few instances of each study are pulled, and their samples
are those that are stored here (WADO-RS). Which ones is chosen by a seed, which the record states. An instance that is missing, a sample that differs, a study that
is not there are recorded as different, and nothing of that study is deleted. What the archive has more is fine.

An archive that cannot be reached proves nothing: nothing is recorded of the studies that it was asked for, and the exit code is 3, or 1 if it was given up.

  radtier proof query policy.yaml --url https://pacs.example/dicom-web --keeper NAME
  radtier proof query policy.yaml STUDY --url https://pacs.example/dicom-web --keeper NAME --level sampled --sample 5%
  radtier proof query policy.yaml --url https://pacs.example/dicom-web --keeper NAME --ca hospital.pem --token-env PACS_TOKEN --within 14 --limit 1000`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := p.newQuery(args[0], &f)
			if err != nil {
				return err
			}
			a, err := p.open(cmd.Context(), openExisting)
			if err != nil {
				return err
			}
			defer a.Close()
			r.keeper.Set = a.set
			err = a.query(cmd.Context(), r, args[1:], &f)
			return errors.Join(p.printQuery(r, f.json), err, r.end(err))
		},
	}
	cmd.Flags().StringVar(&f.URL, "url", "", "`URL` of the archive's DICOMweb service")
	cmd.Flags().StringVar(&f.keeper, "keeper", "", "`NAME` of who keeps the primary copies")
	cmd.Flags().StringVar(&f.by, "by", "radtier proof query", "`NAME` of who answers for it")
	cmd.Flags().StringVar(&f.level, "level", "", "listed or sampled (default: what the policy asks for)")
	cmd.Flags().StringVar(&f.sample, "sample", "5", "`INSTANCES` of each study to pull, or a share such as 5%; one of each series at least, 100 at most")
	cmd.Flags().StringVar(&f.seed, "seed", "", "choose the same instances as the record with this `SEED` (default: another one each time)")
	cmd.Flags().IntVar(&f.within, "within", lifecycle.ProofDays, "ask for what may be deleted within so many `DAYS`")
	cmd.Flags().IntVar(&f.limit, "limit", 0, "ask for so many studies at most")
	cmd.Flags().StringVar(&f.tenant, "tenant", "", "only this `TENANT` (default: all)")
	cmd.Flags().StringVar(&f.ca, "ca", "", "`FILE` of certificates (PEM) that vouch for the archive (default: those of this machine)")
	cmd.Flags().StringVar(&f.tokenEnv, "token-env", "", "`VARIABLE` of the environment that holds a bearer token")
	cmd.Flags().IntVar(&f.Requests, "requests", 2, "requests at once")
	cmd.Flags().DurationVar(&f.Timeout, "timeout", time.Minute, "the longest `TIME` that the archive may be silent")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

// newQuery checks what was given. Nothing is asked yet.
func (p *program) newQuery(path string, f *queryFlags) (*queryResult, error) {
	if f.URL == "" || f.keeper == "" || f.by == "" {
		return nil, usagef("a query needs --url URL (of the archive's DICOMweb service) and --keeper NAME (who has the primary copies)")
	}
	if f.within < 0 || f.limit < 0 || f.Requests < 1 || f.Requests > 64 || f.Timeout <= 0 {
		return nil, usagef("--within and --limit must be 0 or more, --requests 1 to 64, and --timeout longer than nothing")
	}
	rules, err := policy.LoadFile(path)
	if err != nil {
		return nil, usageError{err}
	}
	r := &queryResult{Level: policy.ProofLevel(f.level), Differ: []proofOdd{}, Failed: []proofOdd{}, policy: rules, name: f.keeper, by: f.by}
	switch need := rules.Proof.Level; {
	case need == policy.Attested:
		return nil, usagef("policy %s needs a proof at the level attested, which only an inventory gives: `radtier proof import`", rules.Name)
	case f.level == "":
		r.Level = need
	case r.Level != policy.Listed && r.Level != policy.Sampled:
		return nil, usagef("--level %q is not known: use listed or sampled", f.level)
	case need == policy.Sampled && r.Level == policy.Listed:
		return nil, usagef("--level listed proves less than policy %s needs: sampled", rules.Name)
	}
	r.question.Level = r.Level
	if r.question.Sample, err = parseSample(f.sample); err != nil {
		return nil, usagef("--sample %q: %w", f.sample, err)
	}
	if r.question.Seed = rand.Uint64(); f.seed != "" {
		if r.question.Seed, err = strconv.ParseUint(f.seed, 16, 64); err != nil {
			return nil, usagef("--seed %q: it is not 1 to 16 hex digits", f.seed)
		}
	}
	if r.Level == policy.Sampled {
		r.Seed = fmt.Sprintf("%016x", r.question.Seed)
	}
	if f.tokenEnv != "" {
		if f.Token = strings.TrimSpace(p.env(f.tokenEnv)); f.Token == "" {
			return nil, usagef("--token-env %s: the environment has no such variable, or it is empty", f.tokenEnv)
		}
	}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, usagef("--ca: %w", err)
		}
		if f.Roots = x509.NewCertPool(); !f.Roots.AppendCertsFromPEM(pem) {
			return nil, usagef("--ca %s: it has no certificate in PEM form", f.ca)
		}
	}
	if r.keeper.Client, err = dicomweb.New(f.Options); err != nil {
		return nil, usagef("--url: %w", err)
	}
	return r, nil
}

// parseSample reads a number of instances, or a share of them.
func parseSample(s string) (x keeper.Sample, err error) {
	if share, ok := strings.CutSuffix(s, "%"); ok {
		x.Share, err = strconv.ParseFloat(share, 64)
		if x.Share /= 100; err != nil || !(x.Share > 0 && x.Share <= 1) {
			return x, errors.New("it is not a share of up to 100%")
		}
		return x, nil
	}
	if x.Instances, err = strconv.Atoi(s); err != nil || x.Instances < 1 || x.Instances > keeper.MaxSample {
		return x, fmt.Errorf("it is not a number from 1 to %d, or a share such as 5%%", keeper.MaxSample)
	}
	return x, nil
}

// errEnough ends a run at its limit.
var errEnough = errors.New("enough")

// query asks for studies, a few at a time. The error is that of a run that was given up.
func (a *app) query(ctx context.Context, r *queryResult, names []string, f *queryFlags) error {
	var studies []catalog.Study
	for _, name := range names { // before anybody is asked
		s, err := a.find(ctx, f.tenant, name)
		if err != nil {
			return err
		}
		studies = append(studies, s)
	}
	bar := a.newProgress()
	defer bar.clear()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(f.Requests)
	begin := func(s catalog.Study) error {
		r.mu.Lock()
		r.asked++
		n := r.asked
		bar.show(-1, fmt.Sprintf("%d studies asked for, %d the same, %d different, %d failed", n, r.Same, len(r.Differ), r.failures))
		r.mu.Unlock()
		group.Go(func() error { return a.queryStudy(groupCtx, r, s) })
		if f.limit > 0 && n >= f.limit {
			return errEnough
		}
		return groupCtx.Err()
	}
	var err error
	for _, s := range studies {
		if err = begin(s); err != nil {
			break
		}
	}
	if len(names) == 0 {
		err = lifecycle.ProofsDue(groupCtx, a.db, a.stores.Hot(), lifecycle.ProofOptions{Policy: r.policy, Hot: a.cfg.Tiers[0].Name, Now: time.Now(), Within: f.within, Tenant: f.tenant,
			Progress: func(n int64) { bar.show(-1, fmt.Sprintf("%d studies looked at", n)) }}, begin)
	}
	if waited := group.Wait(); waited != nil {
		return waited
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// queryStudy asks for one study and records the answer. The error is one after which no other study need be asked for.
func (a *app) queryStudy(ctx context.Context, r *queryResult, s catalog.Study) error {
	x := catalog.Proof{Level: string(r.Level), At: time.Now(), Keeper: r.name}
	answer, err := a.ask(ctx, r, s, &x)
	if err == nil {
		err = a.recordAnswer(ctx, r, s, x)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		r.inRow = 0
		switch {
		case answer.Same:
			r.Same++
		case len(r.Differ) < maxOdd:
			r.Differ = append(r.Differ, proofOdd{s.Hash(), answer.Note})
		default:
			r.Unlisted++
		}
		return nil
	}
	if r.failures++; len(r.Failed) < maxOdd {
		r.Failed = append(r.Failed, proofOdd{s.Hash(), err.Error()})
	} else {
		r.Unlisted++
	}
	var status *dicomweb.StatusError
	var redirect *dicomweb.RedirectError
	var cert *dicomweb.CertificateError
	answered := errors.As(err, &status)
	if r.inRow++; !dicomweb.IsTransient(err) && !answered {
		r.inRow = 0
	}
	if answered && (status.Code == 401 || status.Code == 404) || errors.As(err, &redirect) || errors.As(err, &cert) || r.inRow >= giveUpAfter {
		r.Stopped = true
		return fmt.Errorf("the archive was given up: %w", err)
	}
	return nil
}

// ask asks for a study, and says what is to be recorded of it.
func (a *app) ask(ctx context.Context, r *queryResult, s catalog.Study, x *catalog.Proof) (*keeper.Answer, error) {
	if s.Generation == 0 {
		return nil, errors.New("it is queued and not stored yet")
	}
	st, err := a.openStudy(ctx, s)
	if err != nil {
		return nil, err
	}
	answer, err := r.keeper.Ask(ctx, st, r.question)
	if err != nil {
		return nil, err
	}
	x.Same, x.Note, x.SHA256, x.Arrivals = answer.Same, answer.Note, answer.SHA256, st.Manifest.Arrivals
	return answer, nil
}

// recordAnswer records a proof. One that says no more than a better one that is still good does not take its place.
func (a *app) recordAnswer(ctx context.Context, r *queryResult, s catalog.Study, x catalog.Proof) error {
	if x.Same {
		m, err := catalog.LoadHead(ctx, a.db, a.stores.Hot(), s.StudyKey)
		if err != nil {
			return err
		}
		if r.policy.ProofBetter(lifecycle.FactsOfManifest(r.policy, m, a.cfg.Tiers[0].Name, s.Accessed).Proof, r.Level, x.At) {
			return nil
		}
	}
	_, err := lifecycle.RecordProof(ctx, a.db, a.stores.Hot(), s.StudyKey, x, r.by)
	return err
}

// end is how a run without an error ends.
func (r *queryResult) end(err error) error {
	if err == nil && r.failures > 0 {
		return errPartial
	}
	return nil
}

func (p *program) printQuery(r *queryResult, asJSON bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if asJSON {
		return printJSON(p.stdout, r)
	}
	for _, o := range r.Differ {
		fmt.Fprintf(p.stdout, "differs: study %s: %s\n", cut(o.Study, 8), shown(o.Note))
	}
	for _, o := range r.Failed {
		fmt.Fprintf(p.stdout, "not known: study %s: %s\n", cut(o.Study, 8), shown(o.Note))
	}
	different := len(r.Differ) + r.Unlisted - (r.failures - len(r.Failed))
	_, err := fmt.Fprintf(p.stdout, "%s proved (%s), %d different, %d not known\n", plural(r.Same, "study"), r.Level, different, r.failures)
	return err
}
