package static

import (
	"sync"

	"github.com/gotribes/tribes/membership"
)

// news are the events that were not handed to Env.Notify yet. They are put with
// Service.mu held, so that their order is that of the table, and handed out
// without it.
type news struct {
	wake chan struct{} // has room for one value

	mu     sync.Mutex
	events []membership.Event
}

func (n *news) put(ev membership.Event) {
	n.mu.Lock()
	n.events = append(n.events, ev)
	n.mu.Unlock()
	signal(n.wake)
}

func (n *news) take() []membership.Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	events := n.events
	n.events = nil
	return events
}

// announce hands out the events, one after the other, until the service stops.
func (s *Service) announce() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.news.wake:
		}
		for _, ev := range s.news.take() {
			if s.ctx.Err() != nil {
				return
			}
			s.env.Notify(ev)
		}
	}
}

// signal puts a value into a channel that has room for one, unless it has one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
