// Command sockets serves the sockets that it is handed (sd_listen_fds(3)), or calls such a
// server under load.
//
// Usage:
//
//	sockets [-listen ADDRESS] [-once]
//	sockets -call NETWORK:ADDRESS [-workers N] [-count N]
//
// As a server it prints a line for each socket, "NAME NETWORK ADDRESS", and answers each
// request, one at a time, with the socket's name and its own PID. TERM ends it after the request
// that it is at; those that still wait are left to the next. With -listen it opens a TCP
// socket itself, named "own". With -once it ends after one request.
//
// As a caller it makes one connection after the other from each worker, until it has made N
// or, without -count, until TERM; at the end it prints "answered=N failed=N". A call of
// which anything fails is not repeated.
package main
