// Package cli is raket's command line. It parses, calls and prints; what is
// done is done elsewhere.
//
// One verb stands in one file, cmd_VERB.go. Main makes the tree of commands, finds
// the verb, which may be shortened, and turns an error into lines on standard
// error and an exit code. Everything a verb touches comes from env: the streams,
// the global flags and the services, which are the parts of raket that do the
// work behind small interfaces (services.go). wire.go binds these to the real
// ones; tests bind them to fakes.
//
// Terms: a verb is a command (run, image list); a global flag is one that every
// verb knows and that may stand before or after it; a hint is the next command
// to try after an error.
//
// Output is for people where it goes to a terminal (aligned, relative times)
// and for programs elsewhere (one tab between columns, absolute times). Called by
// the name rkt it prints what rkt printed.
//
// It is the importer of cobra. It must not import stage1 or stage2.
package cli
