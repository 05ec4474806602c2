package appspec

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// UserRequest says which user an app is to run as.
type UserRequest struct {
	// User is a name, a number, OCI's user:group, or the absolute path of a file
	// in the image whose owner is meant. Empty: 0.
	User string
	// Group is a name, a number or such a path. Empty: what User says after its
	// colon, else the user's own group in passwd, else 0.
	Group string
	// Supplementary are names or numbers, on top of the groups that list the user.
	Supplementary []string
	// Owner returns the owner of a file of the image. It is called for the form of
	// a path only; nil refuses that form.
	Owner func(path string) (uid, gid uint32, err error)
}

// ResolvedUser is a user as the kernel knows it, and what its passwd entry says.
type ResolvedUser struct {
	User
	Name  string // empty if no entry of passwd has the number
	Home  string // absolute; "/" if unknown
	Shell string // "/bin/sh" if unknown
}

// ResolveUser finds the numbers of a user in an image's own files.
//
// A number is looked for as a number first and as a name never, so that no passwd
// entry called "0" takes root's place. Groups of /etc/group that list the user
// become supplementary groups unless the request names a group itself, as Docker
// and runc do.
func ResolveUser(files UserFiles, req UserRequest) (ResolvedUser, error) {
	r := ResolvedUser{Home: "/", Shell: "/bin/sh"}
	if err := files.check(); err != nil {
		return r, err
	}
	user, group := req.User, req.Group
	if !strings.HasPrefix(user, "/") {
		u, g, both := strings.Cut(user, ":")
		if both && group == "" {
			group = g
		}
		user = u
	}
	entry, err := req.findUser(files, user)
	if err != nil {
		return r, err
	}
	r.UID, r.GID, r.Name = entry.uid, entry.gid, entry.name
	if path.IsAbs(entry.home) && !strings.ContainsFunc(entry.home, isControl) {
		r.Home = path.Clean(entry.home)
	}
	if path.IsAbs(entry.shell) && !strings.ContainsFunc(entry.shell, isControl) {
		r.Shell = path.Clean(entry.shell)
	}
	switch {
	case group != "":
		if r.GID, err = req.findGroup(files, group); err != nil {
			return r, err
		}
	case entry.name != "":
		for g := range files.groups() {
			if g.has(entry.name) && g.gid != r.GID {
				r.AdditionalGids = append(r.AdditionalGids, g.gid)
			}
		}
	}
	for _, s := range req.Supplementary {
		gid, err := findGroup(files, s)
		if err != nil {
			return r, err
		}
		r.AdditionalGids = append(r.AdditionalGids, gid)
	}
	slices.Sort(r.AdditionalGids)
	r.AdditionalGids = slices.Compact(r.AdditionalGids)
	if len(r.AdditionalGids) > maxGroups {
		return r, fmt.Errorf("user %q: in %d groups, the kernel takes %d", req.User, len(r.AdditionalGids), maxGroups)
	}
	return r, nil
}

// findUser returns the user's passwd entry, with a name only if there is one.
func (req UserRequest) findUser(files UserFiles, user string) (passwdEntry, error) {
	var uid, gid uint32
	var err error
	switch {
	case user == "":
	case strings.HasPrefix(user, "/"):
		if uid, gid, err = req.owner(user); err != nil {
			return passwdEntry{}, fmt.Errorf("user %q: %w", user, err)
		}
	case isNumber(user):
		if uid, err = parseID(user); err != nil {
			return passwdEntry{}, fmt.Errorf("user %q: %w", user, err)
		}
	default:
		for e := range files.entries() {
			if e.name == user {
				return e, nil
			}
		}
		return passwdEntry{}, fmt.Errorf("user %q is not in the image's /etc/passwd", user)
	}
	for e := range files.entries() {
		if e.uid == uid {
			return e, nil
		}
	}
	return passwdEntry{uid: uid, gid: gid}, nil
}

func (req UserRequest) findGroup(files UserFiles, group string) (uint32, error) {
	if strings.HasPrefix(group, "/") {
		_, gid, err := req.owner(group)
		if err != nil {
			return 0, fmt.Errorf("group %q: %w", group, err)
		}
		return gid, nil
	}
	return findGroup(files, group)
}

func findGroup(files UserFiles, group string) (uint32, error) {
	if isNumber(group) {
		gid, err := parseID(group)
		if err != nil {
			return 0, fmt.Errorf("group %q: %w", group, err)
		}
		return gid, nil
	}
	for g := range files.groups() {
		if g.name == group {
			return g.gid, nil
		}
	}
	return 0, fmt.Errorf("group %q is not in the image's /etc/group", group)
}

func (req UserRequest) owner(file string) (uid, gid uint32, err error) {
	if req.Owner == nil {
		return 0, 0, fmt.Errorf("owner of a file cannot be asked for here")
	}
	return req.Owner(path.Clean(file))
}
