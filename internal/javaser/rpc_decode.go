package javaser

import "encoding/binary"

// DecodeRPC reads a stream that holds an RPC, of either kind. UUID, ID and
// most of Message alias b (see there). An RPC with a *ByteMessage or no message
// in the form that Java writes takes a short way that allocates next to
// nothing. Otherwise all that is said about Decode and Typed holds; a stream
// with another object is an error.
func DecodeRPC(b []byte, lim Limits) (*RPC, error) {
	if r, ok := shortRPC(b, lim); ok {
		return r, nil
	}
	v, err := decodeTyped(b, lim)
	if err != nil {
		return nil, err
	}
	if r, ok := v.(*RPC); ok {
		return r, nil
	}
	return nil, &FormatError{Offset: len(streamHeader), Reason: "not an RPC"}
}

// DecodeMemberMessage reads a stream that holds a MemberMessage. All that is
// said about Decode and Typed holds; a stream with another object is an error.
func DecodeMemberMessage(b []byte, lim Limits) (*MemberMessage, error) {
	v, err := decodeTyped(b, lim)
	if err != nil {
		return nil, err
	}
	if m, ok := v.(*MemberMessage); ok {
		return m, nil
	}
	return nil, &FormatError{Offset: len(streamHeader), Reason: "not a member message"}
}

func decodeTyped(b []byte, lim Limits) (Value, error) {
	v, err := Decode(b, lim)
	if err != nil {
		return nil, err
	}
	return Typed(v)
}

func rpcOf(o *Object) (*RPC, error) {
	c, rest, err := external(o)
	if err != nil {
		return nil, err
	}
	r := &RPC{Reply: true, NoChannel: o.Class.Name == nameNoRPC}
	if err := r.readFields(c); err != nil {
		return nil, misfit(o, err.(*FormatError).Reason)
	}
	if r.NoChannel {
		return r, nil
	}
	if len(rest) == 0 {
		return nil, misfit(o, "no message")
	}
	r.Message, err = typedMessage(rest[0])
	return r, err
}

// readFields reads the content of an RPC's block data.
func (r *RPC) readFields(c *cursor) error {
	if !r.NoChannel {
		flag, err := c.u8("the reply flag")
		if err != nil {
			return err
		}
		r.Reply = flag != 0
	}
	var err error
	if r.UUID, err = c.bytes("the uuid"); err != nil {
		return err
	}
	r.ID, err = c.bytes("the rpc id")
	return err
}

// What a short RPC takes of Limits, with some room. Whoever asks for less gets
// the verdict of the long way.
var shortRPCNeeds = Limits{Depth: 8, Values: 16, Handles: 8}

// shortRPC reads an RPC with a ByteMessage or null, if each part is as Java
// writes it. It reports false for anything else, which may be good or bad.
func shortRPC(b []byte, lim Limits) (*RPC, bool) {
	lim = lim.resolve()
	if len(b) > lim.Bytes || lim.Depth < shortRPCNeeds.Depth ||
		lim.Values < shortRPCNeeds.Values || lim.Handles < shortRPCNeeds.Handles {
		return nil, false
	}
	if !hasPrefix(b, rpcHead) {
		return nil, false
	}
	// What the classes and objects themselves count has been taken off.
	lim.Values -= shortRPCNeeds.Values
	d := decoder{cursor: cursor{b: b, pos: len(rpcHead)}, lim: lim, depth: 1, memory: len(b)} // in the RPC
	own, ok := d.onlyBlocks()
	if !ok {
		return nil, false
	}
	r := &RPC{}
	c := cursor{b: own}
	if r.readFields(&c) != nil || c.left() > 0 {
		return nil, false
	}
	switch {
	case string(b[d.pos:]) == "\x70\x78":
		return r, true
	case !hasPrefix(b[d.pos:], bytesHead):
		return nil, false
	}
	d.pos += len(bytesHead)
	blk, ok := d.onlyBlocks()
	if !ok || len(blk) < 4 || string(b[d.pos:]) != "\x78\x78" {
		return nil, false
	}
	if uint64(binary.BigEndian.Uint32(blk)) != uint64(len(blk)-4) {
		return nil, false
	}
	r.Message = &ByteMessage{Data: blk[4:]}
	return r, true
}

// onlyBlocks reads block data, and reports false if there is none.
func (d *decoder) onlyBlocks() (Block, bool) {
	if !d.atBlock() {
		return nil, false
	}
	blk, err := d.blocks()
	return blk, err == nil
}
