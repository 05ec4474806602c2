// Command mux holds the standard streams of one app that wants a terminal or pipes:
// it connects them to whoever attaches, and copies the app's output to the pod's log.
// The pod's systemd starts it before the app, of which it knows nothing but the streams.
//
// Usage:
//
//	mux -d DIR -m MODES [-i UID] [-l N] [-h IDENTIFIER -u UNIT] [-o SOCKET]
//
// The options:
//
//	-d      the directory of its two sockets (pkg/streamwire), in the pod's root and out
//	        of the reach of apps
//	-m      the modes of the three streams
//	-i      the user to whom pipes belong: an app may open its own streams again
//	-l      descriptors 1 and 2 are the log of output and of errors; with 1, descriptor 1 is
//	        that of both; with 0 there is none
//	-h, -u  the log is a fresh connection to journald: write its header
//	-o      connect to this socket first: there is the owner of the app's terminal, who
//	        takes it along when it goes without a Detach
//
// # What waits for whom
//
// Output is read as fast as the slowest receiver takes it, but a receiver that has kept
// the app waiting for so long as patience, without having caught up in between, does
// so no more: what does not fit into its queue is counted and left out until the queue is
// empty. Nobody can stop the app by not reading, nor starve the others. What the app
// writes while nobody is attached is kept, up to missedLimit bytes of the last, for
// the next who comes.
//
// Pipes and terminals are left with systemd (FDSTORE=): if mux is killed, its
// successor goes on with them.
//
// It is one loop around poll(2), so that nothing has to be locked. It imports the standard
// library's os, os/signal and the system call packages.
package main
