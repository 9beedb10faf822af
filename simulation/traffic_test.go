package simulation

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// delivery is one message at one host: one to a member that was replaced reaches the new
// one, as with TCP.
type delivery struct {
	host string
	id   message.ID
}

// stream is what one caller sends to one member. Its messages come in order; to is the
// member that the sender meant, at whoever has its address.
type stream struct {
	to, at, from membership.ID
	caller       uint32
}

// posted is one message of a member that did not wait.
type posted struct {
	from  membership.ID
	count uint64
}

var errTenth = errors.New("the tenth is always refused")

// The payload is a checksum, the caller, its count, the number of members that it is for,
// their ids, and random bytes.
const prefix = 4 + 4 + 8 + 2

func payload(to []*membership.Member, caller uint32, count uint64, rnd *rand.Rand) []byte {
	p := make([]byte, prefix, prefix+16*len(to)+4000)
	binary.BigEndian.PutUint32(p[4:], caller)
	binary.BigEndian.PutUint64(p[8:], count)
	binary.BigEndian.PutUint16(p[16:], uint16(len(to)))
	for _, m := range to {
		id := m.ID()
		p = append(p, id[:]...)
	}
	size := rnd.IntN(300)
	if rnd.IntN(10) == 0 {
		size = rnd.IntN(4000)
	}
	for range size {
		p = append(p, byte(rnd.Uint32()>>30)) // something to compress
	}
	binary.BigEndian.PutUint32(p, crc32.ChecksumIEEE(p[4:]))
	return p
}

// call is one caller. The first waits for each outcome; the second posts, by way of the
// dispatch layer, and is told.
func (n *node) call(caller uint32, rnd *rand.Rand) {
	modes := []message.Options{0, message.UseAck, message.Sync}
	for count := uint64(1); ; count++ {
		select {
		case <-n.ctx.Done():
			return
		case <-time.After(time.Duration(rnd.IntN(400)) * time.Millisecond):
		}
		to := onePerAddress(n.g.View())
		if rnd.IntN(3) == 0 && len(to) > 0 {
			to = to[:1]
		}
		if len(to) == 0 {
			continue
		}
		o := modes[rnd.IntN(len(modes))]
		p := payload(to, caller, count, rnd)
		if caller == 0 {
			id, err := n.g.Send(context.Background(), to, p, o)
			n.w.outcome(to, id, o, err)
			continue
		}
		n.post(to, p, o|message.Async, posted{n.id, count})
	}
}

func (n *node) post(to []*membership.Member, p []byte, o message.Options, key posted) {
	n.w.mu.Lock()
	n.w.posted[key] = 0
	n.w.mu.Unlock()
	_, err := n.g.Post(n.ctx, to, p, o, func(id message.ID, err error) {
		n.w.outcome(to, id, o, err)
		n.w.mu.Lock()
		defer n.w.mu.Unlock()
		n.w.posted[key]++
	})
	if err != nil {
		n.w.mu.Lock()
		delete(n.w.posted, key)
		n.w.mu.Unlock()
	}
}

// onePerAddress returns the youngest member at each address.
func onePerAddress(v *membership.View) []*membership.Member {
	var to []*membership.Member
	for _, m := range v.Members {
		to = slices.DeleteFunc(to, func(x *membership.Member) bool { return x.AddrPort() == m.AddrPort() })
		to = append(to, m)
	}
	return to
}

// outcome keeps what a sender was told.
func (w *world) outcome(to []*membership.Member, id message.ID, o message.Options, err error) {
	var se *message.SendError
	if err != nil && !errors.As(err, &se) {
		return // nothing was tried
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range to {
		r := message.Result{Outcome: message.Written}
		if o.Acked() {
			r.Outcome = message.Acknowledged
		}
		if se != nil {
			r, _ = se.Result(m.Key())
		}
		w.outcomes++
		w.note("outcome %v to %v %v %v", id, m.ID(), r.Outcome, r.Err)
		if r.Outcome == message.Refused && !refusal(r.Err) {
			w.wrongly("%s refused a message: %v", w.hosts[m.ID()], r.Err)
		}
		d := delivery{w.hosts[m.ID()], id}
		switch r.Outcome {
		case message.Refused:
			if !strings.Contains(r.Err.Error(), notHere) {
				w.acked[d] = o.SyncAcked()
			}
		case message.Acknowledged:
			w.acked[d] = o.SyncAcked()
		case message.NotSent:
			w.refused[d] = true
		}
	}
}

// notHere is in the refusal of a confirmation whose message the process that was replaced
// had.
const notHere = "the message that is confirmed is not here"

// refusal reports whether a message was refused for a reason that there may be.
func refusal(err error) bool {
	for _, reason := range []string{errTenth.Error(), "came too late", "came before", notHere, channel.ErrClosed.Error()} {
		if strings.Contains(err.Error(), reason) {
			return true
		}
	}
	return false
}

// receive is the listener of all members.
func (n *node) receive(ctx context.Context, m *message.Message) error {
	n.w.mu.Lock()
	until := n.w.stalled[n.name]
	n.w.mu.Unlock()
	select {
	case <-time.After(time.Until(until)):
	case <-ctx.Done():
	}
	return n.w.receive(n, m)
}

func (w *world) receive(n *node, m *message.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := m.Payload()
	if len(p) < prefix || binary.BigEndian.Uint32(p) != crc32.ChecksumIEEE(p[4:]) {
		w.wrongly("%s got other bytes than were sent", n.name)
		return nil
	}
	count := binary.BigEndian.Uint64(p[8:])
	st := stream{at: n.g.Local().ID(), from: m.Source.ID(), caller: binary.BigEndian.Uint32(p[4:])}
	for i := range binary.BigEndian.Uint16(p[16:]) {
		if id := membership.ID(p[prefix+16*int(i):][:16]); w.hosts[id] == n.name {
			st.to = id
		}
	}
	d := delivery{n.name, m.ID}
	w.note("delivery %s %v", n.name, m.ID)
	switch {
	case st.to == membership.ID{}:
		w.wrongly("%s got a message for others", n.name)
	case w.delivered[d]:
		w.wrongly("%s got message %d of %s twice", n.name, count, w.hosts[st.from])
	case count <= w.last[st] && n.layers.order != nil:
		n.overtaken++
	case w.stack.loose:
	case count <= w.last[st]:
		w.wrongly("%s got message %d of %s after %d", n.name, count, w.hosts[st.from], w.last[st])
	}
	w.delivered[d] = true
	w.last[st] = max(w.last[st], count)
	if count%10 == 0 {
		return errTenth
	}
	return nil
}
