package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/name"
	"github.com/gotribes/tribes/message"
)

// Listen adds a listener for messages that belong to no topic; see
// channel.Channel.Listen.
func (g *Group) Listen(l channel.Listener) (remove func()) {
	return g.Channel.Listen(plain{l})
}

// plain keeps the messages of topics from a listener.
type plain struct{ channel.Listener }

// String names the listener in logs.
func (p plain) String() string { return name.Of(p.Listener) }

func (p plain) Accept(m *message.Message) bool {
	_, _, topic := topicOf(m)
	return !topic && p.Listener.Accept(m)
}

// router gives the messages of topics to their listeners.
type router struct{ g *Group }

func (r router) Accept(m *message.Message) bool {
	_, _, topic := topicOf(m)
	return topic
}

func (r router) Receive(ctx context.Context, m *message.Message) error {
	topic, header, _ := topicOf(m)
	r.g.mu.RLock()
	t := r.g.topics[string(topic)]
	r.g.mu.RUnlock()
	var all []*topicListener
	if t != nil {
		all = t.list()
	}
	if len(all) == 0 {
		return fmt.Errorf("%w %q", ErrNoTopic, topic)
	}
	body := m.Part(header, m.Len())
	defer body.Release()
	return receiveAll(ctx, all, body)
}

// receiveAll gives m to one listener after the other. A panic goes on when the others
// have had the message.
func receiveAll(ctx context.Context, all []*topicListener, m *message.Message) (err error) {
	if len(all) == 0 {
		return nil
	}
	defer func() { err = errors.Join(err, receiveAll(ctx, all[1:], m)) }()
	return all[0].receive(ctx, m)
}

// String names the listeners that run now.
func (r router) String() string {
	r.g.mu.RLock()
	defer r.g.mu.RUnlock()
	var running []string
	for topic, t := range r.g.topics {
		for _, l := range t.list() {
			if l.running.Load() > 0 {
				running = append(running, fmt.Sprintf("topic %q: %s", topic, name.Of(l.ListenerFunc)))
			}
		}
	}
	slices.Sort(running)
	return strings.Join(running, ", ")
}
