// Package config reads raket's configuration: small JSON files of several kinds
// in two or three directories.
//
// Terms: a layer is one directory of configuration, of the vendor
// (/usr/lib/raket), of the host (/etc/raket) or of the user (--user-config). A kind
// is what a file is about; its files stand in the directory KIND.d of a layer
// (auth.d for both kinds of authorization) and end in ".json". A later layer
// wins key by key, of kind auth domain by domain, of dockerAuth registry by
// registry. Within one layer each is set once.
//
// The format is rkt's ("rktKind" and "rktVersion"), so that its files go on
// working. Kinds that are read: auth, dockerAuth, paths, stage1.
//
// Files with passwords may be readable by all: nothing is said of it, as with
// rkt. Who wants a secret of his own keeps it in a --user-config. Secrets are in
// no error, and in no output of package fmt (Secret).
//
// It imports nothing of raket.
package config
