package approot

import (
	"os"
	"path/filepath"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
)

// ReadSpec reads the spec of an app of the pod in dir.
func ReadSpec(dir, app string) (*appspec.Spec, error) {
	b, err := os.ReadFile(filepath.Join(stageabi.AppPath(dir, app), stageabi.SpecFile))
	if err != nil {
		return nil, err
	}
	return appspec.Parse(b)
}
