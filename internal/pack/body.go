package pack

import "encoding/binary"

// encodeBody writes the columns of an index that check accepts. The order is that of docs/pack-format.md.
func encodeBody(x *Index) []byte {
	// References first: they fill the string table, which is written before them.
	var t stringTable
	study, writer := t.ref(x.StudyUID), t.ref(x.Writer)
	images, imageOf := imageTable(x)
	type texts struct{ photometric, modality int64 }
	imageTexts := make([]texts, len(images))
	refs := make([][6]int64, len(x.Instances))
	for i := range x.Instances {
		inst := &x.Instances[i]
		refs[i] = [6]int64{t.ref(inst.SeriesUID), t.ref(inst.SOPUID), t.ref(inst.ClassUID), t.ref(inst.Syntax), t.ref(inst.Stored), t.ref(inst.Reason)}
	}
	for i, img := range images {
		imageTexts[i] = texts{t.ref(img.Photometric), t.ref(img.Modality)}
	}

	w := &columnWriter{}
	t.write(w)
	w.uint(uint64(study))
	w.uint(uint64(writer))

	w.uint(uint64(len(x.Blocks)))
	blockGaps := gaps(len(x.Blocks), func(i int) (int64, int64) { return x.Blocks[i].Offset, x.Blocks[i].Size })
	w.plain(len(x.Blocks), blockGaps)
	w.plain(len(x.Blocks), func(i int) int64 { return x.Blocks[i].Size })
	w.plain(len(x.Blocks), func(i int) int64 { return x.Blocks[i].RawSize })

	n := len(x.Entries)
	w.uint(uint64(n))
	w.plain(n, gaps(n, func(i int) (int64, int64) { return x.Entries[i].Offset, x.Entries[i].Size }))
	w.delta(n, func(i int) int64 { return x.Entries[i].Size })
	w.delta(n, func(i int) int64 { return x.Entries[i].RawSize })
	w.plain(n, func(i int) int64 { return int64(x.Entries[i].Coding) })
	w.plain(n, func(i int) int64 { return int64(len(x.Entries[i].LevelEnds)) })
	for _, e := range x.Entries {
		w.delta(len(e.LevelEnds), func(i int) int64 { return e.LevelEnds[i] })
	}

	w.uint(uint64(len(images)))
	for i, img := range images {
		for _, v := range img.numbers() {
			w.b = binary.AppendVarint(w.b, int64(*v)) // as declared, so possibly absurd
		}
		w.uint(uint64(img.flags()))
		w.uint(uint64(imageTexts[i].photometric))
		w.uint(uint64(imageTexts[i].modality))
	}

	n = len(x.Instances)
	w.uint(uint64(n))
	for c := range 6 {
		w.delta(n, func(i int) int64 { return refs[i][c] })
	}
	w.plain(n, func(i int) int64 { return x.Instances[i].flags() })
	w.plain(n, func(i int) int64 { return int64(imageOf[i]) })
	w.delta(n, func(i int) int64 { return int64(x.Instances[i].Header.Block) })
	var last HeaderRange
	w.plain(n, func(i int) int64 {
		h := x.Instances[i].Header
		gap := h.Offset - last.follow(h.Block)
		last = h
		return gap
	})
	w.plain(n, func(i int) int64 { return int64(len(x.Instances[i].Frames)) })
	w.plain(n, func(i int) int64 { return int64(len(x.Instances[i].Segments)) })

	frames, segments := flat(x)
	n = len(frames)
	w.delta(n, func(i int) int64 { return int64(frames[i].Entry) })
	w.plain(n, func(i int) int64 { return frames[i].residueStep() })
	w.plain(n, func(i int) int64 { return frames[i].flags() })
	n = len(segments)
	w.plain(n, func(i int) int64 { return int64(segments[i].Kind) })
	w.plain(n, func(i int) int64 { return segments[i].Length })
	w.delta(n, func(i int) int64 { return int64(segments[i].Ref) })
	w.plain(n, func(i int) int64 { return segments[i].Offset })

	w.uint(uint64(len(x.Digests)))
	eachDigest(x, frames, func(d *Digest) { w.b = append(w.b, d[:]...) })
	return w.b
}

// decodeBody reads the columns. Ranges between records are left to Index.check.
func decodeBody(body []byte) (*Index, error) {
	r := &columnReader{b: body, all: len(body)}
	texts := readStrings(r)
	mostText := int64(len(texts)) - 1
	x := &Index{}
	text := func(to *string) func(int64) {
		return func(v int64) { *to = texts[v] }
	}
	r.plain("study and writer", 2, mostText, func(i int, v int64) { text([]*string{&x.StudyUID, &x.Writer}[i])(v) })

	n := r.count("blocks", 3+32, maxIndexEntries)
	x.Blocks = make([]Block, n)
	r.plain("block gaps", n, maxOffset, func(i int, v int64) { x.Blocks[i].Offset = v })
	r.plain("block sizes", n, maxOffset, func(i int, v int64) { x.Blocks[i].Size = v })
	r.plain("block raw sizes", n, maxOffset, func(i int, v int64) { x.Blocks[i].RawSize = v })
	var end int64
	for i := range x.Blocks {
		x.Blocks[i].Offset += end
		end = min(x.Blocks[i].Offset+x.Blocks[i].Size, 2*maxOffset) // check refuses what lies beyond
	}

	n = r.count("entries", 5+32, maxIndexEntries)
	x.Entries = make([]Entry, n)
	r.plain("entry gaps", n, maxOffset, func(i int, v int64) { x.Entries[i].Offset = v })
	r.delta("entry sizes", n, 0, maxOffset, func(i int, v int64) { x.Entries[i].Size = v })
	r.delta("entry raw sizes", n, 0, maxOffset, func(i int, v int64) { x.Entries[i].RawSize = v })
	r.plain("entry codings", n, int64(len(codings)-1), func(i int, v int64) { x.Entries[i].Coding = Coding(v) })
	levels := make([]int64, n)
	r.plain("level counts", n, 33, func(i int, v int64) { levels[i] = v })
	end = 0
	for i := range x.Entries {
		e := &x.Entries[i]
		e.Offset += end
		end = min(e.Offset+e.Size, 2*maxOffset)
		if levels[i] > 0 && r.err == nil {
			e.LevelEnds = make([]int64, levels[i])
			r.delta("level ends", len(e.LevelEnds), 0, maxOffset, func(j int, v int64) { e.LevelEnds[j] = v })
		}
	}

	images := make([]Image, r.count("images", 10, maxIndexInstances))
	for i := range images {
		img := &images[i]
		for _, v := range img.numbers() {
			*v = int(r.int())
		}
		f := r.uint(imageFlags)
		img.Signed, img.Planar, img.BigEndian = f&imageSigned != 0, f&imagePlanar != 0, f&imageBigEndian != 0
		r.plain("image texts", 2, mostText, func(i int, v int64) { text([]*string{&img.Photometric, &img.Modality}[i])(v) })
	}
	return decodeInstances(r, x, texts, images)
}

func decodeInstances(r *columnReader, x *Index, texts []string, images []Image) (*Index, error) {
	n := r.count("instances", 12, maxIndexInstances)
	list := make([]Instance, n)
	x.Instances = list
	mostText := int64(len(texts)) - 1
	for c, what := range [...]string{"series UIDs", "SOP UIDs", "class UIDs", "syntaxes", "stored syntaxes", "reasons"} {
		r.delta(what, n, 0, mostText, func(i int, v int64) {
			inst := &list[i]
			*[...]*string{&inst.SeriesUID, &inst.SOPUID, &inst.ClassUID, &inst.Syntax, &inst.Stored, &inst.Reason}[c] = texts[v]
		})
	}
	flags := make([]int64, n)
	r.plain("instance flags", n, instanceFlags, func(i int, v int64) {
		flags[i] = v
		list[i].Exact = v&instanceExact != 0
	})
	r.plain("image references", n, int64(len(images)), func(i int, v int64) {
		if v > 0 {
			list[i].Image = &images[v-1]
		}
	})
	r.delta("header blocks", n, 0, maxIndexEntries, func(i int, v int64) { list[i].Header.Block = int(v) })
	r.plain("header gaps", n, maxOffset, func(i int, v int64) { list[i].Header.Offset = v })
	frameCounts, segmentCounts := make([]int, n), make([]int, n)
	allFrames, allSegments := 0, 0
	r.plain("frame counts", n, maxIndexEntries, func(i int, v int64) { frameCounts[i] = int(v); allFrames += int(v) })
	r.plain("segment counts", n, maxIndexSegments, func(i int, v int64) { segmentCounts[i] = int(v); allSegments += int(v) })
	if r.what = "frames and segments"; r.err == nil && (allFrames > maxIndexEntries || allSegments > maxIndexSegments || 3*allFrames+4*allSegments > len(r.b)) {
		r.fail("%d frames and %d segments in %d bytes", allFrames, allSegments, len(r.b))
	}
	if r.err != nil {
		return nil, r.err
	}
	frames, segments := make([]Frame, allFrames), make([]Segment, allSegments)
	frameBits := make([]int64, allFrames)
	r.delta("frame entries", allFrames, 0, maxIndexEntries, func(i int, v int64) { frames[i].Entry = int(v) })
	r.plain("frame residues", allFrames, maxIndexEntries, func(i int, v int64) {
		if frames[i].Residue = -1; v > 0 {
			frames[i].Residue = frames[i].Entry + int(v)
		}
	})
	r.plain("frame flags", allFrames, frameFlags, func(i int, v int64) {
		frameBits[i] = v
		frames[i].SignFill = v&frameSignFill != 0
	})
	r.plain("segment kinds", allSegments, int64(SegmentEntry), func(i int, v int64) { segments[i].Kind = SegmentKind(v) })
	r.plain("segment lengths", allSegments, maxOffset, func(i int, v int64) { segments[i].Length = v })
	r.delta("segment references", allSegments, 0, maxIndexEntries, func(i int, v int64) { segments[i].Ref = int(v) })
	r.plain("segment offsets", allSegments, maxOffset, func(i int, v int64) { segments[i].Offset = v })
	digests := r.count("volume digests", 32, maxIndexEntries)
	if r.err != nil {
		return nil, r.err
	}
	f, s := frames, segments
	var last HeaderRange
	for i := range list {
		inst := &list[i]
		inst.Frames, f = cut(f, frameCounts[i])
		inst.Segments, s = cut(s, segmentCounts[i])
		for _, seg := range inst.Segments {
			inst.FileSize += seg.Length
			if seg.Kind == SegmentHeader {
				inst.Header.Size += seg.Length
			}
		}
		inst.Header.Offset += last.follow(inst.Header.Block)
		last = inst.Header
	}
	for i := range x.Blocks {
		r.digest(&x.Blocks[i].SHA256)
	}
	for i := range x.Entries {
		r.digest(&x.Entries[i].SHA256)
	}
	for i := range frames {
		if frameBits[i]&frameSample != 0 {
			r.digest(&frames[i].SampleSHA256)
		}
	}
	for i := range list {
		list[i].readDigests(r, flags[i])
	}
	for range digests {
		var d Digest
		r.digest(&d)
		x.Digests = append(x.Digests, d)
	}
	if r.err == nil && len(r.b) > 0 {
		r.fail("%d bytes too many", len(r.b))
	}
	if r.err != nil {
		return nil, r.err
	}
	return x, nil
}

func (inst *Instance) readDigests(r *columnReader, flags int64) {
	if flags&instanceFile != 0 {
		r.digest(&inst.FileSHA256)
	}
	switch {
	case flags&instanceSampleSame != 0 && len(inst.Frames) == 1:
		inst.SampleSHA256 = inst.Frames[0].SampleSHA256
	case flags&instanceSampleSame != 0:
		r.fail("samples of one frame in an instance of %d", len(inst.Frames))
	case flags&instanceSample != 0:
		r.digest(&inst.SampleSHA256)
	}
	switch {
	case flags&instanceNativeSame != 0:
		inst.NativeSHA256 = inst.SampleSHA256
	case flags&instanceNative != 0:
		r.digest(&inst.NativeSHA256)
	}
}

// eachDigest calls visit for every digest that is stored, in order.
func eachDigest(x *Index, frames []Frame, visit func(*Digest)) {
	for i := range x.Blocks {
		visit(&x.Blocks[i].SHA256)
	}
	for i := range x.Entries {
		visit(&x.Entries[i].SHA256)
	}
	for i := range frames {
		if frames[i].flags()&frameSample != 0 {
			visit(&frames[i].SampleSHA256)
		}
	}
	for i := range x.Instances {
		inst := &x.Instances[i]
		f := inst.flags()
		if f&instanceFile != 0 {
			visit(&inst.FileSHA256)
		}
		if f&instanceSample != 0 {
			visit(&inst.SampleSHA256)
		}
		if f&instanceNative != 0 {
			visit(&inst.NativeSHA256)
		}
	}
	for i := range x.Digests {
		visit(&x.Digests[i])
	}
}

func (inst *Instance) flags() int64 {
	var f int64
	if inst.Exact {
		f |= instanceExact
	}
	if inst.FileSHA256 != (Digest{}) {
		f |= instanceFile
	}
	if s := inst.SampleSHA256; s != (Digest{}) {
		if len(inst.Frames) == 1 && s == inst.Frames[0].SampleSHA256 {
			f |= instanceSampleSame
		} else {
			f |= instanceSample
		}
	}
	if n := inst.NativeSHA256; n != (Digest{}) {
		if n == inst.SampleSHA256 {
			f |= instanceNativeSame
		} else {
			f |= instanceNative
		}
	}
	return f
}

func (f *Frame) flags() int64 {
	var b int64
	if f.SignFill {
		b |= frameSignFill
	}
	if f.SampleSHA256 != (Digest{}) {
		b |= frameSample
	}
	return b
}

// residueStep is the distance from a frame's entry to its residue's, which follows it; 0 if there is none.
func (f *Frame) residueStep() int64 {
	if f.Residue < 0 {
		return 0
	}
	return int64(f.Residue - f.Entry)
}

// follow is where the next header starts if it lies in that block.
func (h HeaderRange) follow(block int) int64 {
	if block != h.Block {
		return 0
	}
	return h.Offset + h.Size
}

func (img *Image) flags() int64 {
	var f int64
	if img.Signed {
		f |= imageSigned
	}
	if img.Planar {
		f |= imagePlanar
	}
	if img.BigEndian {
		f |= imageBigEndian
	}
	return f
}

// numbers lists the numeric fields of an image in their stored order.
func (img *Image) numbers() [7]*int {
	return [...]*int{&img.Rows, &img.Columns, &img.Frames, &img.Samples, &img.BitsAllocated, &img.BitsStored, &img.HighBit}
}

// imageTable lists the distinct images of an index in the order of first use,
// and for each instance 1 + the number of its image (0: none).
func imageTable(x *Index) (images []*Image, of []int) {
	known := make(map[Image]int)
	of = make([]int, len(x.Instances))
	for i := range x.Instances {
		img := x.Instances[i].Image
		if img == nil {
			continue
		}
		at, ok := known[*img]
		if !ok {
			at = len(images)
			known[*img] = at
			images = append(images, img)
		}
		of[i] = at + 1
	}
	return images, of
}

// gaps returns the distance of each range from the end of the one before it.
func gaps(n int, at func(i int) (offset, size int64)) func(i int) int64 {
	var end int64
	return func(i int) int64 {
		offset, size := at(i)
		gap := offset - end
		end = offset + size
		return gap
	}
}

func flat(x *Index) (frames []Frame, segments []Segment) {
	for i := range x.Instances {
		frames = append(frames, x.Instances[i].Frames...)
		segments = append(segments, x.Instances[i].Segments...)
	}
	return frames, segments
}

// cut takes the first n elements, nil if n is 0.
func cut[T any](list []T, n int) (head, rest []T) {
	if n == 0 {
		return nil, list
	}
	return list[:n:n], list[n:]
}
