package message

import (
	"bytes"
	"strings"
	"testing"
)

func newMessage(t *testing.T, p *Pool, payload string) *Message {
	t.Helper()
	m := p.New(len(payload))
	copy(m.Payload(), payload)
	m.ID, m.Source, m.Sent, m.Options = ID{7}, newMember(t, 1, nil), 99, UseAck
	return m
}

// sameHeader reports whether all but the payloads is equal.
func sameHeader(a, b *Message) bool {
	return a.ID == b.ID && a.Source == b.Source && a.Sent == b.Sent && a.Options == b.Options && a.WireID() == b.WireID()
}

func TestNewMessageIsEmpty(t *testing.T) {
	var p Pool
	for range 3 { // from the second on it was used before
		m := p.New(10)
		if m.ID != (ID{}) || m.Source != nil || m.Sent != 0 || m.Options != 0 || m.WireID() != string(make([]byte, 16)) || m.Len() != 10 {
			t.Errorf("New(10) = %+v, want zero fields and 10 bytes", m)
		}
		m.ID, m.Sent, m.Options, m.foreign, m.wireID = ID{1}, 2, 3, true, "odd"
		m.Release()
	}
}

func TestMessageCounts(t *testing.T) {
	var p Pool
	m := newMessage(t, &p, "payload")
	m.Retain()
	m.Release()
	if string(m.Payload()) != "payload" {
		t.Errorf("payload with one reference left = %q", m.Payload())
	}
	m.Release()
	mustPanic(t, "a Release too many", m.Release)
	mustPanic(t, "Retain after the last Release", m.Retain)
}

func TestExtendAndTrim(t *testing.T) {
	var p Pool
	for _, size := range []int{0, 5, 480, 500, 4096, 1 << 20} {
		m := newMessage(t, &p, strings.Repeat("x", size))
		want := strings.Repeat("x", size)
		for i, n := range []int{0, 4, 28, 1, 33, 600, 5} {
			tail := m.Extend(n)
			if len(tail) != n {
				t.Fatalf("Extend(%d) = %d bytes", n, len(tail))
			}
			for j := range tail {
				tail[j] = byte('0' + i)
			}
			want += strings.Repeat(string(byte('0'+i)), n)
			if string(m.Payload()) != want {
				t.Fatalf("payload after Extend(%d) of %d bytes is wrong", n, size)
			}
		}
		if got := m.Trim(5); string(got) != "66666" || m.Len() != len(want)-5 {
			t.Errorf("Trim(5) = %q with %d bytes left, want %q and %d", got, m.Len(), "66666", len(want)-5)
		}
		m.Release()
	}
}

func TestTrimBounds(t *testing.T) {
	var p Pool
	m := newMessage(t, &p, "abc")
	defer m.Release()
	for _, n := range []int{4, 1000, -1} {
		if got := m.Trim(n); got != nil || m.Len() != 3 {
			t.Errorf("Trim(%d) = %q with %d bytes left, want nil and 3", n, got, m.Len())
		}
	}
	if got := m.Trim(0); got == nil || len(got) != 0 || m.Len() != 3 {
		t.Errorf("Trim(0) = %v with %d bytes left, want an empty slice and 3", got, m.Len())
	}
	if got := m.Trim(3); string(got) != "abc" || m.Len() != 0 {
		t.Errorf("Trim(3) = %q with %d bytes left, want all", got, m.Len())
	}
}

// Two messages lie in one chunk, as they came from the network. What one of them
// does must not reach the other, nor what lies between them.
func TestExtendLeavesNeighboursAlone(t *testing.T) {
	var p Pool
	chunk := p.Get(20)
	copy(chunk.Bytes(), "first|second|rest...")
	first := p.FromFrame(&Frame{ID: make([]byte, 16), Message: chunk.Bytes()[:5]}, nil, chunk)
	second := p.FromFrame(&Frame{ID: make([]byte, 16), Message: chunk.Bytes()[6:12]}, nil, chunk)
	copy(first.Extend(3), "XXX")
	first.Trim(5)
	copy(first.Extend(100), bytes.Repeat([]byte("Y"), 100))
	second.Trim(2)
	copy(second.Extend(4), "ZZZZ")
	if got := string(chunk.Bytes()); got != "first|second|rest..." {
		t.Errorf("the chunk became %q", got)
	}
	if got := string(first.Payload()[:5]); got != "firYY" {
		t.Errorf("first message begins with %q, want %q", got, "firYY")
	}
	if got := string(second.Payload()); got != "secoZZZZ" {
		t.Errorf("second message = %q, want %q", got, "secoZZZZ")
	}
	if chunk.Shared() {
		t.Error("the chunk is still held by messages that moved away")
	}
	first.Release()
	second.Release()
	chunk.Release()
}

// The chunk lives as long as the last message in it.
func TestMessageHoldsItsChunk(t *testing.T) {
	var p Pool
	chunk := p.Get(600)
	copy(chunk.Bytes(), "payload")
	m := p.FromFrame(&Frame{ID: make([]byte, 16), Message: chunk.Bytes()[:7]}, nil, chunk)
	m.Retain()
	chunk.Release()
	m.Release()
	if got := string(m.Payload()); got != "payload" {
		t.Errorf("payload after the release of the chunk = %q", got)
	}
	m.Release()
	mustPanic(t, "Release of the chunk that was given back", chunk.Release)
}

func TestSetPayload(t *testing.T) {
	var p Pool
	m := newMessage(t, &p, "old")
	b := p.Get(3)
	copy(b.Bytes(), "new")
	b.Retain() // ours
	m.SetPayload(b)
	if string(m.Payload()) != "new" || !sameHeader(m, m) {
		t.Errorf("payload = %q, want %q", m.Payload(), "new")
	}
	copy(m.Extend(2), "!!") // b is shared, so it must stay
	if string(b.Bytes()[:5]) == "new!!" || string(m.Payload()) != "new!!" {
		t.Errorf("after Extend the payload is %q and the shared buffer %q", m.Payload(), b.Bytes()[:5])
	}
	b.Release()
	m.Release()
}

func TestCopy(t *testing.T) {
	var p Pool
	m := newMessage(t, &p, "payload")
	m.foreign, m.wireID = true, "odd"
	c := m.Copy()
	copy(m.Payload(), "changed")
	if string(c.Payload()) != "payload" || !sameHeader(c, m) {
		t.Errorf("Copy() = %+v, payload %q", c, c.Payload())
	}
	m.Release()
	if string(c.Payload()) != "payload" || c.WireID() != "odd" {
		t.Errorf("the copy changed with the release of the message: %q", c.Payload())
	}
	c.Release()
}

func TestClone(t *testing.T) {
	var p Pool
	m := newMessage(t, &p, "payload")
	c := m.Clone()
	if !sameHeader(c, m) {
		t.Errorf("Clone() = %+v, want %+v", c, m)
	}
	copy(m.Payload(), "changed")
	m.Release()
	if string(c.Payload()) != "payload" {
		t.Errorf("the clone's payload = %q, want %q", c.Payload(), "payload")
	}
	copy(c.Extend(1), "!")
	copy(c.Extend(100), "?")
	if got := string(c.Payload()[:9]); got != "payload!?" {
		t.Errorf("the extended clone's payload = %q, want %q", got, "payload!?")
	}
	d := c.Copy()
	copy(d.Payload(), "PAYLOAD")
	if string(c.Payload()[:7]) != "payload" {
		t.Error("a copy of a clone shares its memory")
	}
	c.Retain()
	c.Release()
	c.Release()
	mustPanic(t, "a Release of a clone too many", c.Release)
}

// A layer may give a clone a payload from the pool, as the Gzip layer does to a
// message that the Order layer kept.
func TestCloneWithPooledPayload(t *testing.T) {
	var p Pool
	c := newClone(t, &p)
	b := p.Get(3)
	copy(b.Bytes(), "new")
	c.SetPayload(b)
	part := c.Part(1, 3)
	c.Release()
	if got := string(part.Payload()); got != "ew" {
		t.Errorf("part of the released clone = %q, want %q", got, "ew")
	}
	part.Release()

	c = newClone(t, &p)
	c.SetPayload(p.Get(512))
	c.Extend(100) // moves to memory of its own: nothing is left to release
	if c.buf != nil || c.Len() != 612 {
		t.Errorf("the clone holds a buffer: %v, %d bytes", c.buf, c.Len())
	}
}

func newClone(t *testing.T, p *Pool) *Message {
	m := newMessage(t, p, "payload")
	defer m.Release()
	return m.Clone()
}

func TestPart(t *testing.T) {
	var p Pool
	m := newMessage(t, &p, "header|body|trailer")
	m.foreign, m.wireID = true, "odd"
	for _, whole := range []*Message{m, m.Clone()} {
		part := whole.Part(7, 11)
		if string(part.Payload()) != "body" || !sameHeader(part, m) {
			t.Errorf("Part(7, 11) = %+v, payload %q", part, part.Payload())
		}
		copy(part.Extend(5), "XXXXX")
		if string(whole.Payload()) != "header|body|trailer" {
			t.Errorf("Extend of the part changed the whole to %q", whole.Payload())
		}
		part.Release()

		part = whole.Part(7, 11)
		whole.Trim(12)
		copy(whole.Extend(4), "XXXX")
		if string(part.Payload()) != "body" {
			t.Errorf("Extend of the whole changed the part to %q", part.Payload())
		}
		part.Release()
		mustPanic(t, "Part outside of the payload", func() { whole.Part(0, 1000) })
		mustPanic(t, "Part from behind its end", func() { whole.Part(3, 2) })
	}
	m.Release()
}

// A part lives without the message that it was made of.
func TestPartHoldsTheMemory(t *testing.T) {
	var p Pool
	m := newMessage(t, &p, "header|body")
	part := m.Part(7, 11)
	m.Release()
	if got := string(part.Payload()); got != "body" {
		t.Errorf("part after the release of the whole = %q, want %q", got, "body")
	}
	part.Release()
}

func TestSkip(t *testing.T) {
	var p Pool
	m := newMessage(t, &p, "head and payload")
	defer m.Release()
	for _, n := range []int{-1, 17} {
		if got := m.Skip(n); got != nil || m.Len() != 16 {
			t.Errorf("Skip(%d) = %q and leaves %d bytes, want nil and all", n, got, m.Len())
		}
	}
	head := m.Skip(5)
	if string(head) != "head " || string(m.Payload()) != "and payload" {
		t.Errorf("Skip(5) = %q and leaves %q", head, m.Payload())
	}
	copy(m.Extend(600), " behind") // more than there is room for
	if m.Trim(593); string(m.Payload()) != "and payload behind" {
		t.Errorf("with bytes behind it: %q", m.Payload())
	}
	if got := m.Skip(m.Len()); string(got) != "and payload behind" || m.Len() != 0 {
		t.Errorf("Skip of all = %q and leaves %d bytes", got, m.Len())
	}
}
