// Command peer tells callers who they are: what a server sees of them through address
// translation.
//
// Usage:
//
//	peer NETWORK:ADDRESS…
//	peer -call [-from ADDRESS] NETWORK:ADDRESS
//
// As a server it listens on all the addresses, NETWORK being tcp or udp, and answers each
// connection or datagram with "CALLER SERVER": both ends' IP addresses and the server's port, as
// "10.0.0.1 10.0.0.2:80". It sends READY=1 when it listens. As a caller it makes one
// call, prints the answer, and fails if there is none within five seconds.
package main
