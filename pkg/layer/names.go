package layer

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/raket/raket/pkg/image"
)

// EntryError is a tar entry that was refused. The name is printed quoted: it
// may hold terminal escapes.
type EntryError struct {
	Name   string
	Reason string
}

func (e *EntryError) Error() string {
	return fmt.Sprintf("refused entry %s: %s", quoteName(e.Name), e.Reason)
}

// quoteName quotes a name for an error of one line that can be read.
func quoteName(name string) string {
	const most = 256
	if len(name) > most {
		return fmt.Sprintf("%q… (%d bytes)", name[:most], len(name))
	}
	return fmt.Sprintf("%q", name)
}

const (
	whiteoutPrefix = ".wh."
	whiteoutMeta   = ".wh..wh." // aufs' own; only the opaque mark means something
	whiteoutOpaque = ".wh..wh..opq"
	// maxPath is of a path in a tree, in bytes: PATH_MAX less room for the
	// path of the tree itself.
	maxPath = 4096 - 256
)

var (
	errDotDot  = errors.New(`it has ".."`)
	errTooLong = errors.New("its name is too long")
)

// cleanName makes an entry's name relative and without "." or empty parts; ""
// is the root. A leading slash is dropped, as every unpacker does; ".." is an
// error even where it would stay inside.
func cleanName(name string) (string, error) {
	if len(name) > maxPath {
		return "", errTooLong
	}
	name = strings.TrimRight(strings.TrimLeft(name, "/"), "/")
	name = strings.TrimPrefix(name, "./")
	if !strings.Contains(name, "./") && !strings.Contains(name, "//") && !strings.Contains(name, "..") && name != "." {
		return name, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errDotDot
		}
	}
	name = path.Clean("/" + name)[1:]
	return name, nil
}

// inACI translates a clean name in an ACI to one in its tree (appc spec,
// "Image Layout"). It reports false for what is not part of the tree.
func inACI(name string) (string, bool, error) {
	if name == "rootfs" {
		return "", true, nil
	}
	if rest, ok := strings.CutPrefix(name, "rootfs/"); ok {
		return rest, true, nil
	}
	if name == "manifest" || name == "" {
		return "", false, nil
	}
	return "", false, errors.New("an ACI holds manifest and rootfs only")
}

// treeName is cleanName for a layer of this kind; it reports false for an
// entry to skip.
func treeName(name string, kind image.Kind) (string, bool, error) {
	clean, err := cleanName(name)
	if err != nil {
		return "", false, err
	}
	if kind == image.Appc {
		return inACI(clean)
	}
	return clean, true, nil
}

// whiteout tells what a base name asks for: hidden is the name to hide, opaque
// that the directory's lower content is, skip that it is aufs bookkeeping.
func whiteout(base string) (hidden string, opaque, skip bool, err error) {
	rest, ok := strings.CutPrefix(base, whiteoutPrefix)
	switch {
	case !ok:
		return "", false, false, nil
	case base == whiteoutOpaque:
		return "", true, false, nil
	case strings.HasPrefix(base, whiteoutMeta):
		return "", false, true, nil
	case rest == "" || rest == "." || rest == "..":
		return "", false, false, errors.New("it is a whiteout of nothing")
	}
	return rest, false, false, nil
}

// checkParents refuses names below a whiteout.
func checkParents(dir string) error {
	if strings.HasPrefix(dir, whiteoutPrefix) || strings.Contains(dir, "/"+whiteoutPrefix) {
		return errors.New("it is below a whiteout")
	}
	return nil
}
