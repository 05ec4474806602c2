package corpus

import (
	"encoding/binary"
	"strings"
)

func types() []Archive {
	c := &chapter{class: classTypes}
	c.contained("devices", "the disk and the memory as device nodes", []string{"dev drwxr-xr-x", "f -rw-r--r-- "},
		entry{name: "dev", kind: dir},
		entry{raw: device("dev/sda", block, 8, 0)}, entry{raw: device("dev/mem", char, 1, 1)}, entry{name: "f"}).Note = "devices are left out"
	c.contained("device-as-whiteout", "a device 0:0, overlayfs's own whiteout", []string{"f -rw-r--r-- "},
		entry{raw: device("etc", char, 0, 0)}, entry{name: "f"}).Note = "devices are left out"
	c.contained("device-setuid", "a device for everybody, below a link to /dev", []string{"d Lrwxrwxrwx -> /dev"},
		entry{name: "d", kind: symlink, link: "/dev"}, entry{raw: device("d/evil", block, 8, 0)}).Note = "devices are left out"
	c.contained("fifo", "a FIFO", []string{"p prw-rw-rw-"}, entry{name: "p", kind: fifo, mode: 0o666})
	c.contained("fifo-written", "a file in the place of a FIFO", []string{"p -rw-r--r-- x"}, entry{name: "p", kind: fifo}, entry{name: "p", body: "x"})
	c.refused("unknown-type", "a kind of entry that nobody knows", "unknown entry type", entry{name: "z", kind: 'Z'})
	c.refused("volume-label", "GNU tar's volume label", "unknown entry type", entry{name: "z", kind: 'V'})
	c.refused("multi-volume", "the second half of a file", "unknown entry type", entry{name: "z", kind: 'M', body: "x"})
	c.contained("contiguous", "a contiguous file", []string{"z -rw-r--r-- x"}, entry{name: "z", kind: '7', body: "x"})
	c.contained("directory-with-body", "a directory that has a size", []string{"d drwxr-xr-x", "f -rw-r--r-- "},
		entry{raw: header{name: "d", kind: dir, mode: 0o755, size: 4096}.block()}, entry{name: "f"})
	return c.list
}

func device(name string, kind byte, major, minor int64) []byte {
	return header{name: name, kind: kind, mode: 0o4666, more: func(b []byte) {
		number(b[329:337], major)
		number(b[337:345], minor)
	}}.block()
}

func ids() []Archive {
	c := &chapter{class: classIDs}
	raw := func(h header) entry { h.name, h.kind = "f", '0'; return entry{raw: h.block()} }
	c.contained("set-user-id", "set-user-ID, set-group-ID and sticky bits", []string{"d dtrwxrwxrwx", "f ugrwxr-xr-x uid=5 x"},
		entry{name: "d", kind: dir, mode: 0o1777}, entry{name: "f", mode: 0o6755, uid: 5, body: "x"}).Note = "they are kept; only root reaches the trees"
	c.contained("mode-beyond", "bits of the mode that no file has", []string{"f -rwxrwxrwx "}, raw(header{mode: 0o1170777}))
	c.refused("owner-minus-one", "an owner of -1, which chown ignores", "out of range", raw(header{mode: 0o644, uid: -1}))
	c.refused("owner-all-ones", "an owner of 2³²-1, which chown ignores", "out of range", raw(header{mode: 0o644, uid: 1<<32 - 1}))
	c.refused("owner-wraps", "an owner of 2³², which is 0 in 32 bits", "out of range", raw(header{mode: 0o644, uid: 1 << 32}))
	c.refused("group-wraps", "a group of 2³²", "out of range", raw(header{mode: 0o644, gid: 1 << 32}))
	c.refused("owner-pax", "an owner in words", "invalid tar header", entry{name: "f", pax: map[string]string{"uid": "root"}})
	c.contained("owner-largest", "the largest owner", []string{"f -rw-r--r-- uid=4294967294 "}, raw(header{mode: 0o644, uid: 1<<32 - 2}))
	c.contained("time-far", "a time billions of years away", []string{"f -rw-r--r-- "}, raw(header{mode: 0o644, mtimeField: "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"}))
	c.contained("time-before", "a time billions of years ago", []string{"f -rw-r--r-- "}, raw(header{mode: 0o644, mtimeField: "\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\x00\x00"}))
	c.contained("time-pax", "a time with a hundred digits after the point", []string{"f -rw-r--r-- "},
		entry{name: "f", pax: map[string]string{"mtime": "-1." + strings.Repeat("9", 100)}})
	c.refused("time-words", "a time in words", "invalid tar header", entry{name: "f", pax: map[string]string{"mtime": "yesterday"}})
	return c.list
}

// capability is a security.capability attribute of revision 2 with permitted capabilities.
func capability(bits uint64) string {
	b := make([]byte, 20)
	binary.LittleEndian.PutUint32(b, 0x02000001)
	binary.LittleEndian.PutUint32(b[4:], uint32(bits))
	binary.LittleEndian.PutUint32(b[12:], uint32(bits>>32))
	return string(b)
}

func attrs(canary string) []Archive {
	c := &chapter{class: classAttrs}
	x := func(name, value string) map[string]string { return map[string]string{"SCHILY.xattr." + name: value} }
	for _, name := range []string{"opaque", "redirect", "metacopy", "origin", "whiteout"} {
		c.contained("trusted-overlay-"+name, "overlayfs's own mark: "+name, []string{"d drwxr-xr-x", "f -rw-r--r-- "},
			entry{name: "d", kind: dir, pax: x("trusted.overlay."+name, "y")}, entry{name: "f", pax: x("trusted.overlay."+name, canary)}).Note = "left out"
		c.contained("user-overlay-"+name, "the same for overlays of users", []string{"d drwxr-xr-x", "f -rw-r--r-- "},
			entry{name: "d", kind: dir, pax: x("user.overlay."+name, "y")}, entry{name: "f", pax: x("user.overlay."+name, canary)}).Note = "left out"
	}
	c.contained("security-labels", "labels of SELinux, IMA, AppArmor and Smack", []string{"f -rw-r--r-- "},
		entry{name: "f", pax: map[string]string{"SCHILY.xattr.security.selinux": "system_u:object_r:bin_t:s0", "SCHILY.xattr.security.ima": "x",
			"SCHILY.xattr.security.apparmor": "x", "SCHILY.xattr.security.SMACK64EXEC": "_"}}).Note = "left out"
	c.contained("access-list", "an access control list", []string{"f -rw-r--r-- "},
		entry{name: "f", pax: x("system.posix_acl_access", "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff")}).Note = "left out"
	c.contained("capability-of-pod", "a file with CAP_NET_RAW", []string{"f -rw-r--r-- cap=2000"},
		entry{name: "f", pax: x("security.capability", capability(1<<13))}).Note = "kept: it acts within the pod"
	c.contained("capability-of-host", "a file with CAP_SYS_ADMIN, CAP_SYS_MODULE, CAP_BPF and CAP_NET_RAW", []string{"f -rw-r--r-- cap=2000"},
		entry{name: "f", pax: x("security.capability", capability(1<<21|1<<16|1<<39|1<<13))}).Note = "what acts on the host is taken off"
	c.contained("capability-of-host-only", "a file with all that acts on the host", []string{"f -rw-r--r-- "},
		entry{name: "f", pax: x("security.capability", capability(1<<21|1<<16|1<<17|1<<2|1<<25|1<<34|1<<63))}).Note = "taken off"
	c.contained("capability-of-directory", "a directory with capabilities", []string{"d drwxr-xr-x"},
		entry{name: "d", kind: dir, pax: x("security.capability", capability(1<<13))}).Note = "left out"
	c.refused("capability-malformed", "capabilities cut short", "capabilities", entry{name: "f", pax: x("security.capability", "\x01\x00\x00\x02")})
	c.refused("capability-of-namespace", "capabilities of a user namespace", "capabilities",
		entry{name: "f", pax: x("security.capability", "\x01\x00\x00\x03"+capability(1 << 13)[4:]+"\x00\x00\x00\x00")})
	c.refused("attribute-without-name", "an attribute without a name", "no good", entry{name: "f", pax: x("user.", "x")})
	c.refused("attribute-long-name", "an attribute with a name of 300 bytes", "no good", entry{name: "f", pax: x("user."+strings.Repeat("x", 300), "x")})
	c.refused("attribute-large", "an attribute of 100 KB", "no good", entry{name: "f", pax: x("user.a", strings.Repeat("x", 100_000))})
	return c.list
}
