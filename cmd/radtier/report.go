package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/lifecycle"
	"github.com/radtier/radtier/lifecycle/cost"
	"github.com/radtier/radtier/lifecycle/policy"
)

// spendLine is a row of a report.
type spendLine struct {
	By     []string        `json:"by"` // values, in the order of the report's by
	Cost   decimal.Decimal `json:"cost"`
	Share  decimal.Decimal `json:"share"` // of the total
	Amount decimal.Decimal `json:"gib_months"`
}

// spendReport is what storage cost in a month.
type spendReport struct {
	Month    string          `json:"month"`
	Zone     string          `json:"zone"`
	From     time.Time       `json:"from"`
	To       time.Time       `json:"to"`
	Open     bool            `json:"open,omitempty"` // the month is not over
	Prices   string          `json:"prices"`
	Currency string          `json:"currency"`
	By       []string        `json:"by"`
	Rows     []spendLine     `json:"rows"`
	Total    decimal.Decimal `json:"total"`
}

// dimensions are what a report can be grouped by.
var dimensions = map[string]func(s *lifecycle.Spend) string{
	"hospital":   func(s *lifecycle.Spend) string { return s.Tenant },
	"modality":   func(s *lifecycle.Spend) string { return or(s.Modality, "-") },
	"department": func(s *lifecycle.Spend) string { return or(s.Department, "-") },
	"tier":       func(s *lifecycle.Spend) string { return s.Tier },
	"class":      func(s *lifecycle.Spend) string { return string(s.Class) },
	"state":      func(s *lifecycle.Spend) string { return string(s.State) },
	"charge":     func(s *lifecycle.Spend) string { return string(s.Charge) },
	"came":       func(s *lifecycle.Spend) string { return fmt.Sprint(s.Cohort) },
}

func newReport(p *program) *cobra.Command {
	var month, by, format, zone string
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Say what storage cost in a month",
		Long: `Reckons what the storage of a month cost, from the ledger of stored bytes and the prices of the tiers (tiers[].prices): live objects, what is in the trash, what was superseded and
waits for the sweep, orphans of attempts that failed, and manifests. Parts are rounded so that they add up to the bill of each tier and charge. Requests, retrieval and CPU
time are not in it.

--by groups: hospital, modality, department, tier, class, state, charge, came (the month in which the study came).

  radtier report
  radtier report --month 2026-10 --by hospital,modality
  radtier report --month 2026-10 --by hospital,department,tier,charge --format csv > october.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "table" && format != "csv" && format != "json" {
				return usagef("--format %q is not known: use table, csv or json", format)
			}
			r := &spendReport{Zone: zone, By: strings.Split(by, ",")}
			for _, name := range r.By {
				if dimensions[name] == nil {
					return usagef("--by %q is not known: use hospital, modality, department, tier, class, state, charge or came", name)
				}
			}
			at, err := time.LoadLocation(zone)
			if err != nil || at == time.Local {
				return usagef("--zone %q is not known: write one like Asia/Shanghai", zone)
			}
			now := time.Now()
			first := time.Date(now.In(at).Year(), now.In(at).Month(), 1, 0, 0, 0, 0, at)
			if month != "" {
				if first, err = time.ParseInLocation("2006-01", month, at); err != nil {
					return usagef("--month %q: write one like 2026-10", month)
				}
			}
			r.Month, r.From, r.To = first.Format("2006-01"), first.UTC(), first.AddDate(0, 1, 0).UTC()
			if !r.From.Before(now) {
				return usagef("--month %s: it has not begun", r.Month)
			}
			until := r.To
			if r.To.After(now) {
				r.Open, until = true, now.Truncate(catalog.SlotSeconds*time.Second).Add(catalog.SlotSeconds*time.Second).UTC()
			}
			ctx := cmd.Context()
			a, err := p.open(ctx, openCatalog)
			if err != nil {
				return err
			}
			defer a.Close()
			prices, err := a.prices(r.From, &policy.Policy{})
			if err != nil {
				return err
			}
			if prices == nil {
				return usagef("no tier has prices: set tiers[].prices, such as aliyun-oss-cn:STANDARD (`radtier prices list`)")
			}
			if _, err := catalog.FoldLedger(ctx, a.db); err != nil {
				return err
			}
			if err := catalog.BalanceLedger(ctx, a.db, r.From); err != nil {
				return err
			}
			uses, err := a.db.StockUse(ctx, r.From, until)
			if err != nil {
				return err
			}
			list, err := lifecycle.StorageSpend(uses, prices, a.cfg.Tiers[0].Name, r.From, r.To)
			if err != nil {
				return err
			}
			r.Prices, r.Currency = prices.ID(), prices.Currency()
			r.group(list)
			switch format {
			case "json":
				return printJSON(p.stdout, r)
			case "csv":
				return r.csv(p.stdout)
			}
			return r.print(p.stdout)
		},
	}
	cmd.Flags().StringVar(&month, "month", "", "the `MONTH`, as 2026-10 (default: this one, so far)")
	cmd.Flags().StringVar(&by, "by", "tier,state,charge", "what to group by, a `LIST`")
	cmd.Flags().StringVar(&zone, "zone", policy.DefaultZone, "`ZONE` of the month's beginning and end")
	cmd.Flags().StringVar(&format, "format", "table", "table, csv or json")
	return cmd
}

// group adds rows up.
func (r *spendReport) group(list []lifecycle.Spend) {
	at := map[string]int{}
	for i := range list {
		s := &list[i]
		var values []string
		for _, name := range r.By {
			values = append(values, dimensions[name](s))
		}
		id := strings.Join(values, "\x00")
		k, ok := at[id]
		if !ok {
			k = len(r.Rows)
			at[id] = k
			r.Rows = append(r.Rows, spendLine{By: values})
		}
		r.Rows[k].Cost = r.Rows[k].Cost.Add(s.Amount)
		if s.Charge == lifecycle.ChargeStorage {
			r.Rows[k].Amount = r.Rows[k].Amount.Add(s.Quantity)
		}
		r.Total = r.Total.Add(s.Amount)
	}
	for i := range r.Rows {
		if r.Total.Sign() != 0 {
			r.Rows[i].Share = r.Rows[i].Cost.DivRound(r.Total, 6)
		}
		r.Rows[i].Amount = r.Rows[i].Amount.Round(cost.Digits / 4)
	}
	slices.SortStableFunc(r.Rows, func(a, b spendLine) int {
		return cmp.Or(b.Cost.Cmp(a.Cost), slices.Compare(a.By, b.By))
	})
	if r.Rows == nil {
		r.Rows = []spendLine{}
	}
}

func (r *spendReport) print(w io.Writer) error {
	head := append(slices.Clone(r.By), ">GiB months", ">"+strings.ToLower(r.Currency), ">share")
	t := table{head: head}
	for _, l := range r.Rows {
		var cells []string
		for _, v := range l.By {
			cells = append(cells, shown(v))
		}
		t.add(append(cells, l.Amount.Round(3).String(), l.Cost.StringFixed(2), l.Share.Shift(2).StringFixed(1)+" %")...)
	}
	if len(t.rows) > 0 {
		if err := t.print(w); err != nil {
			return err
		}
	}
	so := ""
	if r.Open {
		so = ", so far"
	}
	_, err := fmt.Fprintf(w, "storage in %s (%s)%s: %s %s\n", r.Month, r.Zone, so, r.Total.StringFixed(2), r.Currency)
	return err
}

// csv writes a table that spreadsheets open as it is: with a byte order mark, and no cell that they would take for a formula.
func (r *spendReport) csv(w io.Writer) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	c := csv.NewWriter(w)
	rows := [][]string{append(append([]string{"month"}, r.By...), "gib_months", "cost", "currency")}
	for _, l := range r.Rows {
		row := []string{r.Month}
		for _, v := range l.By {
			if v != "" && strings.ContainsRune("=+-@\t\r", rune(v[0])) && v != "-" {
				v = "'" + v
			}
			row = append(row, v)
		}
		rows = append(rows, append(row, l.Amount.String(), l.Cost.StringFixed(2), r.Currency))
	}
	return c.WriteAll(rows)
}
