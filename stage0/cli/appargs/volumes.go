package appargs

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// parseVolume reads NAME,kind=host,source=PATH,readOnly=BOOL,recursive=BOOL or
// NAME,kind=empty,mode=MODE,uid=N,gid=N (appc spec, "Pod Manifest Schema",
// volumes). A comma can't be part of a path.
func parseVolume(v string) (Volume, error) {
	name, rest, _ := strings.Cut(v, ",")
	vol := Volume{Name: name}
	if err := checkACName(name); err != nil {
		return Volume{}, fmt.Errorf("%q is not the name of a volume: %w", name, err)
	}
	err := eachField(rest, func(key, value string) error {
		switch key {
		case "kind":
			return oneOf([]string{"host", "empty"}, &vol.Kind, value)
		case "source":
			if !path.IsAbs(value) {
				return errors.New("must be an absolute path")
			}
			return setWord(&vol.Source, value)
		case "readOnly":
			return setBoolPtr(&vol.ReadOnly, value)
		case "recursive":
			return setBoolPtr(&vol.Recursive, value)
		case "mode":
			return setMode(&vol.Mode, value)
		case "uid":
			return setID(&vol.UID, value)
		case "gid":
			return setID(&vol.GID, value)
		}
		return errNoSuchField
	})
	if err != nil {
		return Volume{}, err
	}
	switch {
	case vol.Kind == "":
		return Volume{}, errors.New("kind is missing: kind=host or kind=empty")
	case vol.Kind == "host" && vol.Source == "":
		return Volume{}, errors.New("a volume of kind host needs source=PATH")
	case vol.Kind == "host" && (vol.Mode != nil || vol.UID != nil || vol.GID != nil):
		return Volume{}, errors.New("mode, uid and gid are for kind=empty: the host's directory keeps its own")
	case vol.Kind == "empty" && (vol.Source != "" || vol.Recursive != nil):
		return Volume{}, errors.New("source and recursive are for kind=host")
	}
	return vol, nil
}

// parseMount reads volume=NAME,target=PATH[,readOnly=BOOL].
func parseMount(v string) (Mount, error) {
	var m Mount
	err := eachField(v, func(key, value string) error {
		switch key {
		case "volume":
			m.Volume = value
			return checkACName(value)
		case "target":
			if !path.IsAbs(value) || path.Clean(value) == "/" {
				return errors.New("must be an absolute path, and not the root")
			}
			return setWord(&m.Target, value)
		case "readOnly":
			return setBool(&m.ReadOnly, value)
		}
		return errNoSuchField
	})
	if err == nil && (m.Volume == "" || m.Target == "") {
		err = errors.New("must be volume=NAME,target=PATH")
	}
	if err != nil {
		return Mount{}, err
	}
	return m, nil
}

var errNoSuchField = errors.New("there is no such field")

// eachField calls set with each KEY=VALUE of a list separated by commas, and
// refuses a key that comes twice.
func eachField(v string, set func(key, value string) error) error {
	if v == "" {
		return nil
	}
	seen := make(map[string]bool)
	for field := range strings.SplitSeq(v, ",") {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return fmt.Errorf("%q is not KEY=VALUE", field)
		}
		if seen[key] {
			return fmt.Errorf("%q is given twice", key)
		}
		seen[key] = true
		if err := set(key, value); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
	}
	return nil
}

func setMode(into **uint32, v string) error {
	const permissionBits = 12
	n, err := strconv.ParseUint(v, 8, permissionBits)
	if err != nil {
		return errors.New("must be octal permission bits, as 0755")
	}
	mode := uint32(n)
	*into = &mode
	return nil
}

func setID(into **int, v string) error {
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil {
		return errors.New("must be a number")
	}
	id := int(n)
	*into = &id
	return nil
}
