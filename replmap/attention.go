package replmap

import (
	"sync"
	"time"
)

// attention has the keys whose values may not be where they are to be.
type attention struct {
	mu    sync.Mutex
	due   map[string]glance
	lacks map[string]bool // values that are to be here and are not
	all   bool            // everything is to be looked at
	next  time.Time       // when keep wakes up by itself
	wake  chan struct{}   // has room for one
}

// glance says when to look at a key, and how often that has been in vain.
type glance struct {
	at    time.Time
	tries int
}

func newAttention() *attention {
	return &attention{due: make(map[string]glance), lacks: make(map[string]bool), wake: make(chan struct{}, 1)}
}

// add has a key looked at, at a time or before.
func (a *attention) add(key string, g glance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if old, there := a.due[key]; there && !g.at.Before(old.at) {
		return
	}
	a.due[key] = g
	if g.at.Before(a.next) {
		a.next = g.at
		a.rouse()
	}
}

// rouse wakes keep. The caller holds a.mu.
func (a *attention) rouse() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// lookAtAll has everything looked at.
func (a *attention) lookAtAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = true
	a.rouse()
}

// take returns the keys that are due, with how often they were looked at, whether
// everything is to be looked at, and how long there is nothing else to do.
func (a *attention) take() (keys map[string]int, all bool, rest time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	keys, all, a.all = make(map[string]int), a.all, false
	a.next = now.Add(time.Hour)
	if all {
		a.lacks = make(map[string]bool)
	}
	for key, g := range a.due {
		switch {
		case all || !g.at.After(now):
			keys[key] = g.tries
			delete(a.due, key)
		case g.at.Before(a.next):
			a.next = g.at
		}
	}
	return keys, all, a.next.Sub(now)
}

// note notes whether the value of a key is to be here and is not.
func (a *attention) note(key string, lacks bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if lacks {
		a.lacks[key] = true
	} else {
		delete(a.lacks, key)
	}
}

// got notes that a value is here, and reports whether it was lacking.
func (a *attention) got(key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	lacked := a.lacks[key]
	delete(a.lacks, key)
	return lacked
}

// lacking returns how many values are to be here and are not.
func (a *attention) lacking() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.lacks)
}
