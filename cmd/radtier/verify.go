package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/study"
)

type verifyResult struct {
	Studies   int            `json:"studies"`
	Objects   int            `json:"objects"`
	Instances int            `json:"instances"`
	Bytes     int64          `json:"bytes"`
	Seconds   float64        `json:"seconds"`
	Damaged   []damagedStudy `json:"damaged"`
	Skipped   []studySkipped `json:"skipped,omitempty"` // nothing is stored yet, or stopped by a fork
	total     int            // studies to do
	bar       *progress      // where progress is shown
	read      atomic.Int64   // bytes so far
	mu        sync.Mutex     // guards all above
	started   time.Time
}

type damagedStudy struct {
	Tenant   string         `json:"tenant"`
	StudyUID string         `json:"study_uid"`
	Study    string         `json:"study"`
	Damage   []study.Damage `json:"damage"`
}

type studySkipped struct {
	Study  string `json:"study"`
	Reason string `json:"reason"`
	Fork   bool   `json:"fork,omitempty"`
}

func newVerify(p *program) *cobra.Command {
	var tenant string
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:   "verify STUDY | --all",
		Short: "Read everything again and prove it",
		Long: `Reads every object of a study again: packs and hot bundle are compared with the SHA-256 in
the manifest, every part of a pack with its own, and every received file is rebuilt and compared.

  radtier verify STUDY
  radtier verify --all
  radtier verify --all --json

Exit codes: 0 all is intact, 3 something is damaged: the report names object, instance and offset.`,
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) == 1) || len(args) > 1 {
				return fmt.Errorf("name one STUDY, or give --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			a, err := p.open(ctx, openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			var list []catalog.Study
			if all {
				for s, err := range a.db.Studies(ctx, catalog.Filter{Tenant: tenant}) {
					if err != nil {
						return err
					}
					list = append(list, s)
				}
			} else {
				s, err := a.find(ctx, tenant, args[0])
				if err != nil {
					return err
				}
				list = append(list, s)
			}
			r, err := a.verify(ctx, list)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(p.stdout, r)
			} else {
				r.print(p)
			}
			if err == nil && !r.whole() {
				return errPartial
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every study")
	cmd.Flags().StringVar(&tenant, "tenant", "", "only this `TENANT`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// verify proves studies, one per core at a time. Damage is in the result; the error is that of a store that fails.
func (a *app) verify(ctx context.Context, list []catalog.Study) (*verifyResult, error) {
	r := &verifyResult{Damaged: []damagedStudy{}, bar: a.newProgress(), total: len(list), started: time.Now()}
	defer r.bar.clear()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, s := range list {
		g.Go(func() error { return a.verifyStudy(ctx, s, r) })
	}
	err := g.Wait()
	r.Seconds = time.Since(r.started).Seconds()
	return r, err
}

func (a *app) verifyStudy(ctx context.Context, s catalog.Study, r *verifyResult) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch {
	case s.Status == catalog.StatusFork:
		r.skip(s, "two published manifests of one generation: `radtier rebuild --force` tells which", true)
		return nil
	case s.Generation == 0:
		r.skip(s, "queued and not stored yet", false)
		return nil
	}
	m, err := catalog.LoadHead(ctx, a.db, a.stores.Hot(), s.StudyKey)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.add(s, &study.Verified{Damage: []study.Damage{{Key: s.Key, What: err.Error()}}})
		return nil
	}
	v, err := study.Verify(ctx, a.stores, m, a.set, func(n int64) {
		read := r.read.Add(n)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bar.show(float64(r.Studies)/float64(r.total), fmt.Sprintf("%d/%d studies  %s read  %s MB/s", r.Studies, r.total, bytesText(read), rateText(read, time.Since(r.started))))
	})
	if err != nil {
		return fmt.Errorf("study %s: %w", s.UID, err)
	}
	r.add(s, v)
	return nil
}

func (r *verifyResult) skip(s catalog.Study, reason string, fork bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Skipped = append(r.Skipped, studySkipped{s.Hash(), reason, fork})
}

// whole reports whether nothing needs a person.
func (r *verifyResult) whole() bool {
	for _, s := range r.Skipped {
		if s.Fork {
			return false
		}
	}
	return len(r.Damaged) == 0
}

func (r *verifyResult) add(s catalog.Study, v *study.Verified) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Studies++
	r.Objects += v.Objects
	r.Instances += v.Instances
	r.Bytes += v.Bytes
	if len(v.Damage) > 0 {
		r.Damaged = append(r.Damaged, damagedStudy{s.Tenant, s.UID, s.Hash(), v.Damage})
	}
}

func (r *verifyResult) print(p *program) {
	for _, d := range r.Damaged {
		fmt.Fprintf(p.stdout, "damaged: study %s (%s, tenant %s)\n", d.Study[:8], shown(d.StudyUID), d.Tenant)
		for _, x := range d.Damage {
			fmt.Fprintf(p.stdout, "  %s: %s\n", x.Key, shown(x.What))
		}
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(p.stdout, "not verified: study %s: %s\n", s.Study[:8], s.Reason)
	}
	spent := time.Duration(r.Seconds * float64(time.Second))
	fmt.Fprintf(p.stdout, "%s, %s, %s rebuilt and compared, %s stored, %s: ", plural(r.Studies, "study"), plural(r.Objects, "object"), plural(r.Instances, "instance"), bytesText(r.Bytes), durationText(spent))
	if len(r.Damaged) == 0 {
		fmt.Fprintln(p.stdout, "all intact")
		return
	}
	fmt.Fprintf(p.stdout, "%s damaged; what is not named above can still be read with `radtier get`\n", plural(len(r.Damaged), "study"))
}
