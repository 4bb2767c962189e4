package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/cost"
	"github.com/radtier/radtier/lifecycle/policy"
)

func newPrices(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prices",
		Short: "Price books: what providers ask for storage",
		Long: `A price book is one YAML file: the prices of a provider in one region and currency, in dated editions. Some are part of the program; they are published prices, which differ from
what a contract says: copy the template and put your own in. A tier is given its prices by tiers[].prices, as BOOK:CLASS.

  radtier prices list
  radtier prices show aliyun-oss-cn
  radtier prices example > contract.yaml    # the template, with comments
  radtier prices check contract.yaml
  radtier prices diff aliyun-oss-cn contract.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPricesList(p), newPricesShow(p), newPricesCheck(p), newPricesDiff(p), newPricesExample(p))
	return cmd
}

// priceBook opens a shipped book or a file. Whatever is wrong with it is the user's to mend.
func priceBook(name string) (*cost.Book, error) {
	b, err := cost.Open(name)
	if err != nil {
		return nil, usageError{err}
	}
	return b, nil
}

// priceDay reads --at.
func priceDay(b *cost.Book, at string) (*cost.Edition, error) {
	now := time.Now()
	if at != "" {
		day, err := time.ParseInLocation("2006-01-02", at, b.Zone)
		if err != nil {
			return nil, usagef("--at %q: a day, as 2026-01-31", at)
		}
		now = day
	}
	return b.At(now)
}

// priceLine is a book in a list.
type priceLine struct {
	Name     string   `json:"name"`
	Provider string   `json:"provider"`
	Region   string   `json:"region"`
	Currency string   `json:"currency"`
	Editions []string `json:"editions"` // days from which they are in force
	Digest   string   `json:"digest"`
}

func priceLineOf(b *cost.Book) priceLine {
	l := priceLine{Name: b.Name, Provider: b.Provider, Region: b.Region, Currency: b.Currency, Digest: b.Digest}
	for _, e := range b.Editions {
		l.Editions = append(l.Editions, e.From.Format("2006-01-02"))
	}
	return l
}

func newPricesList(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the price books that are part of the program", Args: cobra.NoArgs,
		RunE: func(_ *cobra.Command, _ []string) error {
			var list []priceLine
			for _, name := range cost.ShippedNames() {
				b, err := cost.Shipped(name)
				if err != nil {
					return err
				}
				list = append(list, priceLineOf(b))
			}
			if asJSON {
				return printJSON(p.stdout, list)
			}
			t := table{head: []string{"book", "provider", "region", "currency", "last edition"}}
			for _, l := range list {
				t.add(l.Name, l.Provider, l.Region, l.Currency, l.Editions[len(l.Editions)-1])
			}
			return t.print(p.stdout)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newPricesShow(p *program) *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use: "show BOOK|FILE", Short: "Say a price book in words", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := priceBook(args[0])
			if err != nil {
				return err
			}
			e, err := priceDay(b, at)
			if err != nil {
				return err
			}
			for _, s := range e.Sentences() {
				if _, err := fmt.Fprintln(p.stdout, s); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "the edition of this `DAY` (2026-01-31), not of today")
	return cmd
}

func newPricesCheck(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "check FILE...", Short: "Check price books", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				b, err := priceBook(name)
				if err != nil {
					return err
				}
				l := priceLineOf(b)
				if asJSON {
					err = printLine(p.stdout, l)
				} else {
					_, err = fmt.Fprintf(p.stdout, "%s: %s, %s, in %s, %s, the last from %s\n", l.Name, l.Provider, l.Region, l.Currency, plural(len(l.Editions), "edition"), l.Editions[len(l.Editions)-1])
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a book")
	return cmd
}

func newPricesDiff(p *program) *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use: "diff BOOK|FILE BOOK|FILE", Short: "Say what differs between two price books", Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			var editions [2]*cost.Edition
			for i, name := range args {
				b, err := priceBook(name)
				if err != nil {
					return err
				}
				if editions[i], err = priceDay(b, at); err != nil {
					return err
				}
			}
			list := cost.Diff(editions[0], editions[1])
			if len(list) == 0 {
				list = []string{"no price differs"}
			}
			for _, s := range list {
				if _, err := fmt.Fprintln(p.stdout, s); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "the editions of this `DAY` (2026-01-31), not of today")
	return cmd
}

func newPricesExample(p *program) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "example", Short: "Print the template of a price book", Args: cobra.NoArgs,
		RunE: func(_ *cobra.Command, _ []string) error {
			raw, err := cost.ShippedSource(name)
			if err != nil {
				return usageError{err}
			}
			_, err = p.stdout.Write(raw)
			return err
		},
	}
	cmd.Flags().StringVar(&name, "book", "negotiated", "print this `BOOK` instead")
	return cmd
}

// prices are those of the tiers at a moment; nil if no tier has any. The tiers of a policy have all of them prices, or none.
func (a *app) prices(now time.Time, x *policy.Policy) (*lifecycle.Prices, error) {
	places := map[string]cost.Place{}
	var part int64
	for _, t := range a.cfg.Tiers {
		name, class, ok := t.PriceBook()
		if !ok {
			continue
		}
		if !slices.Contains(cost.ShippedNames(), name) && !filepath.IsAbs(name) {
			name = filepath.Join(a.cfg.Data, name)
		}
		b, err := cost.Open(name)
		if err != nil {
			return nil, fmt.Errorf("prices of tier %s: %w", t.Name, err)
		}
		e, err := b.At(now)
		if err != nil {
			return nil, fmt.Errorf("prices of tier %s: %w", t.Name, err)
		}
		if places[t.Name], err = e.Place(class); err != nil {
			return nil, fmt.Errorf("prices of tier %s: %w", t.Name, err)
		}
		part = max(part, t.S3.PartSize)
	}
	if len(places) == 0 {
		return nil, nil
	}
	for _, tier := range x.Tiers {
		if _, ok := places[tier]; !ok {
			return nil, fmt.Errorf("tier %s: %w", tier, lifecycle.ErrNoPrices)
		}
	}
	return lifecycle.NewPrices(places, func(from, to string) bool { inside, _ := a.stores.Shared(from, to); return inside }, part)
}
