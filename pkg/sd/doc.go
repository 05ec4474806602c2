// Package sd speaks to systemd over D-Bus: to the host's for a scope, to a
// pod's, from inside the pod, for the state of its units. It is the one importer
// of go-systemd's dbus package.
package sd
