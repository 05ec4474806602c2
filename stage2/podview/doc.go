// Package podview shows the pod to programs that systemd has started in the root of an app, where
// nothing of the pod is seen, and where the app's directives may hide processes.
//
// Programs that start without Go's runtime use it: it must not need that (stage2/bare).
package podview
