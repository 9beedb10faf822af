package simulation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is a fault that is planted in a file of this module.
type mutant struct {
	name     string
	file     string
	old, new string // the text that is replaced, which occurs once
	says     string // what the simulation says then
}

var mutants = []mutant{
	{
		name: "Order delivers repeats", file: "interceptor/order_track.go",
		old: "case same:\n\t\treturn repeated", new: "case same:\n\t\treturn tooLate", says: "twice",
	},
	{
		name: "Order does not wait for what is missing", file: "interceptor/order_track.go",
		old: "ahead <= t.set.window:\n\t\treturn tooEarly", new: "ahead <= t.set.window:\n\t\treturn inOrder", says: "twice|nothing counted",
	},
	{
		name: "Order delivers backwards what has waited", file: "interceptor/order_track.go",
		old: "return int(int32(a - b))", new: "return int(int32(b - a))", says: "nothing counted|different|twice",
	},
	{
		name: "Order delivers its number", file: "interceptor/order_receive.go",
		old:  "tail := m.Trim(numberSize)",
		new:  "tail := m.Trim(numberSize)\n\tm.Extend(1)",
		says: "other bytes",
	},
	{
		name: "Dispatch forgets outcomes", file: "interceptor/dispatch_parcel.go",
		old: "p.outer.SettleResult(res)", new: "if res.Outcome != message.NotSent {\n\tp.outer.SettleResult(res)\n}", says: "had 0 outcomes",
	},
	{
		name: "Dispatch lies about outcomes", file: "interceptor/dispatch_parcel.go",
		old:  "p.outer.SettleResult(res)",
		new:  "if res.Outcome == message.NotSent {\n\tres = message.Result{Member: res.Member, Outcome: message.Acknowledged}\n}\np.outer.SettleResult(res)",
		says: "acknowledged by . and not delivered",
	},
	{
		name: "Dispatch sends the last first", file: "interceptor/dispatch_lane.go",
		old: "d.forward(ctx, p)\n\t\t\tbatch[i] = nil", new: "_ = p\n\t\t\td.forward(ctx, batch[len(batch)-1-i])", says: "got message .* after",
	},
	{
		name: "the detector keeps silent members that do not answer", file: "interceptor/failuredetector_judge.go",
		old:  "r.drop(s, membership.Event{Kind: membership.Failed, Member: s.member, At: now}, now)\n\tdefault:\n\t\tr.note(noteCutOff",
		new:  "r.wait(s, now.Add(r.set.period))\n\tdefault:\n\t\tr.note(noteCutOff",
		says: "does not see exactly the others",
	},
	{
		name: "the detector does not tell of members that have gone", file: "interceptor/failuredetector_roster.go",
		old: "\t\tr.pass(ev, now)\n\t}\n}\n\nfunc (r *roster) forget", new: "\t\tif ev.Kind == membership.Left {\n\t\t\tr.pass(ev, now)\n\t\t}\n\t}\n}\n\nfunc (r *roster) forget", says: "does not see exactly|not in its view",
	},
	{
		name: "DomainFilter keeps members that have gone", file: "interceptor/domainfilter.go",
		old: "case ev.Kind == membership.Left || ev.Kind == membership.Failed:\n\t\tif !known {", new: "case ev.Kind == membership.Left || ev.Kind == membership.Failed:\n\t\tif true {", says: "does not see exactly|not in its view|joined twice",
	},
	{
		name: "Gzip marks nothing that is small", file: "interceptor/gzip.go",
		old: "m.Options |= g.set.flag", new: "if m.Len() > 200 {\n\tm.Options |= g.set.flag\n}", says: "other bytes",
	},
	{
		name: "the channel does not tell of members that come", file: "channel/watch.go",
		old: "return !known", new: "return !known && len(ws.members) < 3", says: "no event of it",
	},
	{
		name: "the channel takes the unknown for success", file: "channel/send.go",
		old:  "if r.OK() {",
		new:  "if rs := r.Results(to, nil); r.OK() || len(rs) > 0 && rs[0].Outcome == message.Unknown {",
		says: "acknowledged by . and not delivered",
	},
}

// text returns the file that the mutant belongs to.
func (m *mutant) text(t *testing.T, root string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), m.old); n != 1 {
		t.Fatalf("%s has %q %d times: bring the mutant up to date", m.file, m.old, n)
	}
	return string(b)
}

// The planted faults fit the code as it is; that they are found is TestMutants, with the
// tag mutants.
func TestMutantsFit(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) { m.text(t, "..") })
	}
}
