package prepare

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/tree"
)

// root is what resolving the spec has to know of the app's files, as its mounts
// will show them. Users are those of the image.
func (a *app) root(p *pod.Pod, mounts []appspec.Mount) appspec.Root {
	image := tree.View{Lowers: a.files.stack}
	shown := image
	var kernels []string // directories of which only the kernel knows what is there
	for _, m := range mounts {
		source := m.Source
		switch {
		case m.Type != "bind":
			kernels = append(kernels, m.Destination)
			continue
		case strings.HasPrefix(source, stageabi.RootfsDir+"/"):
			continue // the image's own, in its place
		case !filepath.IsAbs(source):
			source = filepath.Join(a.dir(p.Dir()), source)
		}
		// What cannot be mounted is said by what mounts it.
		_ = shown.Mount(m.Destination, source)
	}
	return appspec.Root{
		Users: a.files.users,
		Owner: func(path string) (uint32, uint32, error) {
			st, err := image.Stat(path)
			return st.UID, st.GID, err
		},
		Executable: func(path string) bool {
			st, err := shown.Stat(path)
			return err == nil && st.Mode.IsRegular() && st.Mode&0o111 != 0
		},
		Open:         func(path string) (appspec.File, error) { return shown.Open(path) },
		OtherFormats: otherFormats,
		Directory: func(path string) error {
			for _, dir := range kernels {
				if path == dir || strings.HasPrefix(path, dir+"/") {
					return nil
				}
			}
			st, err := shown.Stat(path)
			if err == nil && !st.Mode.IsDir() {
				err = syscall.ENOTDIR
			}
			return bare(err)
		},
	}
}

// bare is an error without the operation and the path.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// binfmtDir has a file for each format that the kernel executes beside its own.
const binfmtDir = "/proc/sys/fs/binfmt_misc"

func otherFormats() bool {
	entries, err := os.ReadDir(binfmtDir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if name := e.Name(); name != "register" && name != "status" {
			return true
		}
	}
	return false
}
