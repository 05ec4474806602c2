package prepare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/raket/raket/pkg/appcredential"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/stage0/cli/appargs"
)

// saidFile, in an app's directory, has what the user said of the app beside naming its image.
const saidFile = "said.json"

// said is what holds for an app whatever its image is.
type said struct {
	App appargs.App
	// Section is the appc app section that stands for the image's.
	Section []byte `json:",omitempty"`
}

func saidInManifest(ra *podmanifest.RuntimeApp, section []byte, over appspec.Override, wishes []appcredential.Wish) said {
	over.Annotations = maps.Clone(over.Annotations)
	s := said{App: appargs.App{Name: ra.Name.String(), Override: over, Credentials: wishes}, Section: section}
	// They name the image that was.
	delete(s.App.Override.Annotations, podmanifest.AnnotationImage)
	delete(s.App.Override.Annotations, podmanifest.AnnotationDigest)
	for _, m := range ra.Mounts {
		s.App.Mounts = append(s.App.Mounts, podmanifest.MountFlag{Volume: m.Volume.String(), Target: m.Path})
	}
	return s
}

func (s said) write(dir string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, saidFile), text, 0o600)
}

func readSaid(dir string) (said, error) {
	var s said
	text, err := readLimited(filepath.Join(dir, saidFile), maxManifestBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return s, errors.New("nobody has noted what was said of the app when it was made")
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}

// Said is what the user said of the app whose directory is dir.
func Said(dir string) (appargs.App, error) {
	s, err := readSaid(dir)
	if err != nil {
		return appargs.App{}, fmt.Errorf("read what was said of the app: %w", err)
	}
	return s.App, nil
}
