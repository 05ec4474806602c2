// Package appspec makes app specs: how one app runs.
//
// An app spec is an OCI runtime-spec config.json. It is the narrow waist of the
// launcher: images of every kind go in, and units, a chroot exec or an OCI
// runtime's bundle come out. The way of one app:
//
//	FromOCI, FromAppc, FromAppcApp, FromSpec   an image or a bundle → App
//	App.Apply                                  overrides from flags, manifest or pod file
//	App.Resolve                                bound to its root file system → Spec
//	Marshal, Parse                             Spec ↔ config.json
//
// Terms:
//
//   - App: a spec in the making. Users are names, the executable is not yet
//     found, entrypoint and arguments are still two lists.
//   - Spec: the finished runtime-spec document.
//   - Property: a systemd directive of the app, kept in the annotation
//     org.systemd.property.NAME; see [Properties].
//
// docs/app-spec.md says what becomes of each field.
//
// Everything here is pure: files of the image come in as bytes or behind
// functions of the caller. The package must not import other packages of this
// module but pkg/seccomp, and it is the importer of the runtime-spec types: the aliases here are
// for the rest.
package appspec
