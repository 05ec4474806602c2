// Package depcheck holds the tests of the architecture itself: which package may import
// which, and house rules that a parser can see.
//
// The rules are the tables in rules.go. A new dependency on a third-party module is a line
// there, with the one package that imports it: everything else goes through that package.
package depcheck
