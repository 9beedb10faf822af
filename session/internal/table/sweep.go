package table

import "time"

// arm starts the timer if there is none.
func (t *Table) arm() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer == nil && !t.closed {
		t.timer = time.AfterFunc(t.cfg.Every, t.tick)
	}
}

// tick runs in a goroutine of the timer, which Close waits for.
func (t *Table) tick() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	t.sweeps.Add(1)
	t.mu.Unlock()
	defer t.sweeps.Done()

	t.Sweep()

	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = nil
	if t.n.Load() > 0 && !t.closed {
		t.timer = time.AfterFunc(t.cfg.Every, t.tick)
	}
}

// Sweep tells Config.Expire of all sessions that have expired.
func (t *Table) Sweep() {
	now := t.Now()
	for e := range t.All() {
		if e.Expired(now) {
			t.cfg.Expire(e)
		}
	}
}

// Close drops all sessions and waits for a sweep that runs. Config.Expire must not call
// it.
func (t *Table) Close() {
	t.mu.Lock()
	t.closed = true
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Unlock()
	t.sweeps.Wait()
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		sh.ids, sh.keys = nil, nil
		sh.mu.Unlock()
	}
	t.n.Store(0)
}
