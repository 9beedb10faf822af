package decode

import (
	"encoding/hex"
	"net/netip"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// result is one line of output.
type result struct {
	Kind      string   `json:"kind,omitempty"`
	Fields    any      `json:"fields,omitempty"`
	Frames    []*frame `json:"frames,omitempty"`
	Reencoded string   `json:"reencoded,omitempty"`
	Error     string   `json:"error,omitempty"`
	Offset    *int     `json:"offset,omitempty"`

	encode func() ([]byte, error)
}

// member has the fields of a member image.
type member struct {
	Host       string `json:"host"`
	Port       int    `json:"port"`
	SecurePort int    `json:"securePort"`
	UDPPort    int    `json:"udpPort"`
	AliveTime  int64  `json:"aliveTime"`
	UniqueID   string `json:"uniqueId"`
	Domain     string `json:"domain"`
	Command    string `json:"command"`
	Payload    string `json:"payload"`
	Name       string `json:"name"`
}

func newMember(m *membership.Member) *member {
	a := m.Attributes()
	return &member{
		Host:       hex.EncodeToString(a.Host.AsSlice()),
		Port:       a.Port,
		SecurePort: a.SecurePort,
		UDPPort:    a.UDPPort,
		AliveTime:  a.Alive,
		UniqueID:   a.ID.String(),
		Domain:     hex.EncodeToString([]byte(a.Domain)),
		Command:    hex.EncodeToString([]byte(a.Command)),
		Payload:    hex.EncodeToString([]byte(a.Payload)),
		Name:       m.Name(),
	}
}

// rebuild makes the member anew from its fields, so that what is encoded is
// what was decoded and not a copy of the input.
func (m *member) rebuild() (*membership.Member, error) {
	raw := func(s string) []byte {
		b, _ := hex.DecodeString(s) // it was encoded above
		return b
	}
	host, _ := netip.AddrFromSlice(raw(m.Host)) // 4 or 16 bytes, as decoded
	return membership.New(membership.Attributes{
		Host:       host,
		Port:       m.Port,
		SecurePort: m.SecurePort,
		UDPPort:    m.UDPPort,
		Alive:      m.AliveTime,
		ID:         membership.ID(raw(m.UniqueID)),
		Domain:     string(raw(m.Domain)),
		Command:    string(raw(m.Command)),
		Payload:    string(raw(m.Payload)),
	})
}

func (m *member) encode() ([]byte, error) {
	rebuilt, err := m.rebuild()
	if err != nil {
		return nil, err
	}
	return []byte(rebuilt.Image()), nil
}

// frame has the fields of a data frame.
type frame struct {
	Options   uint32  `json:"options"`
	Timestamp int64   `json:"timestamp"`
	UniqueID  string  `json:"uniqueId"`
	Address   *member `json:"address"`
	Message   string  `json:"message"`

	parsed message.Frame
}

func (f *frame) encode() ([]byte, error) {
	source, err := f.Address.rebuild()
	if err != nil {
		return nil, err
	}
	var pool message.Pool
	m := pool.FromFrame(&f.parsed, source, nil)
	defer m.Release()
	return message.AppendFrame(nil, m, f.parsed.Options&message.NumberedAcks), nil
}

// ack has the fields of an answer. Those after Data are of numbered acks.
type ack struct {
	Data    string    `json:"data"`
	UpTo    uint64    `json:"upTo,omitempty"`
	Caps    uint32    `json:"caps,omitempty"`
	Settled []settled `json:"settled,omitempty"`
}

type settled struct {
	Number  uint64 `json:"number"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
}

func newAck(data []byte, r *message.Reply) *ack {
	a := &ack{Data: hex.EncodeToString(data), UpTo: r.UpTo, Caps: uint32(r.Caps)}
	for _, s := range r.Settled {
		a.Settled = append(a.Settled, settled{s.Number, s.Outcome.String(), s.Reason})
	}
	return a
}

func encodeReply(r *message.Reply) []byte {
	switch r.Kind {
	case message.PlainAck:
		return []byte(message.AckFrame)
	case message.PlainFailAck:
		return []byte(message.FailAckFrame)
	}
	return message.AppendNumberedAck(nil, r.Caps, r.UpTo, r.Settled)
}

func newFrame(p message.Frame, sender *membership.Member) *frame {
	return &frame{
		Options:   uint32(p.Options),
		Timestamp: p.Sent,
		UniqueID:  hex.EncodeToString(p.ID),
		Address:   newMember(sender),
		Message:   hex.EncodeToString(p.Message),
		parsed:    p,
	}
}
