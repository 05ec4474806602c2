// Gen writes the files that are made from raket's command tree:
//
//	go run ./dist/gen man DIR           a manual page for each verb, in roff
//	go run ./dist/gen completions DIR   raket.bash, _raket (zsh), raket.fish
//
// Both are committed (dist/man, dist/completions), and a test holds them to the
// tree.
package main
