// Package space is the geometry of image frames in the patient (PS3.3
// C.7.6.2): planes, their pixels, and boxes.
//
// Patient coordinates are millimetres, x to the left, y to the back, z to the
// head. A frame of reference is a UID; points of different ones must never be
// compared.
//
// Pixel coordinates have x along a row (columns) and y along a column (rows).
// Two conventions exist, and every name here says which it means: edge
// coordinates have 0,0 at the outer corner of the first pixel (SCOORD,
// presentation states), centre coordinates at its centre. edge = centre + 0.5.
package space
