// Package preview is the format of preview packs: for every frame of a study
// a small picture of it, complete in itself, in one object that stays hot
// when the frames go cold.
//
// A small picture is an HTJ2K codestream (1.2.840.10008.1.2.4.202) of the same samples at a lower resolution: the lowest resolution
// levels of the full one with rewritten headers where it has levels ([Reduced]), else
// encoded anew from averaged samples ([Averaged]) or, where an average means
// nothing, from every k-th sample ([Picked]). Its values have the scale of the full frame's, so windows and rescaling stay valid.
//
// The pack is a ZIP archive of stored entries, like the packs of package pack:
//
//	c000000.jhc   small codestreams, one after another, up to 1 MiB or the end of a series
//	preview.rti   the Index, last entry of all
//
// Series follow one another, and a series' frames lie in the order in which a viewer shows
// them, so two requests (index, range of the series) bring all slices of a series. The index also says what showing
// needs (see [Display], [Plane]) and how to make the full frame from the small one and one more range ([Frame.Rest], [Upgrade]).
// It holds UIDs and no other data of the patient; the pictures are pictures of the patient all the same, and
// are protected like them.
//
// docs/preview-format.md describes the bytes.
package preview
