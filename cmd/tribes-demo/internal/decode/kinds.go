package decode

import (
	"errors"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// decoders has a function for each value of -kind.
var decoders = map[string]func(b []byte) (*result, error){
	"auto":      decodeAuto,
	"member":    decodeMember,
	"heartbeat": decodeDatagram,
	"frame":     decodeFrame,
	"ack":       decodeAck,
}

// decodeAuto goes by how the bytes begin and by what a frame carries.
func decodeAuto(b []byte) (*result, error) {
	if membership.HasImagePrefix(b) {
		return decodeMember(b)
	}
	data, size, err := whole(b, 0)
	if err != nil {
		return nil, err
	}
	if size < len(b) {
		return decodeFrames(b)
	}
	if res, err := reply(data); err == nil {
		return res, nil
	}
	return decodeFrame(b)
}

// decodeMember reads a member image. Bytes behind it are ignored, as the real
// parser does.
func decodeMember(b []byte) (*result, error) {
	m, _, err := membership.Decode(b)
	if err != nil {
		return nil, err
	}
	fields := newMember(m)
	return &result{Kind: "member", Fields: fields, encode: fields.encode}, nil
}

// decodeDatagram reads what the multicast group carries: an image or frames.
func decodeDatagram(b []byte) (*result, error) {
	if !membership.HasImagePrefix(b) {
		return decodeFrames(b)
	}
	res, err := decodeMember(b)
	if err == nil {
		res.Kind = "heartbeat"
	}
	return res, err
}

func decodeFrame(b []byte) (*result, error) {
	f, size, err := parse(b, 0)
	if err != nil {
		return nil, err
	}
	if size < len(b) {
		return nil, &membership.FormatError{Reason: wire.TrailingBytes, Offset: size}
	}
	return &result{Kind: "frame", Fields: f, encode: f.encode}, nil
}

func decodeFrames(b []byte) (*result, error) {
	res := &result{Kind: "frames"}
	for at := 0; at < len(b) || at == 0; {
		f, size, err := parse(b[at:], at)
		if err != nil {
			return nil, err
		}
		res.Frames = append(res.Frames, f)
		at += size
	}
	res.encode = func() (all []byte, err error) {
		for _, f := range res.Frames {
			b, err := f.encode()
			if err != nil {
				return nil, err
			}
			all = append(all, b...)
		}
		return all, nil
	}
	return res, nil
}

func decodeAck(b []byte) (*result, error) {
	data, size, err := whole(b, 0)
	if err != nil {
		return nil, err
	}
	if size < len(b) {
		return nil, &membership.FormatError{Reason: wire.TrailingBytes, Offset: size}
	}
	return reply(data)
}

func reply(data []byte) (*result, error) {
	r := new(message.Reply)
	if err := message.ParseReply(data, r); err != nil {
		return nil, err
	}
	encode := func() ([]byte, error) { return encodeReply(r), nil }
	return &result{Kind: "ack", Fields: newAck(data, r), encode: encode}, nil
}

// parse reads the frame at the start of b, which stands at offset base of the
// item.
func parse(b []byte, base int) (*frame, int, error) {
	data, size, err := whole(b, base)
	if err != nil {
		return nil, 0, err
	}
	p, err := message.ParseFrame(data)
	if err != nil {
		return nil, 0, shift(err, base)
	}
	sender, err := p.DecodeSender()
	if err != nil {
		return nil, 0, shift(err, base)
	}
	return newFrame(p, sender), size, nil
}

// whole finds the frame at the start of b; one that is not all there is an error.
func whole(b []byte, base int) (data []byte, size int, err error) {
	data, size, err = message.Scan(b, 0)
	switch {
	case err != nil:
		return nil, 0, shift(err, base)
	case data == nil:
		return nil, 0, &membership.FormatError{Reason: wire.Truncated, Offset: base + len(b)}
	}
	return data, size, nil
}

func shift(err error, base int) error {
	var fe *membership.FormatError
	if errors.As(err, &fe) {
		return &membership.FormatError{Reason: fe.Reason, Offset: fe.Offset + base}
	}
	return err
}
