package message

import (
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gotribes/tribes/membership"
)

func isDone(r *Receipt) bool {
	select {
	case <-r.Done():
		return true
	default:
		return false
	}
}

// wantResults compares results; members by identity of the pointer.
func wantResults(t *testing.T, got, want []Result) {
	t.Helper()
	sameMember := cmp.Comparer(func(a, b *membership.Member) bool { return a == b })
	if diff := cmp.Diff(want, got, sameMember, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("Results() differ (-want +got):\n%s", diff)
	}
}

func TestReceipt(t *testing.T) {
	a, b := newMember(t, 1, nil), newMember(t, 2, nil)
	to := []*membership.Member{a, b}
	pending := errors.New("still waiting")
	r := NewReceipt(2, nil)
	wantResults(t, r.Results(to, pending), []Result{{Member: a, Outcome: Unknown, Err: pending}, {Member: b, Outcome: Unknown, Err: pending}})
	r.Settle(b, Acknowledged, nil)
	if isDone(r) || !r.OK() {
		t.Errorf("with one of two settled Done or not OK")
	}
	wantResults(t, r.Results(to, pending), []Result{{Member: a, Outcome: Unknown, Err: pending}, {Member: b, Outcome: Acknowledged}})
	r.SettleResult(Result{Member: a, Outcome: NotSent, Err: io.EOF, Retried: true})
	if !isDone(r) || r.OK() {
		t.Errorf("with a failure not done or OK")
	}
	if isDone(r) {
		t.Error("Done delivered twice")
	}
	wantResults(t, r.Results(to, nil), []Result{{Member: a, Outcome: NotSent, Err: io.EOF, Retried: true}, {Member: b, Outcome: Acknowledged}})
	mustPanic(t, "settling once too often", func() { r.Settle(a, Acknowledged, nil) })
	mustPanic(t, "Add to a receipt that is done", func() { r.Add(1) })
	if len(r.results) != 2 {
		t.Errorf("the settlement too many was recorded: %v", r.results)
	}
}

// A member that is listed twice has what is worse of its two results, or none yet, in
// whatever order they come.
func TestReceiptOfOneMemberTwice(t *testing.T) {
	a, b := newMember(t, 1, nil), newMember(t, 2, nil)
	to := []*membership.Member{a, b, a}
	pending := errors.New("still waiting")
	good, bad := Result{Member: a, Outcome: Acknowledged}, Result{Member: a, Outcome: NotSent, Err: io.EOF}
	other := Result{Member: b, Outcome: Acknowledged}
	for _, order := range [][]Result{{good, bad}, {bad, good}} {
		r := NewReceipt(3, nil)
		r.SettleResult(other)
		r.SettleResult(order[0])
		between := Result{Member: a, Outcome: Unknown, Err: pending}
		if order[0].Outcome == NotSent {
			between = bad
		}
		wantResults(t, r.Results(to, pending), []Result{between, other, between})
		r.SettleResult(order[1])
		wantResults(t, r.Results(to, nil), []Result{bad, other, bad})
	}
}

func TestReceiptNotify(t *testing.T) {
	a := newMember(t, 1, nil)
	var told []*Receipt
	r := NewReceipt(2, func(r *Receipt) { told = append(told, r) })
	r.SettleAll([]*membership.Member{a, newMember(t, 2, nil)}, Written, nil)
	if len(told) != 1 || told[0] != r || !r.OK() || isDone(r) {
		t.Errorf("notify was called with %v, want once with the receipt, and nothing from Done", told)
	}
}

// The function that is told may use the receipt, also for another send.
func TestReceiptNotifyMayReset(t *testing.T) {
	a := newMember(t, 1, nil)
	calls := 0
	var again func(r *Receipt)
	again = func(r *Receipt) {
		if calls++; calls < 3 {
			r.Reset(1, again)
			r.Settle(a, Acknowledged, nil)
		}
	}
	NewReceipt(1, again).Settle(a, Acknowledged, nil)
	if calls != 3 {
		t.Errorf("notify was called %d times, want 3", calls)
	}
}

func TestReceiptParts(t *testing.T) {
	a, b := newMember(t, 1, nil), newMember(t, 2, nil)
	sameAsA := newMember(t, 1, func(at *membership.Attributes) { at.Payload = "another description" })
	pending := errors.New("still waiting")
	to := []*membership.Member{a, b}
	r := NewReceipt(2, nil)
	r.Add(2) // two parts to each
	r.Settle(a, Acknowledged, nil)
	// One part is not the whole: a may still fail.
	wantResults(t, r.Results(to, pending), []Result{{Member: a, Outcome: Unknown, Err: pending}, {Member: b, Outcome: Unknown, Err: pending}})
	r.SettleResult(Result{Member: b, Outcome: Refused, Err: io.EOF, Retried: true})
	// A failure of one part is one of the whole.
	wantResults(t, r.Results(to, pending), []Result{{Member: a, Outcome: Unknown, Err: pending}, {Member: b, Outcome: Refused, Err: io.EOF, Retried: true}})
	r.Settle(b, Acknowledged, nil)
	if isDone(r) {
		t.Fatal("done with three of four parts")
	}
	r.Settle(sameAsA, Written, nil)
	if !isDone(r) {
		t.Fatal("not done with all parts")
	}
	got := r.Results(to, nil)
	if got[0].Outcome != Written || got[1].Outcome != Refused || !got[1].Retried {
		t.Errorf("Results() = %+v, want the worst of each", got)
	}
}

func TestReceiptWorstOutcome(t *testing.T) {
	order := []Outcome{Acknowledged, Written, Refused, NotSent, Unknown} // from good to bad
	m := newMember(t, 1, nil)
	for i, first := range order {
		for j, second := range order {
			r := NewReceipt(1, nil)
			r.Add(1)
			r.SettleResult(Result{Member: m, Outcome: first, Retried: i == 0})
			r.Settle(m, second, nil)
			want := Result{Member: m, Outcome: order[max(i, j)], Retried: i == 0}
			wantResults(t, r.Results([]*membership.Member{m}, nil), []Result{want})
			if r.OK() != want.Outcome.OK() {
				t.Errorf("OK() of %v and %v = %v", first, second, r.OK())
			}
		}
	}
}

// Add may come when some of the outcomes have already come in.
func TestReceiptAddLate(t *testing.T) {
	a, b := newMember(t, 1, nil), newMember(t, 2, nil)
	r := NewReceipt(2, nil)
	r.Settle(a, NotSent, io.EOF)
	r.Add(1)
	r.Settle(b, Acknowledged, nil)
	r.Settle(a, Acknowledged, nil)
	if !isDone(r) {
		t.Fatal("not done")
	}
	wantResults(t, r.Results([]*membership.Member{a, b}, nil), []Result{{Member: a, Outcome: NotSent, Err: io.EOF}, {Member: b, Outcome: Acknowledged}})
}

func TestReceiptReset(t *testing.T) {
	a, b := newMember(t, 1, nil), newMember(t, 2, nil)
	r := NewReceipt(1, nil)
	r.Add(1)
	r.Settle(a, NotSent, io.EOF)
	r.Settle(a, NotSent, io.EOF) // done, and nobody looks
	r.Abandon()
	r.Reset(1, nil)
	if isDone(r) || r.Abandoned() || !r.OK() {
		t.Errorf("after Reset: done, abandoned or not OK")
	}
	r.Settle(b, Acknowledged, nil)
	if !isDone(r) || !r.OK() {
		t.Errorf("the second send is not done or not OK")
	}
	wantResults(t, r.Results([]*membership.Member{a, b}, nil), []Result{{Member: a, Outcome: Unknown}, {Member: b, Outcome: Acknowledged}})
}

func TestReceiptAbandon(t *testing.T) {
	a := newMember(t, 1, nil)
	r := NewReceipt(1, nil)
	if r.Abandoned() {
		t.Error("Abandoned() of a new receipt = true")
	}
	r.Abandon()
	r.Settle(a, Unknown, ErrTimeout) // must not block: nobody reads Done
	if !r.Abandoned() {
		t.Error("Abandoned() after Abandon = false")
	}
}

func TestReceiptConcurrentUse(t *testing.T) {
	const n = 50
	var to []*membership.Member
	for i := range byte(n) {
		to = append(to, newMember(t, i, nil))
	}
	r := NewReceipt(n, nil)
	r.Add(n)
	var wg sync.WaitGroup
	for i, m := range to {
		wg.Go(func() { // ends by itself
			r.Settle(m, Acknowledged, nil)
			r.OK()
			r.Results(to, nil)
			o := Written
			if i == 7 {
				o = Refused
			}
			r.Settle(m, o, nil)
		})
	}
	<-r.Done()
	wg.Wait()
	if r.OK() {
		t.Error("OK() with a refusal = true")
	}
	for i, res := range r.Results(to, nil) {
		want := Written
		if i == 7 {
			want = Refused
		}
		if res.Outcome != want {
			t.Errorf("outcome at %v = %v, want %v", res.Member, res.Outcome, want)
		}
	}
}

// A receipt that is held is not done, nor used for something else, before the last hold
// ends; one whose send was not tried is as before.
func TestReceiptHold(t *testing.T) {
	a := newMember(t, 1, nil)
	done := 0
	r := NewReceipt(1, func(*Receipt) { done++ })
	r.Hold()
	r.Release() // nothing was tried
	r.Hold()
	r.Hold()
	r.Settle(a, NotSent, nil)
	r.Release()
	if done != 0 {
		t.Errorf("done %d times while it is held", done)
	}
	wantResults(t, r.Results([]*membership.Member{a}, nil), []Result{{Member: a, Outcome: NotSent}})
	r.Release()
	if done != 1 {
		t.Errorf("done %d times, want once", done)
	}
	mustPanic(t, "Hold of a receipt that is done", r.Hold)
}
