package group

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// MaxTopicName is the length of the longest topic name in bytes.
const MaxTopicName = 255

// topicMagic begins the payload of a topic's message: eight bytes that no
// application sends by chance, then the length of the name and the name.
const topicMagic = "\xd7GoTopc\x01"

// ErrNoTopic is what the sender of a Sync message is told if the destination
// has no listener for its topic.
var ErrNoTopic = errors.New("tribes: group: no listener for the topic")

// Topic is a named stream of messages in a group. Members that listen to the
// topic get them; others refuse them. It is safe for concurrent use.
type Topic struct {
	g      *Group
	name   string
	header []byte

	mu        sync.Mutex
	listeners atomic.Pointer[[]*topicListener]
}

type topicListener struct {
	channel.ListenerFunc
	running atomic.Int64 // calls
}

func (l *topicListener) receive(ctx context.Context, m *message.Message) error {
	l.running.Add(1)
	defer l.running.Add(-1)
	return l.ListenerFunc(ctx, m)
}

// Topic returns the topic of that name, the same one each time. The name has 1
// to MaxTopicName bytes.
func (g *Group) Topic(name string) (*Topic, error) {
	if name == "" || len(name) > MaxTopicName {
		return nil, fmt.Errorf("tribes: group: topic name of %d bytes: want 1 to %d", len(name), MaxTopicName)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.topics[name]; t != nil {
		return t, nil
	}
	header := append([]byte(topicMagic), byte(len(name)))
	t := &Topic{g: g, name: name, header: append(header, name...)}
	g.topics[name] = t
	return t, nil
}

// Name returns the topic's name.
func (t *Topic) Name() string { return t.name }

// Send sends payload to the topic's listeners at each of to; see
// channel.Channel.Send.
func (t *Topic) Send(ctx context.Context, to []*membership.Member, payload []byte, o message.Options) (message.ID, error) {
	b := t.frame(payload)
	defer frames.Put(b)
	return t.g.Channel.Send(ctx, to, *b, o)
}

// SendAll is Send to every member of the present view.
func (t *Topic) SendAll(ctx context.Context, payload []byte, o message.Options) (message.ID, error) {
	return t.Send(ctx, t.g.View().Members, payload, o)
}

// Post is Send without waiting; see channel.Channel.Post.
func (t *Topic) Post(ctx context.Context, to []*membership.Member, payload []byte, o message.Options, done func(message.ID, error)) (message.ID, error) {
	b := t.frame(payload)
	defer frames.Put(b)
	return t.g.Channel.Post(ctx, to, *b, o, done)
}

// frames are buffers of payloads with their header, which a channel copies.
var frames = sync.Pool{New: func() any { return new([]byte) }}

func (t *Topic) frame(payload []byte) *[]byte {
	b := frames.Get().(*[]byte)
	*b = append(append((*b)[:0], t.header...), payload...)
	return b
}

// Listen calls f for each message of the topic. The payload that f sees has no
// header. f borrows the message; see channel.Listener.
func (t *Topic) Listen(f channel.ListenerFunc) (remove func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := &topicListener{ListenerFunc: f}
	all := append(append([]*topicListener(nil), t.list()...), l)
	t.listeners.Store(&all)
	return func() { t.remove(l) }
}

func (t *Topic) remove(l *topicListener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var left []*topicListener
	for _, x := range t.list() {
		if x != l {
			left = append(left, x)
		}
	}
	t.listeners.Store(&left)
}

func (t *Topic) list() []*topicListener {
	if p := t.listeners.Load(); p != nil {
		return *p
	}
	return nil
}

// topicOf returns the name in the header of a topic's message and the length of
// the header; ok is false for other messages.
func topicOf(m *message.Message) (name []byte, header int, ok bool) {
	p := m.Payload()
	at := len(topicMagic)
	if !m.Options.Has(message.ByteMessage) || len(p) <= at || string(p[:at]) != topicMagic {
		return nil, 0, false
	}
	header = at + 1 + int(p[at])
	if header > len(p) || p[at] == 0 {
		return nil, 0, false
	}
	return p[at+1 : header], header, true
}
