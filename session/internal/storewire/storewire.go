package storewire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// Op is what a request wants.
type Op uint8

// What can be asked for.
const (
	Hello  Op = iota // whether the node can be asked
	Load             // a session
	Save             // a session to be saved
	Touch            // a session to be touched
	Delete           // a session to be deleted
	lastOp = Delete
)

// Request is a call.
type Request struct {
	Op   Op
	Base uint64  // of Save
	Once [8]byte // of Save: tells it from all others
	// Age is how long ago, at the caller's, the session was used; of Save and Touch.
	Age time.Duration
	// Session has the ID; with Touch also Accessed, with Save everything.
	Session store.Session
}

// Status says how a call has ended.
type Status uint8

// What there is to say.
const (
	OK         Status = iota
	NotFound          // store.ErrNotFound
	Conflict          // store.ErrConflict
	TooLarge          // store.ErrTooLarge
	BadID             // store.ErrBadID
	Elsewhere         // this node does not answer now, or not any more; another may
	Failed            // the text says why
	lastStatus = Failed
)

// Answer is what a node says to a Request.
type Answer struct {
	Status  Status
	Text    string        // of TooLarge and Failed
	MaxData uint64        // of Hello
	Session store.Session // of Load, without ID
}

// format is the first byte of each message.
const format = 1

// ErrFormat is the error of bytes that are no message.
var ErrFormat = errors.New("tribes: store: call cannot be read")

// Codec is the group.Codec of *Request and *Answer.
type Codec struct{}

// Marshal returns the bytes of a *Request or an *Answer.
func (Codec) Marshal(v any) ([]byte, error) {
	switch m := v.(type) {
	case *Request:
		return m.append(), nil
	case *Answer:
		return m.append(), nil
	}
	return nil, fmt.Errorf("tribes: store: cannot write %T", v)
}

// Unmarshal sets a **Request or **Answer.
func (Codec) Unmarshal(data []byte, v any) error {
	d := decoder{b: data}
	if d.byte() != format {
		return ErrFormat
	}
	switch m := v.(type) {
	case **Request:
		*m = d.request()
	case **Answer:
		*m = d.answer()
	default:
		return fmt.Errorf("tribes: store: cannot read %T", v)
	}
	if d.failed || len(d.b) > 0 {
		return ErrFormat
	}
	return nil
}

func (r *Request) append() []byte {
	s := &r.Session
	b := make([]byte, 0, 96+len(s.ID)+len(s.Data))
	b = append(b, format, byte(r.Op))
	if r.Op == Hello {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(s.ID)))
	b = append(b, s.ID...)
	if r.Op == Save || r.Op == Touch {
		b = binary.AppendVarint(b, s.Accessed.UnixMilli())
		b = binary.AppendVarint(b, r.Age.Milliseconds())
	}
	if r.Op == Save {
		b = append(b, r.Once[:]...)
		b = binary.AppendUvarint(b, r.Base)
		b = binary.AppendUvarint(b, s.Version)
		b = binary.AppendUvarint(b, uint64(max(0, s.Timeout.Milliseconds())))
		b = append(b, s.Data...)
	}
	return b
}

func (d *decoder) request() *Request {
	r := &Request{Op: Op(d.byte())}
	s := &r.Session
	if r.Op > lastOp {
		d.failed = true
	}
	if r.Op == Hello || d.failed {
		return r
	}
	s.ID = string(d.bytes(store.MaxID))
	if r.Op == Save || r.Op == Touch {
		s.Accessed = time.UnixMilli(d.varint())
		age := d.varint()
		const most = math.MaxInt64 / int64(time.Millisecond)
		r.Age = time.Duration(min(max(age, -most), most)) * time.Millisecond
	}
	if r.Op == Save {
		copy(r.Once[:], d.next(len(r.Once)))
		r.Base, s.Version = d.uvarint(), d.uvarint()
		s.Timeout = d.timeout()
		s.Data = d.rest()
	}
	return r
}

func (a *Answer) append() []byte {
	s := &a.Session
	b := make([]byte, 0, 64+len(a.Text)+len(s.Data))
	b = append(b, format, byte(a.Status))
	if a.Status != OK {
		return append(b, a.Text...)
	}
	b = binary.AppendUvarint(b, a.MaxData)
	b = binary.AppendUvarint(b, s.Version)
	if s.Version == 0 { // there is no session in it
		return b
	}
	b = binary.AppendVarint(b, s.Accessed.UnixMilli())
	b = binary.AppendUvarint(b, uint64(max(0, s.Timeout.Milliseconds())))
	return append(b, s.Data...)
}

func (d *decoder) answer() *Answer {
	a := &Answer{Status: Status(d.byte())}
	if a.Status > lastStatus {
		d.failed = true
	}
	if a.Status != OK {
		a.Text = string(d.rest())
		return a
	}
	a.MaxData = d.uvarint()
	s := &a.Session
	if s.Version = d.uvarint(); s.Version > 0 {
		s.Accessed = time.UnixMilli(d.varint())
		s.Timeout = d.timeout()
		s.Data = d.rest()
	}
	return a
}

// decoder takes bytes from the front of b. After something was not there, failed is set
// and all else is zero.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) next(n int) []byte {
	if d.failed || len(d.b) < n {
		d.failed, d.b = true, nil
		return nil
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) byte() byte {
	if p := d.next(1); p != nil {
		return p[0]
	}
	return 0
}

func (d *decoder) bytes(most uint64) []byte {
	n := d.uvarint()
	if n > most {
		d.failed = true
		return nil
	}
	return d.next(int(n))
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	return number(d, v, n)
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	return number(d, v, n)
}

func number[T any](d *decoder, v T, n int) (zero T) {
	if d.failed || n <= 0 {
		d.failed, d.b = true, nil
		return zero
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) timeout() time.Duration {
	ms := d.uvarint()
	if ms > math.MaxInt64/uint64(time.Millisecond) {
		d.failed = true
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

func (d *decoder) rest() []byte {
	p := bytes.Clone(d.b)
	d.b = nil
	return p
}
