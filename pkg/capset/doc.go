// Package capset has the kernel's capabilities: their names and numbers, sets as
// bit masks, and how a thread gives them up.
//
// It imports the system call package only: the last program before an app's uses
// it, and each app pays for that program's start.
package capset
