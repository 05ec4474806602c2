package appcredential

import (
	"errors"
	"fmt"
	"strings"
)

// Annotations of an app in a pod manifest, by the flags' names: lines ID[:PATH|NAME], and lines
// that are patterns. An image cannot set them. There is none for values: a manifest is no secret.
const (
	AnnotationLoad   = "io.raket.load-credential"
	AnnotationImport = "io.raket.import-credential"

	annotationSet = "io.raket.set-credential"
)

// TakeAnnotations takes the annotations of credentials out of an app's.
func TakeAnnotations(notes map[string]string) ([]Wish, error) {
	if _, set := notes[annotationSet]; set {
		return nil, errors.New("annotation " + annotationSet + ": a pod manifest is no place for a secret: use " + AnnotationLoad + ", which is read when the pod starts")
	}
	var wishes []Wish
	for _, list := range [...]struct {
		name  string
		parse func(string) (Wish, error)
	}{{AnnotationLoad, ParseLoad}, {AnnotationImport, ParseImport}} {
		for line := range strings.SplitSeq(notes[list.name], "\n") {
			if line == "" {
				continue
			}
			w, err := list.parse(line)
			if err == nil && w.From == Stdin {
				err = errors.New("a pod manifest's apps have no standard input to read it from")
			}
			if err != nil {
				return nil, fmt.Errorf("annotation %s: %q: %w", list.name, line, err)
			}
			wishes = append(wishes, w)
		}
		delete(notes, list.name)
	}
	return wishes, nil
}

// AddAnnotations adds what TakeAnnotations takes. Values and standard input are left out.
func AddAnnotations(notes map[string]string, wishes []Wish) {
	lines := map[string][]string{}
	for _, w := range wishes {
		switch {
		case w.Kind == Import:
			lines[AnnotationImport] = append(lines[AnnotationImport], w.ID)
		case w.Kind == Load && w.From != Stdin:
			lines[AnnotationLoad] = append(lines[AnnotationLoad], w.ID+":"+w.From)
		}
	}
	for name, list := range lines {
		notes[name] = strings.Join(list, "\n")
	}
}

// Annotated reports whether annotations are of credentials.
func Annotated(notes map[string]string) (name string, is bool) {
	for _, name := range [...]string{AnnotationLoad, AnnotationImport, annotationSet} {
		if _, is := notes[name]; is {
			return name, true
		}
	}
	return "", false
}
