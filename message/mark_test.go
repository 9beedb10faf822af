package message

import "testing"

func TestMark(t *testing.T) {
	var p Pool
	var mine, other Mark
	m := newMessage(t, &p, "payload")
	if mine.On(m) || other.On(m) {
		t.Error("a new message has a mark")
	}
	mine.Set(m)
	if !mine.On(m) || other.On(m) {
		t.Errorf("after Set: own mark %t, another %t, want true, false", mine.On(m), other.On(m))
	}
	copied, cloned, forked := m.Copy(), m.Clone(), m.Fork(p.Get(5))
	for name, c := range map[string]*Message{"Copy": copied, "Clone": cloned, "Fork": forked} {
		if !mine.On(c) {
			t.Errorf("a %s of a marked message has no mark", name)
		}
	}
	m.SetPayload(p.Get(3))
	if !mine.On(m) {
		t.Error("a message has lost its mark with its payload")
	}
	other.Set(m)
	if mine.On(m) || !other.On(m) {
		t.Error("a message has two marks, or kept the old one")
	}
	for _, c := range []*Message{m, copied, forked} {
		c.Release()
	}
	for range 3 {
		again := p.New(1)
		if mine.On(again) || other.On(again) {
			t.Error("a message from the pool has a mark of its last life")
		}
		defer again.Release()
	}
}

func TestInheritMark(t *testing.T) {
	var k, other Mark
	with, foreign, without := new(Message), new(Message), new(Message)
	k.Set(with)
	other.Set(foreign)
	tests := []struct {
		name  string
		parts []*Message
		want  bool
	}{
		{"nothing", nil, false},
		{"one with it", []*Message{with}, true},
		{"two with it", []*Message{with, with}, true},
		{"one without it", []*Message{without}, false},
		{"the last without it", []*Message{with, with, without}, false},
		{"the first without it", []*Message{without, with}, false},
		{"another mark", []*Message{with, foreign}, false},
	}
	for _, tt := range tests {
		m := new(Message)
		k.Set(m)
		m.InheritMark(tt.parts...)
		if k.On(m) != tt.want || other.On(m) {
			t.Errorf("%s: own mark %t, another %t, want %t, false", tt.name, k.On(m), other.On(m), tt.want)
		}
	}
	whole := new(Message)
	whole.InheritMark(with)
	if whole.InheritMark(whole, with); !k.On(whole) {
		t.Error("a message put together part by part has no mark")
	}
	if whole.InheritMark(whole, without); k.On(whole) {
		t.Error("a message has a mark that its last part did not have")
	}
}

func TestFork(t *testing.T) {
	var p Pool
	m := newMessage(t, &p, "payload")
	defer m.Release()
	m.foreign, m.wireID = true, "odd"
	for name, from := range map[string]*Message{"a message": m, "a clone": m.Clone()} {
		b := p.Get(3)
		copy(b.Bytes(), "new")
		f := from.Fork(b)
		if !sameHeader(from, f) || string(f.Payload()) != "new" || string(from.Payload()) != "payload" {
			t.Errorf("a fork of %s has the payload %q and another header, or its original has changed to %q", name, f.Payload(), from.Payload())
		}
		f.Release()
	}
}
