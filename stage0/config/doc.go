// Package config reads raket's configuration: small JSON files of several kinds
// in two or three directories.
//
// Terms: a layer is one directory of configuration, of the vendor
// (/usr/lib/raket), of the host (/etc/raket) or of the user (--user-config). A kind
// is what a file is about; its files stand in the directory KIND.d of a layer
// and end in ".json". A later layer wins key by key. Within one layer a key is
// set once.
//
// The format is rkt's ("rktKind" and "rktVersion"), so that its files go on
// working. Kinds that are read: paths, stage1. The directory auth.d, of rkt's
// kinds auth and dockerAuth, is not read.
//
// It imports nothing of raket.
package config
