package synth

// Demo makes the studies that `radtier demo` shows.
func Demo(o Options) []Study {
	return []Study{CT(o), MR(o), Chest(o), Ultrasound(o)}
}
