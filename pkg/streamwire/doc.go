// Package streamwire is the language of the program that holds an app's streams
// (stage2/cmd/mux): what it and its clients say to each other, and what the last step
// of the app's start (stage2/cmd/exec) asks of it.
//
// A client speaks frames, one a packet (unix(7), SOCK_SEQPACKET): a letter and what
// belongs to it. It says Hello first. The app's side is a stream socket on which one
// letter asks and one answers, with descriptors (SCM_RIGHTS).
//
// Programs in the pod link it: it imports nothing but errors and strconv.
package streamwire
