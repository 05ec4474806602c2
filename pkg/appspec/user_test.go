package appspec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
)

const passwd = `root:x:0:0:root:/root:/bin/sh
# comment:x:9:9::/:/bin/sh
broken line
half:x:5
www:x:33:34:web:/var/www:/usr/sbin/nologin
bad:x:-1:0::/:/bin/sh
huge:x:4294967295:0::/:/bin/sh
0:x:500:500::/zero:/bin/sh
odd:x:60:60:
rel:x:61:61::home/../x:sh
twice:x:70:70::/first:/bin/sh
twice:x:71:71::/second:/bin/sh
`

const group = `root:x:0:
www:x:34:
log:x:4:www,root
adm:x:5:other, www
ssl:x:101:twice,www
www2:x:34:www
`

func TestUsersAreResolvedInTheImagesOwnFiles(t *testing.T) {
	owner := func(p string) (uint32, uint32, error) {
		if p != "/srv/a" {
			return 0, 0, errors.New("no such file")
		}
		return 33, 77, nil
	}
	type want struct {
		uid, gid    uint32
		extra       []uint32
		name, home  string
		errContains string
	}
	for name, tc := range map[string]struct {
		req  appspec.UserRequest
		want want
	}{
		"nothing said is root, with its groups":          {appspec.UserRequest{}, want{0, 0, []uint32{4}, "root", "/root", ""}},
		"a name has its group and the ones that list it": {appspec.UserRequest{User: "www"}, want{33, 34, []uint32{4, 101}, "www", "/var/www", ""}},
		"a number finds its entry":                       {appspec.UserRequest{User: "33"}, want{33, 34, []uint32{4, 101}, "www", "/var/www", ""}},
		"a number without an entry has group 0":          {appspec.UserRequest{User: "1234"}, want{1234, 0, nil, "", "/", ""}},
		"a number is never a name":                       {appspec.UserRequest{User: "0"}, want{0, 0, []uint32{4}, "root", "/root", ""}},
		"user:group takes no other groups":               {appspec.UserRequest{User: "www:ssl"}, want{33, 101, nil, "www", "/var/www", ""}},
		"user:number":                                    {appspec.UserRequest{User: "www:7"}, want{33, 7, nil, "www", "/var/www", ""}},
		":group is root's":                               {appspec.UserRequest{User: ":ssl"}, want{0, 101, nil, "root", "/root", ""}},
		"a group of its own goes before the colon's":     {appspec.UserRequest{User: "www:7", Group: "log"}, want{33, 4, nil, "www", "/var/www", ""}},
		"supplementary groups are added, once":           {appspec.UserRequest{User: "www", Supplementary: []string{"9", "ssl", "9"}}, want{33, 34, []uint32{4, 9, 101}, "www", "/var/www", ""}},
		"a path is its owner":                            {appspec.UserRequest{User: "/srv/a"}, want{33, 34, []uint32{4, 101}, "www", "/var/www", ""}},
		"a group's path is its group":                    {appspec.UserRequest{User: "0", Group: "/srv/a"}, want{0, 77, nil, "root", "/root", ""}},
		"an entry without a home has the root":           {appspec.UserRequest{User: "odd"}, want{60, 60, nil, "odd", "/", ""}},
		"a relative home is none":                        {appspec.UserRequest{User: "rel"}, want{61, 61, nil, "rel", "/", ""}},
		"the first of two entries counts":                {appspec.UserRequest{User: "twice"}, want{70, 70, []uint32{101}, "twice", "/first", ""}},
		"an unknown name":                                {appspec.UserRequest{User: "nobody"}, want{errContains: `user "nobody" is not in the image's /etc/passwd`}},
		"an unknown group":                               {appspec.UserRequest{User: "www:nogroup"}, want{errContains: `group "nogroup" is not in the image's /etc/group`}},
		"a name on a broken line":                        {appspec.UserRequest{User: "half"}, want{errContains: "not in the image"}},
		"a comment":                                      {appspec.UserRequest{User: "# comment"}, want{errContains: "not in the image"}},
		"a negative number in passwd":                    {appspec.UserRequest{User: "bad"}, want{errContains: "not in the image"}},
		"the kernel's no-change number in passwd":        {appspec.UserRequest{User: "huge"}, want{errContains: "not in the image"}},
		"the kernel's no-change number":                  {appspec.UserRequest{User: "4294967295"}, want{errContains: "reserved"}},
		"a number that wraps":                            {appspec.UserRequest{User: "4294967296"}, want{errContains: "32 bits"}},
		"a path that is not there":                       {appspec.UserRequest{User: "/srv/b"}, want{errContains: "no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.req.Owner = owner
			got, err := appspec.ResolveUser(appspec.UserFiles{Passwd: []byte(passwd), Group: []byte(group)}, tc.req)
			if tc.want.errContains != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want.errContains) {
					t.Fatalf("error %v, want %q", err, tc.want.errContains)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			g := want{got.UID, got.GID, got.AdditionalGids, got.Name, got.Home, ""}
			if diff := cmp.Diff(tc.want, g, cmp.AllowUnexported(want{})); diff != "" {
				t.Error("user (-want +got):\n" + diff)
			}
		})
	}
}

func TestUserFilesAreBounded(t *testing.T) {
	files := appspec.UserFiles{Passwd: make([]byte, appspec.MaxUserFileBytes+1)}
	if _, err := appspec.ResolveUser(files, appspec.UserRequest{}); err == nil {
		t.Error("no error")
	}
	many := strings.Repeat("g:x:1:www\n", 1000)
	if _, err := appspec.ResolveUser(appspec.UserFiles{Group: []byte(many)}, appspec.UserRequest{User: "/a"}); err == nil {
		t.Error("a path without anyone to ask for its owner")
	}
}

func FuzzResolveUser(f *testing.F) {
	f.Add([]byte(passwd), []byte(group), "www:ssl", "", "log")
	f.Add([]byte("a:::::"), []byte("::::"), "0", "0", "0")
	f.Fuzz(func(t *testing.T, passwd, group []byte, user, grp, extra string) {
		got, err := appspec.ResolveUser(appspec.UserFiles{Passwd: passwd, Group: group},
			appspec.UserRequest{User: user, Group: grp, Supplementary: []string{extra}})
		if err != nil {
			return
		}
		for _, id := range append([]uint32{got.UID, got.GID}, got.AdditionalGids...) {
			if id == 1<<32-1 || id == 1<<16-1 {
				t.Errorf("reserved number %d", id)
			}
		}
		for _, p := range []string{got.Home, got.Shell} {
			if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "\n\x00") {
				t.Errorf("path %q", p)
			}
		}
	})
}
