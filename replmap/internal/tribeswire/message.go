package tribeswire

import (
	"errors"
	"fmt"
	"math"

	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
)

// Type says what a message is.
type Type int32

// The types.
const (
	Backup    Type = 1 + iota // a value for the backup of its primary
	Retrieve                  // asks for a value
	Proxy                     // a key without a value
	Remove                    // the key is gone
	State                     // asks for all keys
	Start                     // the map of the primary starts
	Stop                      // it stops
	Init                      // who has the map?
	Copy                      // a value for all
	StateCopy                 // asks for all keys and values
	Access                    // the entry was read
	Notify                    // the entry has another primary
	Ping                      // how far is the map?
)

var typeText = [...]string{"", "backup", "retrieve backup", "proxy", "remove", "state", "start", "stop", "init", "copy", "state copy", "access", "notify map member", "ping"}

// String returns the name of the type, usable as a metric label.
func (t Type) String() string {
	if t > 0 && int(t) < len(typeText) {
		return typeText[t]
	}
	return fmt.Sprintf("type %d", int32(t))
}

// The states of a map, as answers to Ping have them.
const (
	New              = "NEW"
	StateTransferred = "STATETRANSFERRED"
	Initialized      = "INITIALIZED"
	Destroyed        = "DESTROYED"
)

// Message is what members that have the same map tell each other. A nil part is Java's null.
type Message struct {
	Type      Type
	Map       []byte // id of the map
	Diff      bool   // DiffValue is to be applied to the value that there is
	DiffValue []byte
	Key       []byte               // a stream
	Value     []byte               // a stream
	Primary   *membership.Member   // whom the message is about, or the primary of the key
	Nodes     []*membership.Member // that have the value
	Class     int64                // class version of the members; 0 means that of 10.1
}

// Names of classes.
const (
	className  = "org.apache.catalina.tribes.tipis.AbstractReplicatedMap$MapMessage"
	stateName  = "org.apache.catalina.tribes.tipis.AbstractReplicatedMap$State"
	memberSig  = "Lorg/apache/catalina/tribes/Member;"
	nodesName  = "[Lorg.apache.catalina.tribes.Member;"
	listName   = "java.util.ArrayList"
	signatureB = "[B"
)

var (
	classBytes = &javaser.Class{Name: signatureB, UID: uid(0xacf317f8060854e0), Flags: javaser.FlagSerializable}
	classNodes = &javaser.Class{Name: nodesName, UID: uid(0x5ec4606b842d393c), Flags: javaser.FlagSerializable}
	classEnum  = &javaser.Class{Name: "java.lang.Enum", Flags: javaser.FlagSerializable | javaser.FlagEnum}
	classState = &javaser.Class{Name: stateName, Flags: javaser.FlagSerializable | javaser.FlagEnum, Super: classEnum}
	classList  = &javaser.Class{
		Name: listName, UID: uid(0x7881d21d99c7619d), Flags: javaser.FlagSerializable | javaser.FlagWriteMethod,
		Fields: []javaser.Field{{Type: 'I', Name: "size"}},
	}
	classMessage = &javaser.Class{
		Name: className, UID: 1, Flags: javaser.FlagSerializable,
		Fields: []javaser.Field{
			{Type: 'Z', Name: "diff"},
			{Type: 'I', Name: "msgtype"},
			{Type: '[', Name: "diffvalue", Signature: javaser.NewString(signatureB)},
			{Type: '[', Name: "keydata", Signature: javaser.NewString(signatureB)},
			{Type: '[', Name: "mapId", Signature: javaser.NewString(signatureB)},
			{Type: '[', Name: "nodes", Signature: javaser.NewString("[" + memberSig)},
			{Type: 'L', Name: "primary", Signature: javaser.NewString(memberSig)},
			{Type: '[', Name: "valuedata", Signature: javaser.NewString(signatureB)},
		},
	}
)

// uid gives the sign that Java prints to a serialVersionUID in hex.
func uid(bits uint64) int64 { return int64(bits) }

// Is reports whether a stream begins like one with a Message. The rest may still turn out
// to be damaged.
func Is(b []byte) bool {
	const start = "\xac\xed\x00\x05\x73\x72\x00\x41" + className
	return len(b) > len(start) && string(b[:len(start)]) == start
}

// Object returns the Java object of a message, which it borrows.
func (m *Message) Object() *javaser.Object {
	members := make(map[membership.Key]*javaser.Member)
	member := func(x *membership.Member) javaser.Value {
		if x == nil {
			return nil
		}
		if members[x.Key()] == nil { // one object, as Java writes it
			members[x.Key()] = &javaser.Member{Image: x.AppendImage(nil, x.Alive().Milliseconds()), UID: m.Class}
		}
		return members[x.Key()]
	}
	var nodes javaser.Value
	if m.Nodes != nil {
		a := &javaser.Array{Class: classNodes}
		for _, x := range m.Nodes {
			a.Elems = append(a.Elems, member(x))
		}
		nodes = a
	}
	return &javaser.Object{Class: classMessage, Data: []javaser.ClassData{{
		Class: classMessage,
		Fields: []javaser.Value{
			javaser.Bool(m.Diff), javaser.Int(m.Type), array(m.DiffValue), array(m.Key), array(m.Map),
			nodes, member(m.Primary), array(m.Value),
		},
	}}}
}

func array(b []byte) javaser.Value {
	if b == nil {
		return nil
	}
	return &javaser.Array{Class: classBytes, Raw: b}
}

// Append appends the stream of a message to b.
func (m *Message) Append(b []byte) ([]byte, error) { return javaser.Append(b, m.Object()) }

// StateValue returns the stream of a state, for answers to Ping.
func StateValue(state string) ([]byte, error) {
	return javaser.Append(nil, &javaser.Enum{Class: classState, Name: javaser.NewString(state)})
}

// ListValue returns the stream of a list of messages, for answers to State and StateCopy.
func ListValue(all []*Message) ([]byte, error) {
	if len(all) > math.MaxInt32 {
		return nil, errors.New("tribes: replmap: too many entries for one list")
	}
	n := len(all)
	extra := []javaser.Value{javaser.Block{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}}
	for _, m := range all {
		extra = append(extra, m.Object())
	}
	return javaser.Append(nil, &javaser.Object{Class: classList, Data: []javaser.ClassData{{
		Class: classList, Fields: []javaser.Value{javaser.Int(n)}, Extra: extra,
	}}})
}
