package podsocket

import (
	"fmt"
	"strings"

	"github.com/raket/raket/pkg/stageabi"
)

// mismatch is a pod whose apps and the host do not agree on sockets.
type mismatch struct{ what, hint string }

func (e *mismatch) Error() string { return e.what }
func (e *mismatch) Hint() string  { return e.hint }

// Assign says which app has which socket: first the inherited ones in the order
// of their descriptors, then those that the pod's init opens. It is an error if an
// app asks for a socket of the host's that is not there, if two ask for one, or if
// nobody does. The only app of a pod gets all of them unless it asks for some.
func Assign(apps []stageabi.App, given []Descriptor) ([]stageabi.Socket, error) {
	wishes, all, err := read(apps)
	if err != nil {
		return nil, err
	}
	var own []stageabi.Socket
	for _, w := range wishes {
		switch {
		case w.met(given):
		case w.own == nil:
			return nil, notGiven(w, given)
		default:
			s := *w.own
			s.App, s.Proxy, s.OnDemand = w.app, w.proxy, !w.soft
			own = append(own, s)
		}
	}
	var sockets []stageabi.Socket
	for _, d := range given {
		s, err := assign(d, wishes, all)
		if err != nil {
			return nil, err
		}
		sockets = append(sockets, s)
	}
	return append(sockets, own...), nil
}

// assign finds the app of one inherited socket; all is the app that has it if
// nobody asks.
func assign(d Descriptor, wishes []appWish, all string) (stageabi.Socket, error) {
	s := stageabi.Socket{FD: d.FD, Name: d.Name, Kind: d.Kind, Address: d.Address}
	for _, w := range wishes {
		if !w.wants(d) {
			continue
		}
		if s.App != "" && s.App != w.app {
			return s, &mismatch{fmt.Sprintf("apps %s and %s both ask for the host's socket %s", s.App, w.app, d), "leave one of their --socket= out: a socket has one app"}
		}
		s.App = w.app
		if w.proxy != "" {
			s.Proxy = w.proxy
		}
	}
	if s.App == "" {
		s.App = all
	}
	if s.App == "" {
		return s, &mismatch{fmt.Sprintf("no app takes the socket %s, which the host gave", d), "--socket=" + d.Name + " after an app's image gives it to the app"}
	}
	if s.Proxy != "" && s.Kind != stageabi.SocketStream {
		return s, fmt.Errorf("app %s: proxy= passes on connections, and the socket %s has none", s.App, d)
	}
	return s, nil
}

// appWish is a wish and whose it is.
type appWish struct {
	Wish
	app string
}

// met reports whether the host gave what it asks for.
func (w appWish) met(given []Descriptor) bool {
	for _, d := range given {
		if w.wants(d) {
			return true
		}
	}
	return false
}

// read parses all wishes. all is the app that gets what nobody asks for.
func read(apps []stageabi.App) (wishes []appWish, all string, err error) {
	hosts := false
	for _, a := range apps {
		for _, text := range a.Sockets {
			w, err := ParseWish(text)
			if err != nil {
				return nil, "", fmt.Errorf("app %s: socket %q: %w", a.Name, text, err)
			}
			hosts = hosts || w.own == nil
			wishes = append(wishes, appWish{w, a.Name})
		}
	}
	if len(apps) == 1 && !hosts {
		all = apps[0].Name
	}
	return wishes, all, nil
}

func notGiven(w appWish, given []Descriptor) error {
	if len(given) == 0 {
		return &mismatch{
			fmt.Sprintf("app %s: the host gave no socket %q: it gave none", w.app, w.text),
			"start the pod by a .socket unit of the host",
		}
	}
	list := make([]string, 0, len(given))
	for _, d := range given {
		list = append(list, d.String())
	}
	return &mismatch{
		fmt.Sprintf("app %s: the host gave no socket %q: it gave %s", w.app, w.text, strings.Join(list, ", ")),
		"FileDescriptorName= in the host's .socket unit is the name",
	}
}
