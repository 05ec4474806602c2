package podmanifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/appc/spec/schema/types"
)

// AnnotationIDMap is an annotation of the pod's: the names of volumes of kind host, separated
// by commas, whose files the apps see under the pod's own user IDs. appc has no field for it.
const AnnotationIDMap = "io.raket/idmap"

// CutIDMap takes idmap=BOOL out of a --volume.
func CutIDMap(s string) (rest string, idmap bool, err error) {
	var kept []string
	said := false
	for part := range strings.SplitSeq(s, ",") {
		value, ok := strings.CutPrefix(part, "idmap=")
		if !ok {
			kept = append(kept, part)
			continue
		}
		if said {
			return "", false, fmt.Errorf("volume %q: idmap a second time", s)
		}
		said = true
		if idmap, err = strconv.ParseBool(value); err != nil {
			return "", false, fmt.Errorf("volume %q: idmap: must be true or false", s)
		}
	}
	return strings.Join(kept, ","), idmap, nil
}

// AddIDMapped adds volumes to those of AnnotationIDMap.
func AddIDMapped(m *Manifest, names []string) error {
	if len(names) == 0 {
		return nil
	}
	all, err := idMapped(m)
	if err != nil {
		return err
	}
	m.Annotations = slices.Clone(m.Annotations)
	m.Annotations.Set(*types.MustACIdentifier(AnnotationIDMap), strings.Join(append(all, names...), ","))
	_, err = idMapped(m)
	return err
}

// idMapped are the names in AnnotationIDMap, all of which have to be volumes of kind host.
func idMapped(m *Manifest) ([]string, error) {
	text, ok := m.Annotations.Get(AnnotationIDMap)
	if !ok {
		return nil, nil
	}
	names := strings.Split(text, ",")
	for _, name := range names {
		if !slices.ContainsFunc(m.Volumes, func(v Volume) bool { return v.Name.String() == name && v.Kind == string(KindHost) }) {
			return nil, fmt.Errorf("annotation %s: the pod has no volume %q of kind host", AnnotationIDMap, name)
		}
	}
	return names, nil
}
