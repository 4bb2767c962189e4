package dcm

import (
	"fmt"
	"io"
	"slices"
)

// Changes says what [CompareKept] does not compare.
type Changes struct {
	// Changed are elements, at the root or below it, that are left out on both sides with all below them.
	Changed func(tag uint32, root bool) bool
	// Items are the items of a sequence of the root that the second instance has, from 0; nil: all.
	Items func(tag uint32) []int
}

// CompareKept is [CompareDatasets] for an instance that was edited on purpose.
func CompareKept(a io.ReaderAt, fa *File, b io.ReaderAt, fb *File, changes Changes) error {
	c := kept{newSide(a, fa), newSide(b, fb), changes}
	return c.elements(fa.Elements, fa.Encoding, fb.Elements, fb.Encoding, "", 0)
}

type kept struct {
	x, y    *side
	changes Changes
}

func (c *kept) elements(a []Element, encA Encoding, b []Element, encB Encoding, path string, depth int) error {
	gone := func(e Element) bool { return c.changes.Changed(e.Tag, depth == 0) }
	a = slices.DeleteFunc(compared(a, depth == 0, c.x.f, c.y.f), gone)
	b = slices.DeleteFunc(compared(b, depth == 0, c.x.f, c.y.f), gone)
	for i := range max(len(a), len(b)) {
		switch {
		case i == len(b) || i < len(a) && a[i].Tag < b[i].Tag:
			return &DifferenceError{path + TagString(a[i].Tag), "only the first has the element"}
		case i == len(a) || b[i].Tag < a[i].Tag:
			return &DifferenceError{path + TagString(b[i].Tag), "only the second has the element"}
		}
		at := path + TagString(a[i].Tag)
		if !a[i].isSequence() || !b[i].isSequence() {
			if err := compareElement(c.x, &a[i], encA, c.y, &b[i], encB, at, depth); err != nil {
				return err
			}
			continue
		}
		if err := c.items(&a[i], encA, &b[i], encB, at, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *kept) items(a *Element, encA Encoding, b *Element, encB Encoding, path string, depth int) error {
	itemsA, err := c.x.collect(a, encA, depth)
	if err != nil {
		return err
	}
	itemsB, err := c.y.collect(b, encB, depth)
	if err != nil {
		return err
	}
	if depth == 1 && c.changes.Items != nil {
		if list := c.changes.Items(a.Tag); list != nil {
			var some []itemRange
			for _, i := range list {
				if i < 0 || i >= len(itemsA) {
					return &DifferenceError{path, fmt.Sprintf("no item %d of %d", i, len(itemsA))}
				}
				some = append(some, itemsA[i])
			}
			itemsA = some
		}
	}
	if len(itemsA) != len(itemsB) {
		return &DifferenceError{path, fmt.Sprintf("%d and %d items", len(itemsA), len(itemsB))}
	}
	for i := range itemsA {
		ea, err := c.x.content(itemsA[i], depth)
		if err != nil {
			return err
		}
		eb, err := c.y.content(itemsB[i], depth)
		if err != nil {
			return err
		}
		if err := c.elements(ea, itemsA[i].enc, eb, itemsB[i].enc, fmt.Sprintf("%s[%d].", path, i), depth); err != nil {
			return err
		}
	}
	return nil
}
