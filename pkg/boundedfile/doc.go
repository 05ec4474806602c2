// Package boundedfile reads small files whole, with a bound: what others may write,
// or a user names by mistake, must not fill the memory.
//
// It imports nothing of raket.
package boundedfile
