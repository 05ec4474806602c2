// Command bandwidth limits what an app sends and receives. It runs in the pod, as root, in the app's control
// group, before each start of the app and after each end:
//
//	bandwidth [-p] [-h IDENTIFIER -u UNIT [-j]] [-m MODES] -s BYTES APP
//	bandwidth -d APP
//
// -s limits the app to so many bytes a second and fails where that cannot be had, -d takes the limit
// away. -p: this program was started in the app's root, by systemd. With -h and -u, descriptor 1, or with -j
// descriptor 2, is a connection to journald; with -m, both are one to who holds the app's streams.
//
// stage1/unitgen writes the command lines. The limit is a table of nf_tables in the network namespace
// that the pod's apps share (pkg/netlimit); the group is made anew at each start, and so is the table.
package main
