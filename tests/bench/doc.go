// Command bench measures raket beside its peers on this machine: podman (Debian's, with crun), a bare systemd-nspawn that boots
// the same minimal root, skopeo with umoci. Everything that is compared runs in one interleaved run (A B A B …), so that a slow
// minute of the machine falls on all of them. For each figure it prints minimum and median, then the targets of the project,
// each met or missed, and writes the same as JSON.
//
// Terms:
//   - lane: a thread of this program with a mount namespace of its own, from which one family of contenders is started;
//     podman's lane hides the unified cgroup hierarchy, which crun refuses on hybrid layouts;
//   - run: one start of one contender, in a cgroup of its own, from which the CPU time of its whole process tree is read;
//   - contender: what is compared in a scenario; sample: what one run cost;
//   - figure: all samples of one quantity of one contender.
//
// It needs root, a cgroup v2 hierarchy (hybrid is enough), Debian's busybox-static and docker-registry, and the peers;
// a missing peer leaves its rows out and says so. It drives the built bin/raket as a user would and imports nothing of the project but what makes images for tests.
// How to read the result is in docs/benchmarks.md.
package main
