// Package registries says where a registry's images are asked for, as
// registries.conf (version 2, containers-registries.conf(5)) has it.
//
// Terms:
//
//   - endpoint: a registry and repository to ask; a mirror, or the one the
//     reference names, possibly under another name (location).
//   - prefix: the beginning of an image's name, up to a separator, that a
//     [[registry]] table is about. The longest that fits is the one that counts.
//     A host without a port stands for all its ports, as with podman.
//   - alias: the full name that a short one ("nginx") stands for. Short names
//     without one are refused: guessing registries lets anyone answer. The
//     search list only says what might have been meant, and short-name-mode is
//     read and changes nothing.
//   - drop-in: a file NAME.conf in the directory registries.conf.d beside a
//     registries.conf. What it sets replaces what was set before, registry by
//     registry and alias by alias.
//
// Files are strict: what is not known, or known and wrong, is an error with file,
// line and key. What differs from podman: a prefix may stand once in a file; one
// with a tag or digest counts as the manual page says, while podman passes over
// it; and a location cannot put another tag or digest in its place.
//
// It reads configuration only and never speaks to a registry. It may use
// pkg/image; it must not use stage0/fetch.
package registries
