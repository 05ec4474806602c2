// Package appcredential finds the credentials of apps: small secrets that an app
// reads from files, as systemd's services do (systemd.exec(5), "Credentials").
//
// A wish says where one comes from: a file or a directory of the host, a credential
// that raket itself was given ($CREDENTIALS_DIRECTORY, or one of the host's
// credential stores), its standard input, or the command line. Wishes are kept in a
// pod's description; what they lead to never is.
package appcredential
