package load

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gotribes/tribes/bench/session/internal/web"
)

// Losses are what the bookkeeper found, in numbers of things lost.
type Losses struct {
	Sessions  uint64 `json:"lostSessions"`
	Updates   uint64 `json:"lostUpdates"`
	Reads     uint64 `json:"staleReads"`
	Stale     uint64 `json:"staleAttributes"`
	Differing uint64 `json:"differingReplicas"`
	Late      uint64 `json:"late"`
	Failed    uint64 `json:"failedRequests"`
}

// Add adds the losses of other.
func (l *Losses) Add(other Losses) {
	l.Sessions += other.Sessions
	l.Updates += other.Updates
	l.Reads += other.Reads
	l.Stale += other.Stale
	l.Differing += other.Differing
	l.Late += other.Late
	l.Failed += other.Failed
}

// Session is a session as its only writer knows it. It is not safe for concurrent use.
type Session struct {
	Cookie string
	// Acked has the last acknowledged tag of each attribute.
	Acked []uint64
	// Home is the node that its requests go to.
	Home int

	own  int // attribute of this writer in a common session
	turn int // of the node, or the attribute
	size int
	url  []byte
	body []byte
}

// ID is the session id.
func (s *Session) ID() string {
	_, id, _ := strings.Cut(s.Cookie, "=")
	return id
}

func attrName(i int) string { return "a" + strconv.Itoa(i) }

// Create makes a session on the node of c with count attributes of size bytes.
func (s *Session) Create(ctx context.Context, c *web.Conn, count, size int) error {
	s.Cookie, s.Acked, s.size = "", make([]uint64, count), size
	target := fmt.Sprintf("/attr?name=a&size=%d&tag=1&count=%d", size, count)
	if count == 1 {
		target = fmt.Sprintf("/attr?name=a0&size=%d&tag=1", size)
	}
	if err := c.Do(ctx, "PUT", target, &s.Cookie, nil); err != nil {
		return err
	}
	if s.Cookie == "" {
		return errors.New("the node set no cookie")
	}
	for i := range s.Acked {
		s.Acked[i] = 1
	}
	return nil
}

// Write sets attribute i and counts what the reply shows to be lost.
func (s *Session) Write(ctx context.Context, c *web.Conn, i int, l *Losses) error {
	s.url = append(append(s.url[:0], "/attr?name=a"...), strconv.Itoa(i)...)
	s.url = append(strconv.AppendInt(append(s.url, "&size="...), int64(s.size), 10), "&tag="...)
	s.url = strconv.AppendUint(s.url, s.Acked[i]+1, 10)
	if err := c.Do(ctx, "PUT", string(s.url), &s.Cookie, nil); err != nil {
		return err
	}
	s.acked(i, &c.Reply, l)
	return nil
}

// acked does the books after a write of attribute i.
func (s *Session) acked(i int, r *web.Reply, l *Losses) {
	tag := s.Acked[i]
	switch {
	case r.New:
		l.Sessions++
		clear(s.Acked)
	case r.Prev < tag:
		l.Updates += tag - r.Prev
	}
	s.Acked[i] = tag + 1
}

// Patch changes some bytes of attribute 0 and sends it as a body.
func (s *Session) Patch(ctx context.Context, c *web.Conn, l *Losses) error {
	if s.body == nil {
		s.body = noise(s.size)
	}
	const head = 32
	tag := strconv.AppendUint(s.url[:0], s.Acked[0]+1, 10)
	s.url = tag
	copy(s.body, append(tag, '|'))
	at := head + s.turn*8191%(len(s.body)-head-8)
	for j := range 8 {
		s.body[at+j]++
	}
	s.turn++
	if err := c.Do(ctx, "PUT", "/attr?name=a0", &s.Cookie, s.body); err != nil {
		return err
	}
	s.acked(0, &c.Reply, l)
	return nil
}

// noise is bytes that cannot be compressed, always the same.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

// Read reads attribute i.
func (s *Session) Read(ctx context.Context, c *web.Conn, i int, l *Losses) error {
	if err := c.Do(ctx, "GET", "/attr?name="+attrName(i), &s.Cookie, nil); err != nil {
		return err
	}
	if c.Reply.Tag < s.Acked[i] {
		l.Reads++
	}
	return nil
}

// Increment adds one to the counter "n". Its book is Acked[0].
func (s *Session) Increment(ctx context.Context, c *web.Conn, l *Losses) error {
	if err := c.Do(ctx, "POST", "/incr?name=n", &s.Cookie, nil); err != nil {
		return err
	}
	if c.Reply.New {
		l.Sessions++
	}
	s.Acked[0]++
	return nil
}

// End invalidates the session.
func (s *Session) End(ctx context.Context, c *web.Conn) error {
	return c.Do(ctx, "POST", "/invalidate", &s.Cookie, nil)
}
