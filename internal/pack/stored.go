package pack

import "io"

// StoredWriter writes a ZIP archive of stored entries by the rules of volumes
// and hot bundles, for objects of other packages: front to back, no dates, nothing that depends on anything but the calls.
type StoredWriter struct{ a archive }

// NewStoredWriter starts an archive.
func NewStoredWriter(w io.Writer) *StoredWriter { return &StoredWriter{newArchive(w)} }

// Add writes one entry and returns the offset of its payload in the archive.
func (w *StoredWriter) Add(name string, payload []byte) (int64, error) { return w.a.add(name, payload) }

// PayloadOffset is where the payload of the next entry will lie if it has that name and is smaller than 4 GiB.
func (w *StoredWriter) PayloadOffset(name string) int64 {
	return w.a.size + localBytes + int64(len(name))
}

// Size is how many bytes were written so far, without the central directory.
func (w *StoredWriter) Size() int64 { return w.a.size }

// Close writes the central directory and returns size and SHA-256 of the archive. It does not close the io.Writer.
func (w *StoredWriter) Close() (Summary, error) { return w.a.close() }
