// Command registry runs Debian's docker-registry in the foreground, for the demo and by hand:
//
//	registry [-addr HOST:PORT] [-net-of PID] [-tls [-name NAME]…] [-user NAME:PASSWORD]… DIR
//
// DIR keeps its configuration, log and storage, and with -tls the certificate that clients
// have to trust, ca.pem. It prints "ready HOST:PORT" when the registry
// answers, and ends it on SIGTERM or SIGINT.
package main
