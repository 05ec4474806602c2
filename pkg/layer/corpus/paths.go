package corpus

import (
	"fmt"
	"strings"
)

func paths(canary string) []Archive {
	c := &chapter{class: classPaths}
	outside := strings.TrimPrefix(canary, "/")
	c.contained("absolute", "a file with an absolute name outside", append(below(canary+"/dir/file"), outside+"/dir/file -rw-r--r-- evil"),
		entry{name: canary + "/dir/file", body: "evil"}).Note = "the slash is dropped"
	c.refused("dot-dot", "a name that begins with ..", `".."`, entry{name: "../evil"})
	c.refused("dot-dot-deep", "more .. than directories", `".."`, entry{name: "a/b/../../../../evil"})
	c.refused("dot-dot-inside", ".. that would stay inside", `".."`, entry{name: "a/../b"})
	c.refused("dot-dot-end", "a directory that ends in ..", `".."`, entry{name: "a/..", kind: dir})
	c.refused("dot-dot-absolute", "an absolute name with ..", `".."`, entry{name: "/../../evil"})
	c.refused("dot-dot-hidden", ".. among dots and slashes", `".."`, entry{name: ".//.././/../evil"})
	c.refused("dot-dot-pax", "a harmless name, and .. in the PAX record", `".."`, entry{name: "f", pax: map[string]string{"path": "../evil"}})
	c.refused("dot-dot-gnu", "a harmless name, and .. in the GNU long name", `".."`,
		entry{raw: gnuLong('L', "../evil")}, entry{name: "f", body: "x"})
	c.refused("dot-dot-prefix", ".. made of the two halves of a ustar name", `".."`,
		entry{raw: header{name: "./evil", kind: '0', mode: 0o644, more: func(b []byte) { copy(b[345:], "a/../..") }}.block()})
	c.contained("dots-and-slashes", "needless dots and slashes", []string{"a drwxr-xr-x", "a/b -rw-r--r-- "}, entry{name: "./a//./b"})
	c.contained("three-dots", "three dots, which are a name", []string{"... drwxr-xr-x", ".../f -rw-r--r-- "}, entry{name: ".../f"})
	c.contained("backslashes", "another system's separator", []string{`..\..\evil -rw-r--r-- `}, entry{name: `..\..\evil`})
	c.refused("empty-name", "a file without a name", "root", entry{name: ""})
	c.refused("root-as-link", "the root as a symbolic link", "root", entry{name: ".", kind: symlink, link: canary})
	c.refused("root-as-file", "the root as a file", "root", entry{name: "/", body: "x"})
	c.contained("root-mode", "another mode and owner for the root", []string{"f -rw-r--r-- "},
		entry{name: "./", kind: dir, mode: 0o700, uid: 12}, entry{name: "f"})

	deep := strings.Repeat("d/", 1500)
	c.contained("deep", "1,500 levels of directories", nil, entry{name: deep + "f"})
	c.refused("too-deep", "10,000 levels of directories", "too long", entry{name: strings.Repeat("d/", 10000) + "f"})
	// Each link leads 1,500 levels deeper than the one before.
	ladder := []entry{{name: deep, kind: dir}, {name: "l", kind: symlink, link: strings.TrimSuffix(deep, "/")}}
	for i := range 6 {
		from := fmt.Sprint("l", strings.Repeat("l", i))
		ladder = append(ladder, entry{name: from + "/" + deep, kind: dir}, entry{name: from + "l", kind: symlink, link: from + "/" + strings.TrimSuffix(deep, "/")})
	}
	c.refused("ladder", "10,000 levels of directories, by links that each lead deeper", "too long", ladder...)
	return c.list
}

func links(canary string) []Archive {
	c := &chapter{class: classLinks}
	up := strings.Repeat("../", 40)
	link := func(name, to string) entry { return entry{name: name, link: to, kind: symlink} }
	c.refused("through-absolute", "a file through a link to an absolute path", "not a directory", link("l", canary), entry{name: "l/evil"})
	c.refused("through-relative", "a file through a link with .. to the outside", "not a directory", link("l", up+strings.TrimPrefix(canary, "/")), entry{name: "l/evil"})
	c.refused("through-chain", "a file through a chain of links", "not a directory", link("a", "b"), link("b", "c/d"), link("c/d", canary), entry{name: "a/evil"})
	c.contained("through-up", "a file through a link to ..", []string{"l Lrwxrwxrwx -> ../../..", "x -rw-r--r-- "},
		link("l", "../../.."), entry{name: "l/x"}).Note = "the root is where .. ends"
	c.contained("through-root", "a file through a link to /", []string{"l Lrwxrwxrwx -> /", "x -rw-r--r-- "}, link("l", "/"), entry{name: "l/x"}).Note = "the root is the tree's"
	c.refused("through-itself", "a file through a link to itself", "symbolic link", link("l", "l"), entry{name: "l/x"})
	c.refused("through-proc", "a file through a link to another root", "not a directory", link("l", "/proc/self/root"+canary), entry{name: "l/evil"})
	c.refused("through-file", "a file through a file", "not a directory", entry{name: "f"}, entry{name: "f/x"})
	c.refused("dir-through", "a directory through a link", "not a directory", link("l", canary), entry{name: "l/evil", kind: dir})
	c.refused("link-through", "a link through a link", "not a directory", link("l", canary), link("l/evil", "/"))
	c.refused("fifo-through", "a FIFO through a link", "not a directory", link("l", canary), entry{name: "l/evil", kind: fifo})
	c.refused("swapped", "a directory that becomes a link after use", "not a directory",
		entry{name: "d", kind: dir, mode: 0o777}, entry{name: "d/x"}, link("d", canary), entry{name: "d/evil"})
	c.refused("swapped-parent", "a directory whose parent becomes a link after use", "not a directory",
		entry{name: "p/dir/x"}, link("p", canary), entry{name: "p/dir/evil"})
	c.contained("overwrite", "a file in the place of a link", []string{"l -rw-r--r-- x"}, link("l", canary+"/dir/file"), entry{name: "l", body: "x"})
	c.contained("overwrite-deeper", "the same in a directory", []string{"a drwxr-xr-x", "a/l -rw-r--r-- x"}, link("a/l", canary+"/dir/file"), entry{name: "a/l", body: "x"})
	c.contained("directory-over", "a directory in the place of a link, with a mode", []string{"l drwxrwxrwx uid=7", "l/x -rw-r--r-- "},
		link("l", canary), entry{name: "l", kind: dir, mode: 0o777, uid: 7}, entry{name: "l/x"})
	c.contained("mode-of-replaced", "the mode of a directory that becomes a link", []string{"d Lrwxrwxrwx -> " + canary},
		entry{name: "d", kind: dir, mode: 0o700, uid: 7}, link("d", canary))
	c.contained("attributes-on-link", "attributes on a link to the outside", []string{"l Lrwxrwxrwx uid=7 -> " + canary + "/dir/file"},
		entry{name: "l", link: canary + "/dir/file", kind: symlink, uid: 7, mode: 0o4777, pax: map[string]string{"SCHILY.xattr.user.evil": "x"}})
	c.refused("empty-target", "a link to an empty name", "nothing", link("l", ""))
	c.refused("long-target", "a link with a target beyond any path", "too long", link("l", strings.Repeat("x", 5000)))
	c.contained("control-target", "a link with control characters in its target", []string{"l Lrwxrwxrwx -> \x1b[2J\n"}, link("l", "\x1b[2J\n"))
	c.layered("earlier-layer", "a file through a link of a lower layer", []string{"l Lrwxrwxrwx -> " + canary, "--", "l drwxr-xr-x", "l/evil -rw-r--r-- "},
		[]entry{link("l", canary)}, []entry{{name: "l/evil"}})
	c.layered("earlier-layer-up", "a file through a link with .. of a lower layer", []string{"l Lrwxrwxrwx -> " + up, "--", "l drwxr-xr-x", "l/evil -rw-r--r-- "},
		[]entry{link("l", up)}, []entry{{name: "l/evil"}})
	c.layered("earlier-layer-mode", "a mode through a link of a lower layer", []string{"l Lrwxrwxrwx -> " + canary, "--", "l drwxrwxrwx"},
		[]entry{link("l", canary)}, []entry{{name: "l/", kind: dir, mode: 0o777}})
	return c.list
}

func hardLinks(canary string) []Archive {
	c := &chapter{class: classHardLinks}
	h := func(name, to string) entry { return entry{name: name, link: to, kind: hard} }
	c.refused("hard-dot-dot", "a hard link to .. and on", "no file of the layer", h("h", "../../"+canary+"/dir/file"))
	c.refused("hard-absolute", "a hard link to an absolute path outside", "does not have", h("h", canary+"/dir/file"))
	c.refused("hard-nothing", "a hard link to nothing", "does not have", h("h", "nothing"))
	c.refused("hard-later", "a hard link to what comes later", "does not have", h("h", "f"), entry{name: "f"})
	c.refused("hard-itself", "a hard link to itself", "itself", entry{name: "h"}, h("h", "./h"))
	c.refused("hard-root", "a hard link to the root", "no file of the layer", h("h", "/"))
	c.refused("hard-directory", "a hard link to a directory", "which is a directory", entry{name: "d", kind: dir}, h("h", "d"))
	c.refused("hard-through-link", "a hard link through a link to the outside", "does not have", entry{name: "l", link: canary + "/dir", kind: symlink}, h("h", "l/file"))
	c.refused("hard-into-link", "a hard link whose own name leads through a link", "not a directory", entry{name: "f"}, entry{name: "l", link: canary, kind: symlink}, h("l/evil", "f"))
	c.refused("hard-whiteout", "a hard link to a whiteout", "does not have", entry{name: ".wh.f"}, h("h", "f"))
	c.refused("hard-whiteout-name", "a hard link to the name of a whiteout", "does not have", entry{name: ".wh.f"}, h("h", ".wh.f"))
	c.refused("hard-lower", "a hard link to a file of another root", "does not have", h("h", "/proc/1/root"+canary+"/dir/file"))
	c.contained("hard-to-link", "a hard link to a link to the outside, then a file in its place",
		[]string{"h -rw-r--r-- new", "l Lrwxrwxrwx -> " + canary + "/dir/file"},
		entry{name: "l", link: canary + "/dir/file", kind: symlink}, h("h", "l"), entry{name: "h", body: "new"})
	c.contained("hard-written", "a file in the place of a hard link", []string{"f -rw-r--r-- old", "h -rw-r--r-- new"},
		entry{name: "f", body: "old"}, h("h", "f"), entry{name: "h", body: "new"})
	c.contained("hard-with-body", "a hard link that has a size", []string{"f -rw-r--r-- x", "h -rw-r--r-- x"},
		entry{name: "f", body: "x"}, entry{raw: header{name: "h", link: "f", kind: hard, mode: 0o644, size: 4096}.block()})
	c.contained("hard-over-directory", "a hard link in the place of a directory", []string{"f -rw-r--r-- x", "d -rw-r--r-- x"},
		entry{name: "d/e/g"}, entry{name: "f", body: "x"}, h("d", "f"))
	many := []entry{{name: "f", body: "x"}}
	for i := range 20000 {
		many = append(many, h(fmt.Sprint("h", i), "f"))
	}
	c.contained("hard-many", "20,000 hard links to one file", nil, many...)
	return c.list
}
