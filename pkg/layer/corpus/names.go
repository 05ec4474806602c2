package corpus

import (
	"fmt"
	"strings"
)

func names() []Archive {
	c := &chapter{class: classNames}
	file := func(name string) []string { return []string{name + " -rw-r--r-- "} }
	for _, n := range []struct{ name, does, file string }{
		{"newline", "a name with a newline, like a second line of a list", "a\nb"},
		{"control", "a name that clears the screen", "\x1b[2J\x1b[H\x07"},
		{"invalid-utf8", "a name that is not UTF-8", "\xff\xfe\x80"},
		{"right-to-left", "a name that turns the reading direction", "\u202egpj.exe"},
		{"option", "a name that looks like an option", "-rf"},
		{"blanks", "a name of blanks", "  "},
		{"shell", "a name of a shell command", "$(reboot);`reboot`|&'\""},
		{"percent", "a name of a format", "%s%n%n"},
		{"longest", "the longest name a file system has", strings.Repeat("x", 255)},
	} {
		c.contained("name-"+n.name, n.does, file(n.file), entry{name: n.file})
	}
	c.refused("name-too-long", "a name of 256 bytes", "too long", entry{name: strings.Repeat("x", 256)})
	c.refused("name-beyond-paths", "a path of 6,001 bytes", "too long", entry{name: strings.Repeat("x/", 3000) + "x"})
	c.refused("name-gnu-huge", "a GNU long name of 1 MB", "too long", entry{raw: gnuLong('L', strings.Repeat("x/", 500_000))}, entry{name: "f"})
	c.refused("control-quoted", "control characters in a name that is refused", `\x1b[2J`, entry{name: "\x1b[2J/../x"})
	c.contained("case", "names that differ in case", []string{"FILE -rw-r--r-- 2", "File -rw-r--r-- 1", "file Lrwxrwxrwx -> /"},
		entry{name: "File", body: "1"}, entry{name: "FILE", body: "2"}, entry{name: "file", kind: symlink, link: "/"}).Note = "three files, on a file system of Linux"
	c.contained("normalization", "one letter in two spellings of Unicode", []string{"e\u0301 -rw-r--r-- 2", "\u00e9 -rw-r--r-- 1"},
		entry{name: "\u00e9", body: "1"}, entry{name: "e\u0301", body: "2"})
	return c.list
}

func repeats(canary string) []Archive {
	c := &chapter{class: classRepeats}
	c.contained("twice", "one file twice", []string{"f -rw-r--r-- 2"}, entry{name: "f", body: "1", mode: 0o4755}, entry{name: "f", body: "2"}).Note = "the last one wins"
	c.contained("file-link-file", "a file, a link, a file", []string{"f -rw-r--r-- 2"},
		entry{name: "f", body: "1"}, entry{name: "f", kind: symlink, link: canary + "/dir/file"}, entry{name: "f", body: "2"})
	c.contained("directory-file-directory", "a directory, a file, a directory", []string{"d drwxr-xr-x", "d/y -rw-r--r-- "},
		entry{name: "d/x"}, entry{name: "d", body: "x"}, entry{name: "d", kind: dir}, entry{name: "d/y"})
	c.contained("nested-directory-file", "a file in the place of a directory with content, not at the root",
		[]string{"a drwxr-xr-x", "a/b drwxr-xr-x", "a/b/d -rw-r--r-- x", "a/b/e -rw-r--r-- "},
		entry{name: "a/b/d/e/f"}, entry{name: "a/b/d", body: "x"}, entry{name: "a/b/e"})
	c.contained("slash-or-not", "one name with and without a slash at its end", []string{"d drwx------", "f -rw-r--r-- x"},
		entry{name: "d", kind: dir}, entry{name: "d/", kind: dir, mode: 0o700}, entry{name: "f/", body: "x"})
	c.contained("spellings", "one name in four spellings", []string{"a drwxr-xr-x", "a/f -rw-r--r-- 4"},
		entry{name: "a/f", body: "1"}, entry{name: "./a/f", body: "2"}, entry{name: "/a//f", body: "3"}, entry{name: "a/./f", body: "4"})
	c.contained("directory-twice", "a directory twice, with another mode and owner", []string{"d drwx------ uid=8", "d/f -rw-r--r-- "},
		entry{name: "d", kind: dir, mode: 0o777, uid: 7}, entry{name: "d/f"}, entry{name: "d", kind: dir, mode: 0o700, uid: 8})
	c.contained("mode-outlives", "the mode of a directory that is replaced by another", []string{"d drwxr-xr-x", "d/x -rw-r--r-- "},
		entry{name: "d", kind: dir, mode: 0o1777, uid: 7}, entry{name: "d", body: "x"}, entry{name: "d/", body: "x"}, entry{name: "d", kind: dir}, entry{name: "d/x"})
	var flips []entry
	for i := range 300 {
		flips = append(flips, entry{name: "d/a/b", body: "x"}, entry{name: "d", kind: symlink, link: fmt.Sprint(canary, i)})
		flips = append(flips, entry{name: "d", kind: dir})
	}
	c.contained("flips", "300 times a directory, then a link", []string{"d drwxr-xr-x"}, flips...)
	flips = nil
	for i := range 1100 {
		name := fmt.Sprint("d", i)
		flips = append(flips, entry{name: name, kind: dir}, entry{name: name})
	}
	c.refused("replacements", "1,100 directories that become files", "replaces too many", flips...)
	return c.list
}

func whiteouts() []Archive {
	c := &chapter{class: classWhiteouts}
	const hidden = " Dc--------- 0:0"
	lower := []entry{{name: "d/f", body: "1"}, {name: "e/g", body: "1"}}
	lowerTree := []string{"d drwxr-xr-x", "d/f -rw-r--r-- 1", "e drwxr-xr-x", "e/g -rw-r--r-- 1"}
	c.refused("whiteout-of-nothing", "a whiteout of no name", "whiteout", entry{name: ".wh."})
	c.refused("whiteout-of-dot", "a whiteout of .", "whiteout", entry{name: "d/.wh.."})
	c.refused("whiteout-of-dot-dot", "a whiteout of ..", "whiteout", entry{name: "d/.wh..."})
	c.refused("below-a-whiteout", "a file below a whiteout", "whiteout", entry{name: ".wh.d/f"})
	c.refused("whiteout-dot-dot", "a whiteout through ..", `".."`, entry{name: "d/../../.wh.etc"})
	c.contained("whiteout-through-slash", "a whiteout of .. with a slash at its end", nil, entry{name: ".wh.x/", kind: dir}).Note = "the slash is dropped"
	c.contained("whiteout-bookkeeping", "aufs's own files", nil, entry{name: ".wh..wh.plnk", kind: dir}, entry{name: ".wh..wh.aufs"}).Note = "left out"
	c.list[len(c.list)-1].Tree = []string{}
	c.layered("whiteout-of-all", "the root made opaque", append(lowerTree, "--", ". opaque", "n -rw-r--r-- "), lower, []entry{{name: ".wh..wh..opq"}, {name: "n"}})
	c.layered("whiteout-opaque-directory", "the opaque mark as a directory", append(lowerTree, "--", "d drwxr-xr-x opaque"), lower, []entry{{name: "d/.wh..wh..opq", kind: dir}})
	c.layered("whiteout-of-own", "a whiteout of what the layer has itself", append(lowerTree, "--", "d drwxr-xr-x opaque", "d/h -rw-r--r-- "), lower, []entry{{name: "d/h"}, {name: ".wh.d"}})
	c.layered("whiteout-then-file", "a whiteout, then a file below it", append(lowerTree, "--", "d drwxr-xr-x opaque", "d/h -rw-r--r-- "), lower, []entry{{name: ".wh.d"}, {name: "d/h"}})
	c.layered("whiteout-as-link", "a whiteout that is a symbolic link", append(lowerTree, "--", "d"+hidden), lower, []entry{{name: ".wh.d", kind: symlink, link: "/"}})
	c.layered("whiteout-as-device", "a whiteout that is a device", append(lowerTree, "--", "d"+hidden), lower, []entry{{raw: device(".wh.d", block, 8, 0)}})
	c.layered("whiteout-newline", "a whiteout of a name with a newline", append(lowerTree, "--", "a\nb"+hidden), lower, []entry{{name: ".wh.a\nb"}})
	c.layered("whiteout-through-link", "a whiteout through a link of a lower layer", []string{"l Lrwxrwxrwx -> /", "--", "l drwxr-xr-x", "l/etc" + hidden},
		[]entry{{name: "l", kind: symlink, link: "/"}}, []entry{{name: "l/.wh.etc"}})
	c.refused("whiteout-through-own-link", "a whiteout through a link to the outside", "not a directory",
		entry{name: "l", kind: symlink, link: "/nowhere/at/all"}, entry{name: "l/.wh.etc"})
	return c.list
}
