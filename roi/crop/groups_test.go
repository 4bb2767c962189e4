package crop

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/radtier/radtier/internal/dcm"
)

// position, orientation and measures are functional group macros.
func position(g *dcm.Builder, p ...string) *dcm.Builder {
	return g.Items(tagPlanePosition, dcm.NewBuilder().Text(tagPosition, p...))
}

func orientation(g *dcm.Builder, p ...string) *dcm.Builder {
	return g.Items(tagPlaneOrientation, dcm.NewBuilder().Text(tagOrientation, p...))
}

func measures(g *dcm.Builder, p ...string) *dcm.Builder {
	return g.Items(tagPixelMeasures, dcm.NewBuilder().Text(tagSpacing, p...))
}

// enhanced is an enhanced CT image of four frames 2.5 mm apart.
func enhanced(undefined bool) *dcm.Builder {
	shared := orientation(measures(dcm.NewBuilder(), "0.7", "0.5"), "1", "0", "0", "0", "1", "0").
		Items(0x00189329, dcm.NewBuilder().Text(tagFrameType, "ORIGINAL", "PRIMARY", "VOLUME", "NONE"))
	b := image(enhancedCTClass, 4).Text(0x00209161, "1.2.99").Ints(0x00209162, 1)
	var frames []*dcm.Builder
	for i := range 4 {
		frames = append(frames, position(dcm.NewBuilder(), "-10", "-20", fmt.Sprint(2.5*float64(i))).
			Items(0x00209111, dcm.NewBuilder().Ints(0x00209157, 1, i+1).Ints(0x00209057, i+1)).
			Raw(0x00291001, "OB", []byte("private!")).
			Items(tagFrameShutter, dcm.NewBuilder().Text(0x00181600, "RECTANGULAR").Ints(0x00181602, 1).Ints(0x00181604, wide).Ints(0x00181606, 9+i).Ints(0x00181608, tall)))
	}
	if undefined {
		return b.UndefinedItems(tagShared, shared).UndefinedItems(tagPerFrame, frames...)
	}
	return b.Items(tagShared, shared).Items(tagPerFrame, frames...)
}

// TestFunctionalGroups: of an enhanced image the groups of the kept frames stay, with their positions moved.
func TestFunctionalGroups(t *testing.T) {
	for _, undefined := range []bool{false, true} {
		for _, syntax := range []string{explicitLE, implicitLE, explicitBE, "1.2.840.10008.1.2.1.99"} {
			for _, frames := range [][]int{nil, {2, 4}, {3}} {
				s := build(t, enhanced(undefined), syntax)
				d := crop(t, s, s.spec(part, frames...))
				kept := frames
				if kept == nil {
					kept = []int{1, 2, 3, 4}
				}
				var got, want []string
				for _, g := range d.Items(tagPerFrame) {
					content, derivation := g.Items(0x00209111)[0], g.Items(tagDerivationImage)[0]
					source := derivation.Items(tagSourceImage)[0]
					got = append(got, fmt.Sprintf("%s %v %s %v %s %s %v", g.Items(tagPlanePosition)[0].String(tagPosition), content.Ints(0x00209157), source.String(0x00081155), source.Ints(0x00081160),
						source.Items(0x0040A170)[0].String(0x00080100), g.Items(tagFrameShutter)[0].String(0x00181606), g.Has(0x00291001)))
				}
				for _, n := range kept {
					// 10 columns of 0.5 mm and 7 rows of 0.7 mm; of the shutter's upper edge at 9, 10, 11, 12 seven rows are gone.
					want = append(want, fmt.Sprintf(`-5\-15.1\%v [1 %d] 1.2.3.4.5 [%d] 121322 %d false`, 2.5*float64(n-1), n, n, n+1))
				}
				if n := d.Ints(tagNumberOfFrames); n[0] != len(kept) || len(got) != len(want) {
					t.Fatalf("%s, %v: %d frames, %d items", syntax, frames, n[0], len(got))
				}
				for i := range got {
					if got[i] != want[i] {
						t.Errorf("%s, %v: got %s, want %s", syntax, frames, got[i], want[i])
					}
				}
				if f := d.Items(tagShared)[0].Items(0x00189329)[0].Strings(tagFrameType); !slices.Equal(f, []string{"DERIVED", "PRIMARY", "VOLUME", "NONE"}) {
					t.Errorf("frame type %v", f)
				}
				if d.Has(0x00209161) || d.Has(0x00209162) || d.Has(tagDerivation) {
					t.Error("concatenation or a root derivation is there")
				}
				if e := d.Items(tagEvidence); len(e) != 1 || e[0].Items(0x00081115)[0].Items(0x00081199)[0].String(0x00081155) != "1.2.3.4.5" {
					t.Errorf("%d items of evidence", len(e))
				}
			}
		}
	}
}

// TestSharedPosition: a position that frames share moves once, if all agree where to.
func TestSharedPosition(t *testing.T) {
	shared := position(orientation(measures(dcm.NewBuilder(), "1", "1"), "1", "0", "0", "0", "1", "0"), "0", "0", "0")
	s := build(t, enhanced(false).Items(tagShared, shared).Items(tagPerFrame, dcm.NewBuilder(), dcm.NewBuilder(), dcm.NewBuilder(), dcm.NewBuilder()), explicitLE)
	d := crop(t, s, s.spec(part))
	if got := d.Items(tagShared)[0].Items(tagPlanePosition)[0].String(tagPosition); got != `10\7\0` {
		t.Errorf("got %s", got)
	}
	shared = shared.Items(tagDerivationImage, dcm.NewBuilder().Text(tagDerivation, "before"))
	s = build(t, enhanced(false).Items(tagShared, shared).Items(tagPerFrame, dcm.NewBuilder(), dcm.NewBuilder(), dcm.NewBuilder(), dcm.NewBuilder()), explicitLE)
	d = crop(t, s, s.spec(part, 2, 3))
	list := d.Items(tagShared)[0].Items(tagDerivationImage)
	if len(list) != 2 || !slices.Equal(list[1].Items(tagSourceImage)[0].Ints(0x00081160), []int{2, 3}) {
		t.Errorf("%d derivations, want the earlier one and ours of frames 2 and 3", len(list))
	}
}

// TestBrokenGroups: functional groups that do not hold what they must.
func TestBrokenGroups(t *testing.T) {
	turned := orientation(dcm.NewBuilder(), "0", "1", "0", "1", "0", "0")
	for name, change := range map[string]func(b *dcm.Builder){
		"one item too few":             func(b *dcm.Builder) { b.Items(tagPerFrame, dcm.NewBuilder(), dcm.NewBuilder(), dcm.NewBuilder()) },
		"no items":                     func(b *dcm.Builder) { b.Items(tagPerFrame) },
		"none for frames":              func(b *dcm.Builder) { b.Delete(tagPerFrame) },
		"two shared ones":              func(b *dcm.Builder) { b.Items(tagShared, dcm.NewBuilder(), dcm.NewBuilder()) },
		"no shared one, so no spacing": func(b *dcm.Builder) { b.Delete(tagShared) },
		"no positions": func(b *dcm.Builder) {
			b.Items(tagPerFrame, dcm.NewBuilder(), dcm.NewBuilder(), dcm.NewBuilder(), dcm.NewBuilder())
		},
		"not a sequence": func(b *dcm.Builder) { b.Raw(tagPerFrame, "UN", make([]byte, 16)) },
		"shared position, frames that differ": func(b *dcm.Builder) {
			b.Items(tagShared, position(orientation(measures(dcm.NewBuilder(), "1", "1"), "1", "0", "0", "0", "1", "0"), "0", "0", "0"))
			b.Items(tagPerFrame, dcm.NewBuilder(), turned, dcm.NewBuilder(), dcm.NewBuilder())
		},
	} {
		b := enhanced(false)
		change(b)
		s := build(t, b, explicitLE)
		_, _, err := s.derive(s.spec(part))
		var no *UnsupportedError
		var sequence *dcm.UnsupportedError
		if !errors.As(err, &no) && !errors.As(err, &sequence) {
			t.Errorf("%s: got %v, want an UnsupportedError", name, err)
		}
	}
}

// TestDetectors: nuclear medicine has its position in the detectors.
func TestDetectors(t *testing.T) {
	b := image(storage+"20", 1).Ints(0x00280103, 0).Text(tagSpacing, "4", "2").
		Items(0x00540022, dcm.NewBuilder().Text(tagPosition, "1", "2", "3").Text(tagOrientation, "1", "0", "0", "0", "0", "-1"), dcm.NewBuilder().Text(tagPosition))
	s := build(t, b, explicitLE)
	d := crop(t, s, s.spec(part))
	if got := d.Items(0x00540022)[0].String(tagPosition); got != `21\2\-25` {
		t.Errorf("got %s", got)
	}
}
