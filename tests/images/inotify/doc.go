// Package inotify waits for changes in one directory.
//
// The demo's programs follow files that are renamed, replaced and truncated; watching the
// directory sees all of that. It imports nothing of raket.
package inotify
