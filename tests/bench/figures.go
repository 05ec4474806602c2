package main

import (
	"slices"
	"time"
)

// Names of figures. Their units are in the report beside them.
const (
	figWall    = "wall"
	figCPU     = "cpu"
	figHelpers = "helpers"
	figPSS     = "pss"
	figWakeUps = "wake-ups"
	figPeak    = "peak"
)

// figure is one quantity of one contender over all rounds.
type figure struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	N      int     `json:"n"`
}

// row is what is known of one contender of a scenario. Note says why it has no figures, or what to know about them.
type row struct {
	Subject string   `json:"subject"`
	Figures []figure `json:"figures,omitempty"`
	Note    string   `json:"note,omitempty"`
	Failed  bool     `json:"failed,omitempty"`
}

// table is the result of one scenario.
type table struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Reference is the row that ratios are taken to; empty for none.
	Reference string `json:"reference,omitempty"`
	Rows      []row  `json:"rows"`
}

func (t table) figure(subject, name string) (figure, bool) {
	for _, r := range t.Rows {
		if r.Subject != subject {
			continue
		}
		for _, f := range r.Figures {
			if f.Name == name {
				return f, true
			}
		}
	}
	return figure{}, false
}

// summarize gives minimum and median; of an even number the median is the mean of the middle two.
func summarize(name, unit string, values []float64) figure {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	if n == 0 {
		return figure{Name: name, Unit: unit}
	}
	return figure{Name: name, Unit: unit, N: n, Min: s[0], Median: (s[(n-1)/2] + s[n/2]) / 2}
}

// timings are the two figures of a row that was timed, in milliseconds.
func timings(samples []sample) []figure {
	wall, cpu := make([]float64, len(samples)), make([]float64, len(samples))
	for i, s := range samples {
		wall[i], cpu[i] = milliseconds(s.Wall), milliseconds(s.CPU)
	}
	return []figure{summarize(figWall, "ms", wall), summarize(figCPU, "ms", cpu)}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
