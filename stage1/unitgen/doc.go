// Package unitgen turns the app specs of a pod into the units of the pod's
// systemd. It is pure: descriptions in, files out.
//
// An app NAME becomes NAME.service. default.target wants all of them and is
// reached when they are started, which is when the pod is ready. exit.target,
// under all the names that systemd has for ending, stops them in order and ends
// the pod. apps.target is wanted by every app and by nothing else: when the last
// app has ended it is not needed any more, stops, and so ends the pod.
//
// The pod's root, as units see it, has /raket: bin/exec (the last step of an
// app's start), apps/NAME/rootfs, status, and the way to the outside for logs.
package unitgen
