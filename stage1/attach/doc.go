// Package attach is a client of an app's streams: it connects the caller's terminal, pipes
// or files to what stage2's mux holds (pkg/streamwire).
//
// It knows nothing of pods: it is given a connection. It must not import a stage1's
// commands.
package attach
