// Command forward passes on what apps tell their service manager (sd_notify(3)): to the pod's
// systemd, as if the app had told that itself, and of it to the host's what an operator wants
// to see there. The pod's systemd starts it when an app has something to say, and it ends
// when none has had for a while.
//
// Usage:
//
//	forward [-d PATH | -i PATH] [-s] [-w MICROSECONDS] DIR STATUS APP...
//
// Descriptors from 3 on are datagram sockets, one for each APP, in that order; +NAME is an app
// that has a watchdog. DIR is its own directory, where "ready" appears when the pod is. STATUS
// is the directory in which exec records how apps ended.
//
// The options:
//
//	-d  the host's systemd listens at PATH
//	-i  nothing but texts reach the host, by systemd-nspawn, which listens at PATH to the pod's
//	    init alone
//	-s  the pod has other apps than these
//	-w  feed the watchdog of the host's unit, and stay
//
// Terms: a datagram is what an app sends at once; a mark is which end of an app is on record,
// so that what it said before that is no longer so.
//
// What apps send is hostile: it is bounded, nothing goes to the host as it is, and no more
// often than ten times a second. See docs/adr/0023-what-reaches-the-host.md.
//
// It imports the standard library's os, system calls and what handles text.
package main
