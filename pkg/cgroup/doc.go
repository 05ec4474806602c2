// Package cgroup puts a process into a control group of its own, on hosts with
// the unified hierarchy, with the legacy ones, and with both.
//
// On a host that systemd manages a pod stays in its unit's group, or gets a
// scope from systemd. Elsewhere nobody makes groups, and two pods in one group
// would be mixed up by nspawn, so this package makes them.
package cgroup
