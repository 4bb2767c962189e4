// Package cost knows what storage costs: price books, which are data with a source and a date, and the formulas that say what keeping, moving and reading costs.
//
// All money is decimal and exact; the only divisions are those by units and by the hours of a month, to 24 digits. A price that a book does not have is an error that names
// class, meter and date, never 0. Sums of different currencies do not exist. The package reads nothing but the files it is given.
package cost
