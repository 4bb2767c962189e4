package catalog

import "time"

// ManifestSchema names the JSON schema of a manifest; readers accept this and earlier ones.
const ManifestSchema = "radtier.manifest/1"

// Class is what is kept of a study; each class has a clock of its own.
type Class string

const (
	ClassFull    Class = "full"    // every instance, lossless
	ClassRegion  Class = "region"  // key-lesion slices and crops
	ClassResult  Class = "result"  // reports and evidence: SR, KOS, presentation states, SEG, RTSTRUCT, documents
	ClassPreview Class = "preview" // thumbnails and low resolutions
	// ClassHot is the hot bundle's row in the catalog's holdings; no pack has it. It lives as long as anything of the study.
	ClassHot Class = "hot"
)

// Manifest is one generation of one study: the whole truth about where its
// bytes are. It is immutable, always hot, and names everything that the
// generation refers to; what no published manifest names is an orphan.
// It holds UIDs and digests and no patient data.
type Manifest struct {
	Schema     string    `json:"schema"`
	Tenant     string    `json:"tenant"`
	StudyUID   string    `json:"study_uid"`
	Generation int64     `json:"generation"` // parent's + 1; the first is 1
	Parent     *Ref      `json:"parent,omitempty"`
	Job        string    `json:"job"`
	Attempt    int       `json:"attempt"`
	Action     string    `json:"action"` // "derive", later "move", "purge", ...
	Created    time.Time `json:"created"`
	// FirstCreated is when generation 1 was made, Arrivals how many arrivals of
	// the study this generation covers: with them the catalog's row can be rebuilt from the head alone.
	FirstCreated time.Time `json:"first_created"`
	Arrivals     int64     `json:"arrivals"`
	// Batches are the digests of the arrivals that are covered, the last of them last, at most MaxBatches. One that comes again, from a
	// sender that repeats itself or with a catalog restored from a backup, is done already, also when its source files were removed since.
	Batches []string `json:"batches,omitempty"`
	Status  Status   `json:"status"`

	Packs []Pack  `json:"packs"`
	Hot   *Bundle `json:"hot,omitempty"`

	// Quarantined lists received files that are not in any pack, with their reason; their bytes are kept under Key.
	Quarantined []Quarantined `json:"quarantined,omitempty"`
	// Withdrawn lists instances that reads must not show (IOCM rejections), Amendments corrections applied on every read.
	Withdrawn  []Withdrawn `json:"withdrawn,omitempty"`
	Amendments []Amendment `json:"amendments,omitempty"`
	Conflicts  []Conflict  `json:"conflicts,omitempty"`
	Holds      []Hold      `json:"holds,omitempty"`
	Trash      []Trashed   `json:"trash,omitempty"`    // classes that expired and are hidden
	Restored   []Restored  `json:"restored,omitempty"` // classes that were brought back from colder tiers for a while
	Erase      *Erasure    `json:"erase,omitempty"`    // an erasure that is not done yet
	// Certificates say what was purged or erased, the oldest first.
	Certificates []Certificate `json:"certificates,omitempty"`
	// About is nil in manifests of versions that did not write it, Custody if nobody told anything.
	About   *About   `json:"about,omitempty"`
	Custody *Custody `json:"custody,omitempty"`
	// Regions is what is known about lesions: nil if nothing says anything about them, or nobody looked yet. Annotations are JSON annotation
	// documents as they were received. Review is what a person said, see [Manifest.Answered]. Cites are images of other studies
	// that documents of this one refer to: commits re-open those studies.
	Regions     *RegionRecord `json:"regions,omitempty"`
	Annotations []Annotation  `json:"annotations,omitempty"`
	Review      *Review       `json:"review,omitempty"`
	Cites       []Cite        `json:"cites,omitempty"`
	// CitedBy lists the citations by other studies that this generation has looked at. Commit fills it.
	CitedBy []CitedBy `json:"cited_by,omitempty"`
	// Intervals has one entry for every object that the parent names and this
	// generation does not. Commit fills it; To is when the object was superseded, the sweep removes it later.
	Intervals []Interval `json:"intervals,omitempty"`
	Totals    Totals     `json:"totals"`
	Enc       *struct{}  `json:"enc,omitempty"` // reserved for a later envelope encryption
}

// Status of a study generation.
type Status string

const (
	StatusStored  Status = "stored"  // everything received is in a pack
	StatusPartial Status = "partial" // some received files are quarantined
)

// Ref names another manifest by key and digest.
type Ref struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"` // hex, of the manifest's bytes
}

// Pack is one volume.
type Pack struct {
	Key       string    `json:"key"`
	Class     Class     `json:"class"`
	Tier      string    `json:"tier"` // name of the configured tier that holds it
	Size      int64     `json:"size"`
	SHA256    string    `json:"sha256"`
	Instances int       `json:"instances"`
	Frames    int       `json:"frames"`
	RawBytes  int64     `json:"raw_bytes"`       // sum of the received files' sizes
	Since     time.Time `json:"since"`           // when it was put
	Index     *Range    `json:"index,omitempty"` // of preview packs: where their index lies in the object, so that one request reads it
	Enc       *struct{} `json:"enc,omitempty"`
}

// Bundle is the hot bundle: copies of all volumes' indexes and header blocks, and the thumbnails, as byte ranges.
type Bundle struct {
	Key    string           `json:"key"`
	Size   int64            `json:"size"`
	SHA256 string           `json:"sha256"`
	Since  time.Time        `json:"since"`
	Parts  []BundlePart     `json:"parts"`            // one per pack, in the order of Manifest.Packs
	Thumbs map[string]Range `json:"thumbs,omitempty"` // "study", or a series UID
}

// BundlePart is where one volume's index and header blocks lie in the hot bundle.
type BundlePart struct {
	Index  Range   `json:"index"`
	Blocks []Range `json:"blocks"`
}

// Range is an offset and a length in bytes.
type Range [2]int64

// Quarantined is a received file that could not be read.
type Quarantined struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Key    string `json:"key"`
	Reason string `json:"reason"`
	SOPUID string `json:"sop_uid,omitempty"`
}

// Withdrawn marks an instance that was rejected.
type Withdrawn struct {
	SeriesUID string    `json:"series_uid"`
	SOPUID    string    `json:"sop_uid"`
	Code      string    `json:"code"` // e.g. "113037,DCM"
	At        time.Time `json:"at"`
}

// Amendment is a demographic correction: the values are stored in an object of their own (they are patient data), never here.
type Amendment struct {
	Key    string    `json:"key"`
	SHA256 string    `json:"sha256"`
	At     time.Time `json:"at"`
}

// Conflict lists versions of one SOP Instance UID that differ.
type Conflict struct {
	SeriesUID string   `json:"series_uid"`
	SOPUID    string   `json:"sop_uid"`
	Kind      string   `json:"kind"`  // "header" (same samples) or "samples"
	Files     []string `json:"files"` // file_sha256 of the versions, in the order they came
}

// Interval is how long an object was of use.
type Interval struct {
	Key   string    `json:"key"`
	Tier  string    `json:"tier"`
	Class Class     `json:"class"`
	Bytes int64     `json:"bytes"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
}

// Totals sums up a generation.
type Totals struct {
	Instances   int   `json:"instances"`
	Frames      int   `json:"frames"`
	RawBytes    int64 `json:"raw_bytes"`    // received files
	StoredBytes int64 `json:"stored_bytes"` // all objects of the manifest, see Manifest.StoredBytes
	Series      int   `json:"series"`
	Passed      int   `json:"passed"` // instances kept as received
}
