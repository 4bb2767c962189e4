// Package render turns the samples of a frame into an 8-bit picture for
// people to look at: previews and thumbnails, never the diagnostic samples.
//
// [Frame] and [FrameRaw] follow the order that DICOM prescribes (PS3.3 C.11,
// C.7.6.3, PS3.4 N.2): mask and sign-extend the stored bits, set padding
// aside, Modality LUT, VOI LUT or window, presentation inversion (once),
// colour. [Thumbnail] then corrects the pixel aspect and shrinks by area
// average, in display values. [ParamsFrom] collects what steers this from a
// data set and one frame's functional groups; the functions themselves depend
// on nothing but their arguments, and equal input gives equal output.
//
// [PickFrame], [PickInstance] and [PickSeries] say which picture stands for an
// instance, a series and a study; [NoPicture] which objects have none, and
// why. A thumbnail must not show who the patient is (PS3.18 10.4.3.3.4): see
// [PHIRisk] and [Guard].
//
// Errors are those of package codecs: a *[codecs.MalformedError] for a data
// set that contradicts itself, an *[codecs.UnsupportedError] for what is legal
// but not drawn here. A missing picture never makes an object unusable. ICC
// profiles are not applied; [Params.ICCProfile] says that there was one.
//
// The package is the only door to github.com/disintegration/imaging.
package render
