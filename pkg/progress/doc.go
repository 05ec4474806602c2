// Package progress shows what fetching does: bars that move on a terminal, one
// line for each finished transfer elsewhere, a line of JSON for each event for
// programs, or nothing.
//
// Terms:
//
//   - transfer: bytes of one blob on their way, of a total that may be unknown.
//   - note: something that happened besides, as that a name is being resolved.
//   - renderer: what shows both; there are three, and a nil Display.
//
// No text reaches a terminal before control characters, and whatever is not
// ASCII, were replaced: a name from a registry must neither move the cursor nor
// be wider than it is long. The cursor is never hidden, and rests at the start
// of a line between two drawings, so that a process that is killed leaves the
// terminal as it should be.
//
// It imports nothing of raket.
package progress
