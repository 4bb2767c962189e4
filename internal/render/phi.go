package render

import (
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"

	"github.com/radtier/radtier/internal/dcm"
)

// PHIPolicy says what becomes of pictures that may show a patient's name.
type PHIPolicy string

const (
	PHIAllow PHIPolicy = "allow" // draw them as they are
	PHIMask  PHIPolicy = "mask"  // black out what lies outside the ultrasound regions; without regions, deny
	PHIDeny  PHIPolicy = "deny"  // no picture
)

// ErrPHI says that a picture may identify the patient and is therefore not made.
var ErrPHI = errors.New("render: the picture may identify the patient, and the policy denies it")

// riskyModalities are those whose devices write names into the picture, so that silence of Burned In Annotation proves nothing.
var riskyModalities = []string{"US", "ES", "XC", "SC", "OT", "XA", "RF", "ECG", "DOC"}

// PHIRisk reports whether a picture of the object may identify the patient:
// Burned In Annotation (0028,0301) is YES, or says nothing in a secondary capture or a modality that is known for it.
func PHIRisk(ds *dcm.Dataset) bool {
	switch ds.String(0x00280301) {
	case "YES":
		return true
	case "NO":
		return false
	}
	return slices.Contains(riskyModalities, ds.String(0x00080060)) || isSecondaryCapture(ds.String(0x00080016))
}

// isSecondaryCapture reports whether a SOP Class is one of the Secondary Capture classes.
func isSecondaryCapture(class string) bool {
	const base = "1.2.840.10008.5.1.4.1.1.7"
	return class == base || strings.HasPrefix(class, base+".")
}

// Guard applies the policy to a picture of full size, before it is scaled, and
// returns what may be shown. It draws into img. The error is [ErrPHI].
func Guard(img image.Image, p Params, policy PHIPolicy) (image.Image, error) {
	switch {
	case !p.PHIRisk || policy == PHIAllow:
		return img, nil
	case policy == PHIMask && p.Ultrasound && len(p.Regions) > 0:
		return img, maskOutside(img, p.Regions)
	}
	return nil, ErrPHI
}

// maskOutside blackens all pixels that lie in none of the regions.
func maskOutside(img image.Image, keep []image.Rectangle) error {
	var pix []uint8
	var stride, size int
	switch img := img.(type) {
	case *image.Gray:
		pix, stride, size = img.Pix, img.Stride, 1
	case *image.NRGBA:
		pix, stride, size = img.Pix, img.Stride, 4
	default:
		return unsupported(fmt.Sprintf("mask in an image of type %T", img))
	}
	width := img.Bounds().Dx()
	shown := make([]bool, width)
	for y := range img.Bounds().Dy() {
		clear(shown)
		for _, r := range keep {
			if y < r.Min.Y || y >= r.Max.Y {
				continue
			}
			for x := min(r.Min.X, width); x < min(r.Max.X, width); x++ {
				shown[x] = true
			}
		}
		row := pix[y*stride:]
		for x, ok := range shown {
			if !ok {
				p := row[x*size : (x+1)*size]
				clear(p[:min(3, size)])
			}
		}
	}
	return nil
}
