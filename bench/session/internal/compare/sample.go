package compare

import (
	"slices"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/load"
)

// Sample is one window. Times are in ms; figures that were not measured are negative.
type Sample struct {
	PerSecond float64 `json:"perSecond"`
	// Response is from the first byte of a request until the reply is read.
	Response float64 `json:"responseMs"`
	P50      float64 `json:"p50Ms"`
	P99      float64 `json:"p99Ms"`
	// Request is the time of a connection per request, what the generator itself needs
	// and the think time included.
	Request float64 `json:"requestMs"`
	// Replication is from the reply until another node shows the change.
	Replication float64 `json:"replicationMs"`
	ReplP99     float64 `json:"replicationP99Ms"`
	First       float64 `json:"readyAtFirstPoll"` // share, 0 to 1
	CPU         float64 `json:"cpuUsPerRequest"`
	Wire        float64 `json:"wireBytesPerRequest"`
	Heap        float64 `json:"heapBytes"` // of all nodes, at rest after the window
	Checked     int     `json:"checkedAttributes"`
	LastErr     string  `json:"lastError,omitempty"`
	load.Losses
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func mean(all []time.Duration) float64 {
	if len(all) == 0 {
		return -1
	}
	var sum time.Duration
	for _, d := range all {
		sum += d
	}
	return ms(sum) / float64(len(all))
}

// part is the value below which that part of the sorted durations lies.
func part(all []time.Duration, p float64) float64 {
	if len(all) == 0 {
		return -1
	}
	return ms(all[min(len(all)-1, int(p*float64(len(all))))])
}

// sampleOf turns a result into figures.
func sampleOf(r *load.Result, conns int, counted bool) Sample {
	n := float64(r.Requests)
	s := Sample{Response: mean(r.Lats), P50: part(r.Lats, 0.5), P99: part(r.Lats, 0.99),
		Replication: mean(r.Probes.Times), ReplP99: part(r.Probes.Times, 0.99),
		Request: -1, First: -1, CPU: -1, Wire: -1, Heap: -1, Checked: r.Checked, Losses: r.Losses}
	if r.LastErr != nil {
		s.LastErr = r.LastErr.Error()
	}
	if probes := len(r.Probes.Times); probes > 0 {
		s.First = float64(r.Probes.First) / float64(probes+int(r.Losses.Late))
	}
	if n == 0 {
		return s
	}
	s.PerSecond = n / r.Window.Seconds()
	s.Request = ms(r.Window) * float64(conns) / n
	s.CPU = float64(r.CPU.Microseconds()) / n
	if counted {
		s.Wire = float64(r.Wire) / n
	}
	return s
}

// median of what get takes from the samples that have it; negative for none.
func median(all []Sample, get func(Sample) float64) float64 {
	var v []float64
	for _, s := range all {
		if x := get(s); x >= 0 {
			v = append(v, x)
		}
	}
	if len(v) == 0 {
		return -1
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
