// Package registries says where a registry's images are asked for, as
// registries.conf (version 2, containers-registries.conf(5)) has it.
//
// Terms:
//
//   - endpoint: a registry and repository to ask; a mirror, or the one the
//     reference names, possibly under another name (location).
//   - alias: the full name that a short one ("nginx") stands for. Short names
//     without one are refused: guessing registries lets anyone answer.
//
// It reads configuration only and never speaks to a registry. It may use
// pkg/image; it must not use stage0/fetch.
package registries
