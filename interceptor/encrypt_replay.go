package interceptor

import "sync"

// iv is what makes a sealed message different from all others; a nonce of GCM is
// shorter and followed by zeros.
type iv [16]byte

// novelty is what a replayWindow says about a message.
type novelty uint8

const (
	fresh     novelty = iota
	replayed          // it came before
	tooOld            // sealed before the window begins
	tooNew            // sealed after the window ends
	forgotten         // sealed so long ago that nobody knows any more whether it came
)

// replayWindow remembers the messages of a span of time around now, to deliver
// each once (docs/wire.md, Interceptors). Times are milliseconds. The rules are those
// of Tribes: a message is out of the window if its stamp differs from now by more
// than span; it came before if its iv is known. Of more than limit messages those
// with the oldest stamps are forgotten, and with them everything that is not newer.
//
// A message that the window would refuse for its age anyway is forgotten as well,
// so that memory is taken for what has come within two spans, and never for more
// than limit messages.
type replayWindow struct {
	span  int64
	limit int

	mu    sync.Mutex
	seen  map[iv]struct{}
	queue []stamped // a heap: the oldest is the first
	floor int64     // everything up to it is forgotten
}

type stamped struct {
	at int64
	iv iv
}

// newReplayWindow begins with what was sealed before span ago forgotten.
func newReplayWindow(span int64, limit int, now int64) *replayWindow {
	return &replayWindow{span: span, limit: limit, seen: make(map[iv]struct{}), floor: now - span}
}

// admit says whether a message is to be delivered, and remembers it if so.
func (w *replayWindow) admit(v iv, at, now int64) novelty {
	switch {
	case at < now-w.span:
		return tooOld
	case at > now+w.span:
		return tooNew
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if at <= w.floor {
		return forgotten
	}
	if _, known := w.seen[v]; known {
		return replayed
	}
	for len(w.queue) > 0 && w.queue[0].at < now-w.span {
		w.forget()
	}
	w.seen[v] = struct{}{}
	w.push(stamped{at, v})
	if len(w.queue) > w.limit {
		w.forget()
	}
	return fresh
}

// once is admit for messages without a stamp: the last limit messages are
// remembered, and nothing is too old.
func (w *replayWindow) once(v iv) novelty {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.seen[v]; known {
		return replayed
	}
	w.floor++ // counts messages
	w.seen[v] = struct{}{}
	w.push(stamped{w.floor, v})
	if len(w.queue) > w.limit {
		oldest := w.pop()
		delete(w.seen, oldest.iv)
	}
	return fresh
}

// forget drops the oldest message, and raises the floor to its stamp. It is called
// with mu held.
func (w *replayWindow) forget() {
	oldest := w.pop()
	delete(w.seen, oldest.iv)
	w.floor = max(w.floor, oldest.at)
}

// len is how many messages are remembered.
func (w *replayWindow) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// push and pop keep the heap. Stamps mostly come in order, so that push has little
// to do. They are called with mu held.
func (w *replayWindow) push(s stamped) {
	q := append(w.queue, s)
	i := len(q) - 1
	for i > 0 {
		up := (i - 1) / 4
		if q[up].at <= s.at {
			break
		}
		q[i] = q[up]
		i = up
	}
	q[i] = s
	w.queue = q
}

func (w *replayWindow) pop() stamped {
	q := w.queue
	oldest, s := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	w.queue = q
	if len(q) == 0 {
		return oldest
	}
	i := 0
	for {
		least := -1
		for c := 4*i + 1; c <= 4*i+4 && c < len(q); c++ {
			if q[c].at < s.at && (least < 0 || q[c].at < q[least].at) {
				least = c
			}
		}
		if least < 0 {
			break
		}
		q[i] = q[least]
		i = least
	}
	q[i] = s
	return oldest
}
