// Package unitfile writes systemd unit files, and is the only package that does.
//
// Whatever reaches a unit file comes from an image, a manifest, a flag or a
// pod file, and one byte in the wrong place there is another directive. So text
// goes in through methods that know what kind of value they are given:
//
//   - [File.Set] takes plain text: specifiers (%) are escaped;
//   - [File.SetRaw] takes a value already in systemd's syntax, an operator's own
//     directive, and holds it to its one line;
//   - [File.Words] takes a list of plain words, [File.Units] one of unit names;
//   - [File.Exec] takes a command line: any bytes but NUL;
//   - [File.Env] takes an environment assignment;
//   - [File.Path], [File.Paths] and [File.Bind] take paths, whose quoting differs again.
//
// What systemd cannot express is an error, never changed text. Errors stick:
// the first one is returned by [File.Bytes], and everything after it is ignored.
//
// The rules are systemd.syntax(7), "Quoting"; systemd.service(5), "Command
// lines"; and, where these are silent, systemd's own parser, which the tests run.
//
// The package imports nothing of this module.
package unitfile
