// Package progress shows how far transfers are: bars that move on a terminal,
// one line for each finished transfer elsewhere, or nothing.
//
// It imports nothing of raket.
package progress
