package tribeswire

import (
	"errors"
	"fmt"

	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
)

// ErrMessage is the error of an object that is no message of a map, or is one with parts
// that do not fit.
var ErrMessage = errors.New("tribes: replmap: no message of a map")

func misfit(what string) error { return fmt.Errorf("%w: %s", ErrMessage, what) }

// Decode reads a stream with one message. Errors are [ErrMessage] or of package javaser.
func Decode(b []byte) (*Message, error) {
	v, err := javaser.Decode(b, oneMessage)
	if err != nil {
		return nil, err
	}
	return Of(v)
}

// oneMessage bounds the tree of a message: keys and values are arrays of bytes, of which
// each counts once, and there are some members.
var oneMessage = javaser.Limits{Values: 1 << 15, Handles: 1 << 15, Factor: 8}

// Of returns the message that an object is.
func Of(v javaser.Value) (*Message, error) {
	o, ok := v.(*javaser.Object)
	if !ok || o == nil || o.Class.Name != className {
		return nil, misfit("another object")
	}
	m := &Message{}
	if err := m.numbers(o); err != nil {
		return nil, err
	}
	for name, to := range map[string]*[]byte{"mapId": &m.Map, "keydata": &m.Key, "valuedata": &m.Value, "diffvalue": &m.DiffValue} {
		v, _ := o.Field(name)
		if v == nil {
			continue
		}
		a, ok := v.(*javaser.Array)
		if !ok {
			return nil, misfit(name)
		}
		if *to, ok = a.Bytes(); !ok {
			return nil, misfit(name)
		}
	}
	return m, m.members(o)
}

func (m *Message) numbers(o *javaser.Object) error {
	v, _ := o.Field("msgtype")
	t, ok := v.(javaser.Int)
	if !ok {
		return misfit("msgtype")
	}
	m.Type = Type(t)
	v, _ = o.Field("diff")
	d, ok := v.(javaser.Bool)
	if !ok {
		return misfit("diff")
	}
	m.Diff = bool(d)
	return nil
}

func (m *Message) members(o *javaser.Object) error {
	known := make(map[javaser.Value]*membership.Member)
	member := func(v javaser.Value) (*membership.Member, error) {
		if v == nil {
			return nil, nil
		}
		if x := known[v]; x != nil {
			return x, nil
		}
		t, err := javaser.Typed(v)
		if err != nil {
			return nil, err
		}
		jm, ok := t.(*javaser.Member)
		if !ok {
			return nil, misfit("no member")
		}
		m.Class = jm.UID
		x, size, err := membership.Decode(jm.Image)
		if err != nil || size != len(jm.Image) {
			return nil, misfit("member image")
		}
		known[v] = x
		return x, nil
	}
	v, _ := o.Field("primary")
	var err error
	if m.Primary, err = member(v); err != nil {
		return err
	}
	v, _ = o.Field("nodes")
	if v == nil {
		return nil
	}
	a, ok := v.(*javaser.Array)
	if !ok || a.Raw != nil {
		return misfit("nodes")
	}
	m.Nodes = make([]*membership.Member, 0, len(a.Elems))
	for _, e := range a.Elems {
		x, err := member(e)
		if err != nil {
			return err
		}
		if x != nil {
			m.Nodes = append(m.Nodes, x)
		}
	}
	return nil
}

// StateOf reads the stream of a state.
func StateOf(b []byte) (string, error) {
	v, err := javaser.Decode(b, oneMessage)
	if err != nil {
		return "", err
	}
	e, ok := v.(*javaser.Enum)
	if !ok || e.Class.Name != stateName {
		return "", misfit("no state")
	}
	return e.Name.String(), nil
}

// ListOf reads the stream of a list of messages. What is in the list and no message is
// left out, and counted.
func ListOf(b []byte) (all []*Message, others int, err error) {
	v, err := javaser.Decode(b, javaser.Limits{Values: maxListValues, Handles: maxListValues, Factor: listFactor})
	if err != nil {
		return nil, 0, err
	}
	o, ok := v.(*javaser.Object)
	if !ok || o.Class.Name != listName || len(o.Data) == 0 {
		return nil, 0, misfit("no list")
	}
	for _, e := range o.Data[len(o.Data)-1].Extra {
		if _, capacity := e.(javaser.Block); capacity {
			continue
		}
		m, err := Of(e)
		if err != nil {
			others++
			continue
		}
		all = append(all, m)
	}
	return all, others, nil
}

// maxListValues bounds a state transfer of Tribes, which is one object: about half a
// million entries. Memory is bounded by it and by the length of the message.
const maxListValues = 16 << 20

// listFactor is how much more memory than bytes a list may take: those of Java take 8 times
// as much, without values.
const listFactor = 12
