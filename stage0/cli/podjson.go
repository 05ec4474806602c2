package cli

import (
	"time"

	"github.com/raket/raket/pkg/stageabi"
)

// podJSON is a pod as rkt's JSON has it, and some more.
type podJSON struct {
	UUID     string          `json:"name"`
	State    string          `json:"state"`
	Networks []networkJSON   `json:"networks,omitempty"`
	Ports    []stageabi.Port `json:"ports,omitempty"`
	AppNames []string        `json:"app_names"`
	Apps     []appJSON       `json:"apps"`
	// Created and Started are seconds since 1970, as in rkt.
	Created *int64 `json:"created_at,omitempty"`
	Started *int64 `json:"started_at,omitempty"`
	Ended   *int64 `json:"finished_at,omitempty"`
	PID     int    `json:"pid,omitempty"`
	Ready   bool   `json:"ready"`
}

type appJSON struct {
	Name      string `json:"name"`
	State     string `json:"state"`
	ImageName string `json:"image_name,omitempty"`
	ImageID   string `json:"image_id,omitempty"`
	// Created, Started and Ended are nanoseconds since 1970, as in rkt.
	Created  *int64 `json:"created_at,omitempty"`
	Started  *int64 `json:"started_at,omitempty"`
	Ended    *int64 `json:"finished_at,omitempty"`
	ExitCode *int   `json:"exit_code,omitempty"`
	Signal   string `json:"signal,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Restarts int    `json:"restarts,omitempty"`
	// StatusText is what the app says of itself.
	StatusText string      `json:"status_text,omitempty"`
	Health     *healthJSON `json:"health,omitempty"`
	// Setback is the last update that was taken back.
	Setback *setbackJSON `json:"update_taken_back,omitempty"`
}

type setbackJSON struct {
	Image string `json:"image"`
	// At is in nanoseconds since 1970.
	At  int64  `json:"at"`
	Why string `json:"error"`
}

func setbackToJSON(s *appSetback) *setbackJSON {
	if s == nil {
		return nil
	}
	return &setbackJSON{s.Image, s.At.UnixNano(), s.Why}
}

type healthJSON struct {
	Status  string `json:"status"`
	Failing int    `json:"failing_streak"`
	// Checked is in nanoseconds since 1970.
	Checked *int64 `json:"checked_at,omitempty"`
	// ExitCode is -1 of a check that took too long.
	ExitCode *int   `json:"exit_code,omitempty"`
	Output   string `json:"output,omitempty"`
}

type networkJSON struct {
	Name      string   `json:"netName"`
	IP        string   `json:"ip,omitempty"`
	IfName    string   `json:"ifName,omitempty"`
	HostIf    string   `json:"hostIf,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Gateways  []string `json:"gateways,omitempty"`
	MAC       string   `json:"mac,omitempty"`
}

func podsJSON(pods []pod) []podJSON {
	out := make([]podJSON, 0, len(pods))
	for _, p := range pods {
		out = append(out, toJSON(p))
	}
	return out
}

func toJSON(p pod) podJSON {
	j := podJSON{
		UUID: p.UUID, State: p.State, PID: p.PID, Ready: p.Ready,
		Created: unixTime(p.Created, time.Time.Unix), Started: unixTime(p.Started, time.Time.Unix), Ended: unixTime(p.Ended, time.Time.Unix),
		Ports: p.Ports, AppNames: []string{}, Apps: []appJSON{},
	}
	for _, n := range p.Networks {
		j.Networks = append(j.Networks, networkJSON(n))
	}
	for _, a := range p.Apps {
		j.AppNames = append(j.AppNames, a.Name)
		j.Apps = append(j.Apps, appJSON{
			Name: a.Name, State: a.State, ImageName: a.ImageName, ImageID: a.ImageID, ExitCode: a.ExitCode, StatusText: a.StatusText, Health: healthToJSON(a.Health), Setback: setbackToJSON(a.Setback),
			Signal: a.Signal, Reason: a.Reason, Restarts: a.Restarts,
			Created: unixTime(orTime(a.Created, p.Created), time.Time.UnixNano), Started: unixTime(a.Started, time.Time.UnixNano), Ended: unixTime(a.Ended, time.Time.UnixNano),
		})
	}
	return j
}

func healthToJSON(h *appHealth) *healthJSON {
	if h == nil {
		return nil
	}
	j := &healthJSON{Status: h.Status, Failing: h.Failing, Checked: unixTime(h.Checked, time.Time.UnixNano), Output: h.Output}
	if j.Checked != nil {
		j.ExitCode = &h.Code
	}
	return j
}

func unixTime(t time.Time, in func(time.Time) int64) *int64 {
	if t.IsZero() {
		return nil
	}
	n := in(t)
	return &n
}

func orTime(t, other time.Time) time.Time {
	if t.IsZero() {
		return other
	}
	return t
}
