// Package keyfetch finds the public keys of an image's publisher on the web and
// downloads them. Whether they are to be trusted is not its concern.
//
// Terms: discovery is appc's meta discovery (spec, "App Container Image Discovery"):
// the page at the image's name, or at a name above it, has tags
// <meta name="ac-discovery-pubkeys" content="PREFIX URL">.
//
// Keys are fetched with HTTPS and a verified certificate, from the first address to
// the last of its redirections; plain HTTP is spoken only where that is asked for,
// and there is no way to do without the certificate: who could put himself in
// between would be the one whose keys are trusted.
//
// It is the importer of github.com/appc/spec/discovery for keys. It imports
// nothing else of raket.
package keyfetch
