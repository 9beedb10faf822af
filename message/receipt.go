package message

import (
	"sync"
	"sync/atomic"

	"github.com/gotribes/tribes/membership"
)

// Receipt collects the outcomes of one send. The stack settles each destination
// exactly once, whatever happens; when all are settled the receipt is done.
//
// A layer that turns one send into several tells with Add how many more
// outcomes will come. For one member the worst outcome counts.
//
// A Receipt is safe for concurrent use.
type Receipt struct {
	mu      sync.Mutex
	pending int
	holds   int
	parts   bool          // a member may be settled more than once
	results []Result      // what was settled so far
	done    chan struct{} // has room for one value
	notify  func(*Receipt)
	gone    atomic.Bool
}

// NewReceipt returns a receipt that waits for n outcomes. With notify not nil,
// it is called once, by whoever settles the last one, and must not block; else
// [Receipt.Done] tells.
func NewReceipt(n int, notify func(*Receipt)) *Receipt {
	r := &Receipt{done: make(chan struct{}, 1)}
	r.Reset(n, notify)
	return r
}

// Reset makes a receipt that is done ready for another send. Nobody may use it
// for the old one any more.
func (r *Receipt) Reset(n int, notify func(*Receipt)) {
	r.gone.Store(false)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.notify == nil {
		select {
		case <-r.done: // nobody looked
		default:
		}
	}
	clear(r.results)
	r.pending, r.holds, r.parts, r.results, r.notify = n, 0, false, r.results[:0], notify
}

// Hold keeps the receipt from being done until Release, for a layer that looks at it
// after it has handed the message down: who gets a receipt back that is done may use it,
// and the list of destinations, for another message at once. It panics if the receipt is
// done.
func (r *Receipt) Hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending <= 0 {
		panic("tribes: message: hold of a receipt that is done")
	}
	r.holds++
}

// Release ends a Hold. If all destinations are settled, the receipt is done with the
// last one.
func (r *Receipt) Release() {
	r.mu.Lock()
	r.holds--
	last, notify := r.over(), r.notify
	r.mu.Unlock()
	if last {
		r.finish(notify)
	}
}

// over reports whether nothing is expected any more. It is called with mu held.
func (r *Receipt) over() bool { return r.pending == 0 && r.holds == 0 }

// finish says that the receipt is done.
func (r *Receipt) finish(notify func(*Receipt)) {
	if notify != nil {
		notify(r)
	} else {
		r.done <- struct{}{}
	}
}

// Add says that n more outcomes will be settled. It must be called before the
// last of those already expected can be; it panics if the receipt is done.
func (r *Receipt) Add(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending <= 0 {
		panic("tribes: message: more outcomes announced for a receipt that is done")
	}
	r.pending += n
	r.parts = true
}

// Settle gives the outcome at one destination. It panics if nothing was
// expected any more: somebody settled twice.
func (r *Receipt) Settle(m *membership.Member, o Outcome, err error) {
	r.SettleResult(Result{Member: m, Outcome: o, Err: err})
}

// SettleResult is Settle with all that a Result can say.
func (r *Receipt) SettleResult(res Result) {
	if last, notify := r.settle(res); last {
		r.finish(notify)
	}
}

// settle records res and reports whether it was the last one.
func (r *Receipt) settle(res Result) (last bool, notify func(*Receipt)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending <= 0 {
		panic("tribes: message: a destination was settled twice")
	}
	r.record(res)
	r.pending--
	return r.over(), r.notify
}

// SettleAll gives the same outcome to all of to.
func (r *Receipt) SettleAll(to []*membership.Member, o Outcome, err error) {
	for _, m := range to {
		r.Settle(m, o, err)
	}
}

// record keeps the worse of two results of one member. It is called with mu held.
func (r *Receipt) record(res Result) {
	var old *Result
	if r.parts {
		old, _ = r.find(res.Member)
	}
	if old == nil {
		r.results = append(r.results, res)
		return
	}
	retried := res.Retried || old.Retried
	if res.Outcome > old.Outcome {
		*old = res
	}
	old.Retried = retried
}

// find returns the worst result of a member, nil if there is none, and how many there
// are. It is called with mu held.
func (r *Receipt) find(m *membership.Member) (worst *Result, n int) {
	for i := range r.results {
		res := &r.results[i]
		if !same(res.Member, m) {
			continue
		}
		if n++; worst == nil || res.Outcome > worst.Outcome {
			worst = res
		}
	}
	return worst, n
}

func same(a, b *membership.Member) bool { return a == b || a.Key() == b.Key() }

// times is how often a member is in to.
func times(to []*membership.Member, m *membership.Member) (n int) {
	for _, x := range to {
		if same(x, m) {
			n++
		}
	}
	return n
}

// Done delivers one value when the receipt is done, unless it has a notify
// function.
func (r *Receipt) Done() <-chan struct{} { return r.done }

// Abandon says that nobody waits any more. Senders may drop what they have not
// begun to write; they still settle it.
func (r *Receipt) Abandon() { r.gone.Store(true) }

// Abandoned reports whether Abandon was called.
func (r *Receipt) Abandoned() bool { return r.gone.Load() }

// OK reports whether every outcome so far is one of success.
func (r *Receipt) OK() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.results {
		if !r.results[i].Outcome.OK() {
			return false
		}
	}
	return true
}

// Results returns the result at each of to. A destination that is not settled
// yet has the outcome Unknown and the error pending.
func (r *Receipt) Results(to []*membership.Member, pending error) []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Result, len(to))
	for i, m := range to {
		res, n := r.find(m)
		if res != nil && (r.pending == 0 || !res.Outcome.OK() || !r.parts && n >= times(to, m)) {
			all[i] = *res
			continue
		}
		all[i] = Result{Member: m, Outcome: Unknown, Err: pending}
	}
	return all
}
