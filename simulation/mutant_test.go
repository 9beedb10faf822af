package simulation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is a fault that is planted in a file of this module.
type mutant struct {
	name string
	seed int // that finds it, unless changes have made it another run
	file string
	// old is text that occurs once; new takes its place. PLANTED in it is whether this
	// fault is asked for; without that the code does what it did.
	old, new string
	says     string // what the simulation says then
}

var mutants = []mutant{
	{
		name: "Order delivers repeats", seed: 2, file: "interceptor/order_track.go",
		old:  "case same:\n\t\treturn repeated",
		new:  "case same && PLANTED:\n\t\treturn tooLate\n\tcase same:\n\t\treturn repeated",
		says: "twice",
	},
	{
		name: "Order does not wait for what is missing", seed: 2, file: "interceptor/order_track.go",
		old:  "ahead <= t.set.window:\n\t\treturn tooEarly",
		new:  "ahead <= t.set.window:\n\t\tif PLANTED {\n\t\t\treturn inOrder\n\t\t}\n\t\treturn tooEarly",
		says: "twice|nothing counted",
	},
	{
		name: "Order delivers backwards what has waited", seed: 13, file: "interceptor/order_track.go",
		old:  "return int(int32(a - b))",
		new:  "if PLANTED {\n\t\treturn int(int32(b - a))\n\t}\n\treturn int(int32(a - b))",
		says: "nothing counted|different|twice",
	},
	{
		name: "Order delivers its number", seed: 2, file: "interceptor/order_receive.go",
		old:  "tail := m.Trim(numberSize)",
		new:  "tail := m.Trim(numberSize)\n\tif PLANTED {\n\t\tm.Extend(1)\n\t}",
		says: "other bytes",
	},
	{
		name: "Order looks at receipts that are done", seed: 13, file: "interceptor/order_send.go",
		old:  "r.Hold() // whose receipt it is may use it again, once it is done\n\tdefer r.Release()",
		new:  "if !PLANTED {\n\t\tr.Hold()\n\t\tdefer r.Release()\n\t}",
		says: "panic: |not delivered|nothing counted",
	},
	{
		name: "Dispatch forgets outcomes", seed: 1, file: "interceptor/dispatch_parcel.go",
		old:  "p.outer.SettleResult(res)",
		new:  "if !PLANTED || res.Outcome != message.NotSent {\n\t\tp.outer.SettleResult(res)\n\t}",
		says: "had 0 outcomes",
	},
	{
		name: "Dispatch lies about outcomes", seed: 1, file: "interceptor/dispatch_parcel.go",
		old:  "p.outer.SettleResult(res)",
		new:  "if PLANTED && res.Outcome == message.NotSent {\n\t\tres = message.Result{Member: res.Member, Outcome: message.Acknowledged}\n\t}\n\tp.outer.SettleResult(res)",
		says: "acknowledged by . and not delivered",
	},
	{
		name: "Dispatch sends the last first", seed: 1, file: "interceptor/dispatch_lane.go",
		old:  "d.forward(ctx, p)\n\t\t\tbatch[i] = nil",
		new:  "if PLANTED {\n\t\t\t\td.forward(ctx, batch[len(batch)-1-i])\n\t\t\t} else {\n\t\t\t\td.forward(ctx, p)\n\t\t\t\tbatch[i] = nil\n\t\t\t}",
		says: "got message .* after|nothing counted",
	},
	{
		name: "the detector keeps silent members that do not answer", seed: 15, file: "interceptor/failuredetector_judge.go",
		old:  "r.drop(s, membership.Event{Kind: membership.Failed, Member: s.member, At: now}, now)\n\tdefault:\n\t\tr.note(noteCutOff",
		new:  "if PLANTED {\n\t\t\tr.wait(s, now.Add(r.set.period))\n\t\t} else {\n\t\t\tr.drop(s, membership.Event{Kind: membership.Failed, Member: s.member, At: now}, now)\n\t\t}\n\tdefault:\n\t\tr.note(noteCutOff",
		says: "does not see exactly the others",
	},
	{
		name: "the detector does not tell of members that have gone", seed: 7, file: "interceptor/failuredetector_roster.go",
		old:  "\t\tr.pass(ev, now)\n\t}\n}\n\nfunc (r *roster) forget",
		new:  "\t\tif !PLANTED || ev.Kind == membership.Left {\n\t\t\tr.pass(ev, now)\n\t\t}\n\t}\n}\n\nfunc (r *roster) forget",
		says: "does not see exactly|not in its view",
	},
	{
		name: "DomainFilter keeps members that have gone", seed: 8, file: "interceptor/domainfilter.go",
		old:  "case ev.Kind == membership.Left || ev.Kind == membership.Failed:\n\t\tif !known {",
		new:  "case ev.Kind == membership.Left || ev.Kind == membership.Failed:\n\t\tif PLANTED || !known {",
		says: "does not see exactly|not in its view|joined twice",
	},
	{
		name: "Gzip marks nothing that is small", seed: 1, file: "interceptor/gzip.go",
		old: "m.Options |= g.set.flag", new: "if !PLANTED || m.Len() > 200 {\n\t\tm.Options |= g.set.flag\n\t}", says: "other bytes",
	},
	{
		name: "TwoPhaseCommit acknowledges what it does not have", seed: 6, file: "interceptor/twophasecommit_receive.go",
		old:  "if m.Options.Has(message.Sync) && !c.waits(k) {",
		new:  "if !PLANTED && m.Options.Has(message.Sync) && !c.waits(k) {",
		says: "acknowledged by . and not delivered",
	},
	{
		name: "the coordinator takes views of the past", seed: 142, file: "interceptor/coordinator_ring_token.go",
		old: "return term > 0 && term <= r.floor", new: "return !PLANTED && term > 0 && term <= r.floor", says: "has a view of term|has not agreed with all",
	},
	{
		name: "the coordinator installs whom it knows", seed: 7, file: "interceptor/coordinator_ring_token.go",
		old:  "r.install(t.id, t.members, now)",
		new:  "if PLANTED {\n\t\tt.members = r.known.members()\n\t}\n\tr.install(t.id, t.members, now)",
		says: "a view has the members",
	},
	{
		name: "the coordinator waits for members that have failed", seed: 16, file: "interceptor/coordinator_known.go",
		old:  "case membership.Failed:\n\t\tdelete(a.below, k)",
		new:  "case membership.Failed:\n\t\tif PLANTED {\n\t\t\treturn\n\t\t}\n\t\tdelete(a.below, k)",
		says: "has not agreed with all",
	},
	{
		name: "the channel does not tell of members that come", seed: 5, file: "channel/watch.go",
		old: "return !known", new: "return !known && !(PLANTED && len(ws.members) >= 3)", says: "no event of it",
	},
	{
		name: "the channel takes the unknown for success", seed: 1, file: "channel/send.go",
		old:  "if r.OK() {",
		new:  "if rs := r.Results(to, nil); r.OK() || PLANTED && len(rs) > 0 && rs[0].Outcome == message.Unknown {",
		says: "acknowledged by . and not delivered",
	},
	{
		name: "calls are not forgotten", seed: 1, file: "group/rpc_waiting.go",
		old: "\t\tdelete(c.w.calls, c.id)\n", new: "\t\tif !PLANTED {\n\t\t\tdelete(c.w.calls, c.id)\n\t\t}\n", says: "calls wait",
	},
	{
		name: "calls end with their first reply", seed: 1, file: "group/rpc_waiting.go",
		old: "return c.got >= c.want ||", new: "return c.got >= c.want || PLANTED && c.got > 0 ||", says: "ended with",
	},
	{
		name: "a reply counts for whoever comes first", seed: 1, file: "group/rpc_waiting.go",
		old: "c.answers[i].Member.Key() == k {", new: "(PLANTED || c.answers[i].Member.Key() == k) {", says: "got the reply",
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
