package compare

import (
	"fmt"
	"io"
)

// noise is the ratio below which two figures are called equal.
const noise = 1.5

// findings prints what became of the findings that an article of 2004 had about the
// Tomcat of its time, computed from the numbers above.
func (o *Outcome) findings(w io.Writer) {
	fmt.Fprintf(w, "\nfindings of 2004: confirmed or refuted (a ratio below %.1f counts as none)\n", noise)
	printed := false
	say := func(format string, args ...any) { printed = true; fmt.Fprintf(w, "  "+format+"\n", args...) }
	for _, n := range o.plan.Nodes {
		for _, c := range o.plan.Columns {
			if !c.Replicated() {
				continue
			}
			lite := o.get(cell{n, "new-lite", c.Name}, response)
			large := o.get(cell{n, "new-large", c.Name}, response)
			if r := over(large, lite); r > 0 {
				say("100 small attributes are 2-3 times quicker than a large one: %s at %s, %d nodes (%.2f times; new sessions)", verdict(r >= noise), c.Name, n, r)
			}
		}
		o.pair(say, n, "delta saves 30-50 %% of the bytes of full copies", "tribes-full-all", "tribes-delta-all", "write", wire, 1/0.7)
		o.pair(say, n, "pooled replication is quicker than one connection", "tomcat-sync-pool1", "tomcat-sync", "write", response, noise)
		o.pair(say, n, "pooled replication time is almost 4 times better", "tomcat-sync-pool1", "tomcat-sync", "write-2", replication, noise)
		o.best(say, n)
	}
	first, last := o.plan.Nodes[0], o.plan.Nodes[len(o.plan.Nodes)-1]
	for _, c := range o.plan.Columns {
		if r := over(o.get(cell{last, "write", c.Name}, response), o.get(cell{first, "write", c.Name}, response)); first < last && c.Replicated() && r > 0 {
			say("the cost grows with each node: %s at %s (response %.2f times from %d to %d nodes; they share the processors)", verdict(r >= noise), c.Name, r, first, last)
		}
	}
	if !printed {
		say("not measured: none of the columns and workloads that they are about was chosen")
	}
}

// best says which setting of the article has the quickest responses.
func (o *Outcome) best(say func(string, ...any), n int) {
	const expected = "tomcat-sync"
	best, quickest := "", 0.0
	for _, name := range []string{"tomcat-sync-pool1", "tomcat-noack-pool1", expected, "tomcat-noack", "tomcat-async"} {
		v := o.get(cell{n, "write", name}, response)
		switch {
		case v < 0:
			return // not all were measured
		case best == "" || v < quickest:
			best, quickest = name, v
		}
	}
	own := o.get(cell{n, "write", expected}, response)
	say("changes over a pool are the best setting: %s (%s %.3g ms, %s %.3g ms, write, %d nodes)",
		verdict(own < quickest*noise), expected, own, best, quickest, n)
}

// pair compares two columns; slow is expected to need more.
func (o *Outcome) pair(say func(string, ...any), n int, text, slow, quick, workload string, f func(Sample) float64, least float64) {
	a, b := o.get(cell{n, workload, slow}, f), o.get(cell{n, workload, quick}, f)
	if r := over(a, b); r > 0 {
		say(text+": %s (%s %.3g, %s %.3g, %s, %d nodes)", verdict(r >= least), slow, a, quick, b, workload, n)
	}
}

func verdict(holds bool) string {
	if holds {
		return "confirmed"
	}
	return "refuted"
}
