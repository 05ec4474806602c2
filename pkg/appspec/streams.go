package appspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/ownoutput"
)

// StreamMode says what a standard stream of an app is connected to; "" is StreamNull for
// the input, StreamLog for output and errors.
type StreamMode string

// The modes, in rkt's words.
const (
	StreamNull StreamMode = "null"   // nothing
	StreamLog  StreamMode = "log"    // the pod's log; of output and errors
	StreamTTY  StreamMode = "tty"    // the app's terminal, for who attaches
	StreamPipe StreamMode = "stream" // a pipe, for who attaches
)

// Annotations that say it: AnnotationStreams and "stdin", "stdout" or "stderr". rkt's pod
// manifests have names of their own, which Apply understands.
const (
	AnnotationStreams    = reservedPrefix
	annotationRktStreams = "coreos.com/rkt/stage2/"
	// AnnotationOpensOutput, "true", says that the app's programs open /dev/stdout.
	AnnotationOpensOutput = reservedPrefix + "opens-output"
)

// Streams are the modes of an app's standard streams.
type Streams struct{ Stdin, Stdout, Stderr StreamMode }

// StreamsOf returns what an app's streams are, by what is said of them and of its image.
func StreamsOf(spec *Spec) (Streams, error) {
	s, err := SaidStreams(spec)
	if err == nil && s == (Streams{}) && spec.Annotations[AnnotationOpensOutput] == "true" {
		s.Stdout, s.Stderr = StreamPipe, StreamPipe
	}
	return s, err
}

// SaidStreams returns what a spec says of its app's streams.
func SaidStreams(spec *Spec) (Streams, error) {
	var s Streams
	for _, stream := range s.all() {
		value, ok := spec.Annotations[AnnotationStreams+stream.name]
		if !ok {
			continue
		}
		mode, err := ParseStreamMode(stream.name, value)
		if err != nil {
			return s, fmt.Errorf("annotation %s%s: %w", AnnotationStreams, stream.name, err)
		}
		*stream.mode = mode
	}
	return s, nil
}

// Usual reports whether the streams are those of an app of which nothing is said.
func (s Streams) Usual() bool {
	return !s.has(StreamTTY) && !s.has(StreamPipe) && s.Stdout != StreamNull && s.Stderr != StreamNull
}

func (s Streams) has(m StreamMode) bool { return s.Stdin == m || s.Stdout == m || s.Stderr == m }

// Annotations are those by which a pod manifest says it, in rkt's words; nil for none.
func (s Streams) Annotations() map[string]string {
	var notes map[string]string
	for _, stream := range s.all() {
		if *stream.mode == "" {
			continue
		}
		if notes == nil {
			notes = map[string]string{}
		}
		notes[annotationRktStreams+stream.name] = string(*stream.mode)
	}
	return notes
}

type namedMode struct {
	name string
	mode *StreamMode
}

func (s *Streams) all() [3]namedMode {
	return [3]namedMode{{"stdin", &s.Stdin}, {"stdout", &s.Stdout}, {"stderr", &s.Stderr}}
}

// StreamModes are the words for a stream, "stdin", "stdout" or "stderr".
func StreamModes(stream string) []string {
	if stream == "stdin" {
		return []string{"null", "tty", "stream"}
	}
	return []string{"log", "null", "tty", "stream"}
}

// ParseStreamMode reads a word for a stream.
func ParseStreamMode(stream, word string) (StreamMode, error) {
	words := StreamModes(stream)
	if !slices.Contains(words, word) {
		return "", fmt.Errorf("%q is not one of %s", word, strings.Join(words, ", "))
	}
	return StreamMode(word), nil
}

// applyStreams takes what an override says of the streams, annotations first.
func (a *App) applyStreams(o Override) error {
	streams := o.Streams
	for _, stream := range streams.all() {
		for _, prefix := range [...]string{annotationRktStreams, AnnotationStreams} {
			value, ok := o.Annotations[prefix+stream.name]
			if !ok {
				continue
			}
			mode, err := ParseStreamMode(stream.name, value)
			if err != nil {
				return fmt.Errorf("annotation %s%s: %w", prefix, stream.name, err)
			}
			a.Spec.Annotations[AnnotationStreams+stream.name] = string(mode)
		}
		if *stream.mode == "" {
			continue
		}
		mode, err := ParseStreamMode(stream.name, string(*stream.mode))
		if err != nil {
			return fmt.Errorf("%s: %w", stream.name, err)
		}
		a.Spec.Annotations[AnnotationStreams+stream.name] = string(mode)
	}
	return nil
}

// NamesOutput reports whether the app's command or environment names its own standard output
// or errors, which it then means to open.
func (a *App) NamesOutput() bool {
	texts := slices.Concat(a.Entrypoint, a.Cmd, a.Spec.Process.Env, slices.Concat(a.PreStart...), slices.Concat(a.PostStop...))
	return slices.ContainsFunc(texts, ownoutput.In)
}

// PipeOutput gives the app pipes for output and errors where nothing is said of its
// streams: its programs open them again, and of what the log is, a socket, nothing can be
// opened; a file would be opened at its beginning.
func (a *App) PipeOutput() { a.Spec.Annotations[AnnotationOpensOutput] = "true" }

// resolveStreams tells the app, and OCI runtimes, of its terminal.
func (a *App) resolveStreams() error {
	s, err := StreamsOf(a.Spec)
	if err != nil || !s.has(StreamTTY) {
		return err
	}
	p := a.Spec.Process
	p.Terminal = s.Stdin == StreamTTY && s.Stdout == StreamTTY && s.Stderr == StreamTTY
	if _, ok := LookupEnv(p.Env, "TERM"); !ok {
		p.Env = append(p.Env, "TERM=xterm")
	}
	return nil
}
