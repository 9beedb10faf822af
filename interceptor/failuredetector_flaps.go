package interceptor

import (
	"time"

	"github.com/gotribes/tribes/membership"
)

// flapping is what a roster remembers of members that have failed: one that comes
// and fails again and again is not announced as soon as it answers, but after a
// pause that doubles each time. It outlives the member.
type flapping struct {
	most    int // failures in a row without a pause; negative: no bound
	window  time.Duration
	base    time.Duration
	members map[membership.Key]*flaps
}

// heldPart of the window is the longest pause: short enough that a group is whole soon
// after whatever made its members flap has ended.
const heldPart = 12

// flaps are those of one member.
type flaps struct {
	failures int       // in a row, between which it was never there for the window
	shown    time.Time // when it was announced the last time
	until    time.Time // it is not announced before
}

func newFlapping(set *detectorSettings) flapping {
	return flapping{set.flaps, set.flapWindow, set.period, make(map[membership.Key]*flaps)}
}

// joined notes that a member is announced.
func (f *flapping) joined(k membership.Key, now time.Time) {
	if x := f.members[k]; x != nil {
		x.shown = now
	}
}

// failed notes that an announced member, which was so since a time, has failed.
func (f *flapping) failed(k membership.Key, since, now time.Time) {
	if f.most < 0 {
		return
	}
	f.forget(now)
	x := f.members[k]
	if x == nil {
		x = &flaps{shown: since}
		f.members[k] = x
	}
	if now.Sub(x.shown) >= f.window {
		x.failures = 0
	}
	x.failures++
	if over := x.failures - f.most; over >= 0 {
		x.until = now.Add(min(f.base<<min(over+1, maxRetrySize), f.window/heldPart))
	}
}

// forget drops who has not failed for long.
func (f *flapping) forget(now time.Time) {
	for k, x := range f.members {
		if now.Sub(x.shown) >= 2*f.window && now.After(x.until) {
			delete(f.members, k)
		}
	}
}

// heldUntil returns until when a member is not announced; zero if it may be.
func (f *flapping) heldUntil(k membership.Key, now time.Time) time.Time {
	if x := f.members[k]; x != nil && now.Before(x.until) {
		return x.until
	}
	return time.Time{}
}

// count returns how often a member has failed in a row.
func (f *flapping) count(k membership.Key) int {
	if x := f.members[k]; x != nil {
		return x.failures
	}
	return 0
}

// hold makes a candidate that answers wait if it has failed too often; it returns
// false if it need not.
func (r *roster) hold(s *subject, now time.Time) bool {
	s.held = r.flaps.heldUntil(s.member.Key(), now)
	if s.held.IsZero() {
		return false
	}
	r.note(noteFlapping, s, nil)
	r.wait(s, s.held)
	return true
}
