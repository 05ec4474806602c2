// Package imagetest makes small images for tests, and serves them as a
// registry that can be told to misbehave.
//
// Only tests may use it.
package imagetest
