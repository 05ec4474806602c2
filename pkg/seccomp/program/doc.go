// Package program is a compiled system call filter: as bytes in a file, and on
// the thread that executes an app.
//
// It imports the system call packages only: the last program before an app's uses
// it, and each app pays for that program's start.
package program
