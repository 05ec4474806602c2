// Command metadata is the metadata service of one pod (appc spec, "App Container
// Metadata Service"). The pod's systemd listens, starts it with the first
// connection, and starts it again when it has ended for want of work.
//
// Usage:
//
//	metadata DIR [HOSTKEY]
//
// DIR is laid out as pkg/podmetadata has it. With the file HOSTKEY it verifies other
// pods' signatures too. The listening socket is descriptor 3.
//
// It speaks as much of HTTP/1.1 as the API takes: one request on a connection, GET
// and POST, a body of a known length. Clients are hostile: a request has a size and
// a time, connections have a number. One that is too many takes the place of the one
// that has been waiting longest, so that clients who say nothing keep nobody out.
//
// One thread waits for all of them with poll(2). The packages net and net/http would
// make it ten times as big.
package main
