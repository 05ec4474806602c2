// Package strictjson reads JSON documents that decide over trust, policies and
// signed payloads, and others whose mistakes should be named by line and key.
//
// encoding/json takes the last of two equal keys, ignores the case of keys and
// leaves unknown ones out, so two readers may see two documents. Here a key that
// stands twice is an error, keys keep their case and order, and every value
// knows its line and its path, for messages.
//
// It imports the standard library only.
package strictjson
