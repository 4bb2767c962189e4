package cost

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Schema is the format of price books.
const Schema = "radtier.prices/1"

// Book is what a provider asks for in one region, in one currency, over the years.
type Book struct {
	Name      string
	Provider  string
	Region    string
	Currency  string // ISO 4217
	Unit      Unit   // of bytes in all prices
	Zone      *time.Location
	MonthDays decimal.Decimal // length of a month where formulas know no calendar; 30.4375 unless the book says otherwise
	// Calendar says that the hours of a bill are those that its month has; otherwise a month always has MonthDays.
	Calendar bool
	Failed   Failed    // which requests are billed although they failed
	Editions []Edition // by From, the oldest first
	Source   []byte    // the file
	Digest   string    // SHA-256 of the file, hex
}

// Failed says which failed requests are billed.
type Failed string

// Failed requests that are billed.
const (
	FailedNone   Failed = "none"
	FailedClient Failed = "client" // answered 4xx
	FailedAll    Failed = "all"
)

// Unit is what a price for bytes is for.
type Unit int64

// Units.
const (
	GB  Unit = 1e9
	GiB Unit = 1 << 30
)

func (u Unit) String() string {
	if u == GB {
		return "GB"
	}
	return "GiB"
}

// Edition is what was asked for from a day on.
type Edition struct {
	Book       *Book
	From       time.Time // beginning of the day in the book's zone
	Source     string    // where the prices are from
	Confidence string
	Classes    []Class
	egress     *decimal.Decimal // for a unit
	cpuHour    *decimal.Decimal
}

// Clock says from when a class counts its minimum duration.
type Clock string

const (
	ClockModified   Clock = "modified"   // the object was made
	ClockTransition Clock = "transition" // it came into the class
)

// Class is a storage class.
type Class struct {
	Name    string
	Archive bool // must be restored before it can be read
	MinDays int64
	Clock   Clock
	// MinBytes is what smaller objects are billed as.
	MinBytes int64
	// Stays is the size below which the provider's own rules leave objects where they are, without a word.
	Stays int64
	// OwnBytes and OtherBytes are billed for each object on top, these at the price of the class Other.
	OwnBytes, OtherBytes int64
	Other                string
	TempClass            string // what a restored copy is billed as; "": it costs nothing beside the object
	steps                []Step
	requests             map[Request]decimal.Decimal // for one
	transition           *decimal.Decimal            // into the class by the provider's rules, for one object
	retrieval            *decimal.Decimal            // of a unit that is read directly
	speeds               []Speed
	monitor              *decimal.Decimal // of one object for a month
}

// Step is a price for the part of the volume up to a size.
type Step struct {
	UpTo  decimal.Decimal // in units; zero: without end
	Price decimal.Decimal // for a unit and a month
}

// Request is a kind of request.
type Request string

// Kinds of requests. Copying into a class is a request of that class.
const (
	Put    Request = "put" // also parts, and the beginning and end of an upload in parts
	Copy   Request = "copy"
	Get    Request = "get"
	Head   Request = "head"
	List   Request = "list"
	Delete Request = "delete"
)

// Requests lists the kinds.
var Requests = []Request{Put, Copy, Get, Head, List, Delete}

// Speed is one way to have archived objects restored.
type Speed struct {
	Name       string // expedited, standard, bulk
	Known      bool   // its prices are; else whoever needs them gets an error
	Request    decimal.Decimal
	PerUnit    decimal.Decimal
	Least, Max time.Duration // how long it takes
}

// UnknownError says that a book has no price.
type UnknownError struct {
	Book, Class, Meter string
	At                 time.Time
}

func (e *UnknownError) Error() string {
	what := e.Meter
	if e.Class != "" {
		what += " of class " + e.Class
	}
	return fmt.Sprintf("price book %s has no price for %s on %s: add it, it is not taken for 0", e.Book, what, e.At.Format("2006-01-02"))
}

// ErrCurrency: sums in different currencies cannot be compared.
var ErrCurrency = errors.New("prices are in different currencies")

// At returns the edition that is in force at a moment; an *UnknownError if the book begins later.
func (b *Book) At(t time.Time) (*Edition, error) {
	for i := len(b.Editions) - 1; i >= 0; i-- {
		if !b.Editions[i].From.After(t) {
			return &b.Editions[i], nil
		}
	}
	return nil, &UnknownError{Book: b.Name, Meter: "anything", At: t}
}

// MonthSeconds is by how many seconds a month's price is divided in a bill from one moment to another: those between them, or those of the book's month.
func (b *Book) MonthSeconds(from, to time.Time) decimal.Decimal {
	if b.Calendar {
		return decimal.NewFromInt(int64(to.Sub(from) / time.Second))
	}
	return b.MonthDays.Mul(decimal.NewFromInt(86400))
}

// ID names an edition and its prices: plans and reports that were made with it are bound to it.
func (e *Edition) ID() string {
	return fmt.Sprintf("%s@%s:%.16s", e.Book.Name, e.From.Format("2006-01-02"), e.Book.Digest)
}

func (e *Edition) unknown(class, meter string) error {
	return &UnknownError{Book: e.Book.Name, Class: class, Meter: meter, At: e.From}
}

// Class returns a class by its name, in any case.
func (e *Edition) Class(name string) (*Class, error) {
	i := slices.IndexFunc(e.Classes, func(c Class) bool { return strings.EqualFold(c.Name, name) })
	if i < 0 {
		return nil, e.unknown(name, "storage")
	}
	return &e.Classes[i], nil
}

// Egress is the price of a unit that leaves the provider.
func (e *Edition) Egress() (decimal.Decimal, error) { return e.known(e.egress, "", "egress") }

// CPUHour is the price of a core for an hour.
func (e *Edition) CPUHour() (decimal.Decimal, error) { return e.known(e.cpuHour, "", "cpu_hour") }

func (e *Edition) known(d *decimal.Decimal, class, meter string) (decimal.Decimal, error) {
	if d == nil {
		return decimal.Decimal{}, e.unknown(class, meter)
	}
	return *d, nil
}

// Request is the price of one request.
func (e *Edition) Request(c *Class, r Request) (decimal.Decimal, error) {
	if d, ok := c.requests[r]; ok {
		return d, nil
	}
	return decimal.Decimal{}, e.unknown(c.Name, "request "+string(r))
}

// Transition is the price of moving one object into the class by the provider's own rules.
func (e *Edition) Transition(c *Class) (decimal.Decimal, error) {
	return e.known(c.transition, c.Name, "transition")
}

// Retrieval is the price of reading a unit. Of archive classes it is that of the cheapest restore.
func (e *Edition) Retrieval(c *Class) (decimal.Decimal, error) {
	return e.known(c.retrieval, c.Name, "retrieval")
}

// Monitor is the price of watching one object for a month; zero for classes that nobody watches.
func (c *Class) Monitor() decimal.Decimal {
	if c.monitor == nil {
		return decimal.Decimal{}
	}
	return *c.monitor
}

// Speeds are the ways to restore, the cheapest for large objects first.
func (c *Class) Speeds() []Speed { return c.speeds }

// Steps are the prices by volume.
func (c *Class) Steps() []Step { return c.steps }

// Storage is the price of a unit for a month in the first step: what an object more costs in a small bucket.
func (c *Class) Storage() decimal.Decimal { return c.steps[0].Price }

// Marginal is the price of a unit for a month at a volume, in units.
func (c *Class) Marginal(volume decimal.Decimal) decimal.Decimal {
	for _, s := range c.steps {
		if s.UpTo.IsZero() || volume.LessThan(s.UpTo) {
			return s.Price
		}
	}
	return c.steps[len(c.steps)-1].Price
}

// Volume is the price of all that lies in a class for a month, in steps.
func (c *Class) Volume(units decimal.Decimal) decimal.Decimal {
	sum, from := decimal.Decimal{}, decimal.Decimal{}
	for _, s := range c.steps {
		part := units.Sub(from)
		if !s.UpTo.IsZero() && units.GreaterThan(s.UpTo) {
			part = s.UpTo.Sub(from)
		}
		if part.Sign() <= 0 {
			break
		}
		sum, from = sum.Add(part.Mul(s.Price)), s.UpTo
	}
	return sum
}

//go:embed prices/*.yaml
var shipped embed.FS

// ShippedNames lists the price books that are part of the program.
func ShippedNames() []string {
	list, err := shipped.ReadDir("prices")
	if err != nil {
		panic("cost: " + err.Error())
	}
	var names []string
	for _, f := range list {
		names = append(names, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	return names
}

// Shipped returns a price book that is part of the program.
func Shipped(name string) (*Book, error) {
	raw, err := ShippedSource(name)
	if err != nil {
		return nil, err
	}
	return Load(name+".yaml", raw)
}

// ShippedSource is the file of a price book that is part of the program.
func ShippedSource(name string) ([]byte, error) {
	raw, err := shipped.ReadFile("prices/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("no price book %q is shipped: there are %s", name, strings.Join(ShippedNames(), ", "))
	}
	return raw, nil
}
