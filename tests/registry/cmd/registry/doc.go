// Command registry runs Debian's docker-registry in the foreground, for the demo and by hand:
//
//	registry [-addr HOST:PORT] [-net-of PID] DIR
//
// DIR keeps its configuration, log and storage. It prints "ready HOST:PORT" when the registry
// answers, and ends it on SIGTERM or SIGINT.
package main
