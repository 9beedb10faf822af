package interceptor

import (
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
)

// planned is a roster with members 1000, 1001, ... which are strangers, and 2,
// 3, ... which are announced.
func planned(limit, strangers, members int) (r *roster, others, shown []*subject) {
	r = newRoster(&detectorSettings{maxProbes: limit, period: time.Second, shallow: channel.ProbeConnect})
	add := func(m *membership.Member, show bool) *subject {
		s := &subject{member: m, heard: true, shown: show}
		r.touch(s)
		r.subjects[m.Key()] = s
		r.at[m.AddrPort()] = append(r.at[m.AddrPort()], s)
		return s
	}
	for n := range strangers {
		others = append(others, add(interceptortest.Member(1000+n), false))
	}
	for n := range members {
		shown = append(shown, add(interceptortest.Member(2+n), true))
	}
	return r, others, shown
}

func TestPlanPrefersMembersAndKeepsHalfFromStrangers(t *testing.T) {
	r, others, shown := planned(4, 10, 10)
	for _, s := range others {
		r.plan.add(s, channel.ProbeConnect)
	}
	begun := r.plan.start(r)
	if len(begun) != 2 {
		t.Fatalf("%d strangers are probed of 4 places, want 2", len(begun))
	}
	for _, s := range shown {
		r.plan.add(s, channel.ProbeConnect)
	}
	more := r.plan.start(r)
	if len(more) != 2 || !more[0].urgent || !more[1].urgent {
		t.Fatalf("then %d probes begin, want 2 of members", len(more))
	}
	r.plan.ended(begun[0])
	if next := r.plan.start(r); len(next) != 1 || !next[0].urgent {
		t.Errorf("in the place of a stranger begins %v, want a member", next)
	}
}

func TestPlanAsksDeeperWhenTheRunningProbeIsShallow(t *testing.T) {
	r, _, shown := planned(4, 0, 1)
	s := shown[0]
	r.plan.add(s, channel.ProbeWrite)
	first := r.plan.start(r)
	r.plan.add(s, channel.ProbeConnect)
	r.plan.add(s, channel.ProbeWrite)
	if len(r.plan.waiting) != 0 {
		t.Error("a probe that is no deeper than the running one waits")
	}
	r.plan.add(s, channel.ProbeRead)
	if begun := r.plan.start(r); len(begun) != 0 {
		t.Error("two probes of one address run")
	}
	r.plan.ended(first[0])
	if begun := r.plan.start(r); len(begun) != 1 || begun[0].kind != channel.ProbeRead {
		t.Errorf("after the shallow probe begins %v, want one with the read test", begun)
	}
}

func TestPlanTakesTheDeepestKindOfAllWhoWait(t *testing.T) {
	r, _, shown := planned(4, 0, 1)
	r.plan.add(shown[0], channel.ProbeConnect)
	r.plan.add(shown[0], channel.ProbeRead)
	r.plan.add(shown[0], channel.ProbeWrite)
	begun := r.plan.start(r)
	if len(begun) != 1 || begun[0].kind != channel.ProbeRead || len(begun[0].who) != 1 {
		t.Errorf("begun: %+v, want one with the read test for one member", begun)
	}
}

// What a running probe finds says nothing about a member that has changed since
// it began; one that waits has not begun.
func TestPlanProbesAgainWhoHasChanged(t *testing.T) {
	r, _, shown := planned(4, 0, 1)
	s := shown[0]
	r.plan.add(s, channel.ProbeRead)
	first := r.plan.start(r)
	for range 3 {
		r.touch(s)
		r.plan.add(s, channel.ProbeRead)
	}
	if len(first[0].who) != 1 {
		t.Errorf("the running probe counts for %d versions, want 1", len(first[0].who))
	}
	r.plan.ended(first[0])
	second := r.plan.start(r)
	if len(second) != 1 || len(second[0].who) != 1 || second[0].who[0].version != s.version {
		t.Errorf("then begins %+v, want one probe for the present version", second)
	}
}

func TestPlanLeavesOutWhoIsNotThereAnyMore(t *testing.T) {
	r, others, shown := planned(4, 1, 1)
	r.plan.add(others[0], channel.ProbeConnect)
	r.plan.add(shown[0], channel.ProbeConnect)
	r.forget(others[0])
	r.touch(shown[0])
	if begun := r.plan.start(r); len(begun) != 0 {
		t.Errorf("%d probes begin for nobody, want none", len(begun))
	}
	if len(r.plan.waiting)+len(r.plan.urgent)+len(r.plan.others) != 0 {
		t.Error("they are still waiting")
	}
}

// A stranger that waits and is announced meanwhile, through another identity on
// its address, is not probed twice.
func TestPlanMovesAProbeThatBecomesUrgent(t *testing.T) {
	r, others, _ := planned(2, 3, 0)
	for _, s := range others {
		r.plan.add(s, channel.ProbeConnect)
	}
	first := r.plan.start(r)
	if len(first) != 1 {
		t.Fatalf("%d strangers are probed, want 1", len(first))
	}
	others[2].shown = true
	r.plan.add(others[2], channel.ProbeConnect)
	begun := r.plan.start(r)
	if len(begun) != 1 || begun[0].member.Key() != others[2].member.Key() {
		t.Fatalf("begun: %v, want the one that became a member", begun)
	}
	r.plan.ended(first[0])
	r.plan.ended(begun[0])
	if last := r.plan.start(r); len(last) != 1 || last[0].member.Key() != others[1].member.Key() {
		t.Errorf("then: %v, want the stranger that is left", last)
	}
}
