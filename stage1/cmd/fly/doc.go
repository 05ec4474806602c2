// Command fly is the stage1 without isolation, for agents of the host that come
// as images: one app, in its own root by chroot, in the host's namespaces but
// for a mount namespace that keeps its mounts from the host.
//
// The process that raket was becomes the app. It is one program under the names
// of its entrypoints: run, enter, stop, status, gc.
package main
