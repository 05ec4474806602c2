// Command health checks the health of an app once, from the pod's root, and writes the
// result. The pod's systemd executes it by a timer, and at the app's start; it is
// resident in no pod.
//
// Usage:
//
//	health [OPTION]... APP [-- [JOIN OPTION]... -- PROGRAM [ARG]...]
//
// PROGRAM is executed in the app by stage2's join, whose options it stands behind; they
// lack what only a running app can tell: descriptors of its root, its namespaces and its
// control groups.
//
// The options:
//
//	-h IDENTIFIER -u UNIT  file descriptor 1 is a fresh connection to journald
//	-j      of these: descriptor 2 is, and 1 is not
//	-s      the app starts: forget what was. Nothing is checked, but with -y
//	-p      systemd has entered the app's root
//	-y MS   of -s: check until the app is healthy, and fail if it is not after so long
//	-i MS   of -y: the longest time between two checks
//	-d MS   do not check before the app has run so long
//	-t MS   how long a check may take
//	-r N    how many failures in a row it takes
//	-S MS   how long after the app's start failures do not count
//	-a none|kill|restart|stop  what is done about an unhealthy app
//	-g FILE a control group to join, by its "tasks"; repeated
//	-B      the app's capabilities are those of its main process
//
// The record is status/.health-APP of the pod's directory; see record.go.
package main
