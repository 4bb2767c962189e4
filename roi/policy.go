package roi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Policy is how much is kept around a lesion. All lengths are mm.
type Policy struct {
	InPlane      float64 `json:"in_plane_mm"`      // margin in the plane of cross-sections
	Along        float64 `json:"along_mm"`         // margin along the normal; at least one slice
	Other        float64 `json:"other_mm"`         // both margins on series that are not annotated themselves: organs move between phases
	Share        float64 `json:"share"`            // of the lesion's longest side, added to the margin in the plane
	KeySlab      float64 `json:"key_slab_mm"`      // kept on each side of a key slice; at least one slice
	Sphere       float64 `json:"sphere_mm"`        // least extent assumed on each side of a mark on a single slice
	MinSide      int     `json:"min_side_px"`      // least side of a crop, pixels
	SmallFrame   int     `json:"small_frame_px"`   // frames of at most this side are kept whole
	MaxCropShare float64 `json:"max_crop_share"`   // crops of more than this share of the frame are not worth it: whole slices
	FullFrame    float64 `json:"full_frame_share"` // marks over more than this share of a frame mean the whole frame
	MergeGap     float64 `json:"merge_gap_mm"`     // regions of one series that are nearer than this may be merged
	MergeGrowth  float64 `json:"merge_growth"`     // if their union is at most this many times their sum
	// AnnotatedSeriesOnly keeps nothing on series without marks of their own.
	AnnotatedSeriesOnly bool `json:"annotated_series_only,omitempty"`
	// WholeSlices makes no crops.
	WholeSlices bool `json:"whole_slices,omitempty"`
}

// minMargin absorbs half-pixel differences between producers of coordinates.
const minMargin = 2

// DefaultPolicy keeps 10 mm and a quarter of the lesion around it.
func DefaultPolicy() Policy {
	return Policy{InPlane: 10, Along: 5, Other: 20, Share: 0.25, KeySlab: 10, Sphere: 10, MinSide: 64, SmallFrame: 256,
		MaxCropShare: 0.5, FullFrame: 0.6, MergeGap: 10, MergeGrowth: 1.5}
}

// Digest names the policy.
func (p Policy) Digest() string {
	b, _ := json.Marshal(p) // a struct of numbers and flags
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
