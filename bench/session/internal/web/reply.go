package web

import (
	"encoding/json"
	"errors"
	"strconv"
)

// Reply is what a node answered. Fields that the reply lacks are zero.
type Reply struct {
	Status int

	Node  string
	Error string
	New   bool   // the request made the session
	Found bool   // the attribute or session is there
	Prev  uint64 // tag that the attribute had before; 0 for none
	Tag   uint64
	Size  int64
	Value int64 // of a counter

	Attrs    int64 // how many attributes
	Sessions int64 // held with their data
	Heap     int64 // bytes
	CPU      int64 // µs
	Peers    int64
	Store    string
}

var errObject = errors.New("reply is not the JSON object that was expected")

// parse reads the object b. What it does not know it passes over, nested values
// included.
func (r *Reply) parse(b []byte) error {
	s := scanner{b: b}
	if !s.take('{') {
		return errObject
	}
	if s.take('}') {
		return nil
	}
	for {
		key, ok := s.text()
		if !ok || !s.take(':') || !r.field(&s, key) {
			return errObject
		}
		if s.take(',') {
			continue
		}
		if s.take('}') {
			return nil
		}
		return errObject
	}
}

func (r *Reply) field(s *scanner, key []byte) bool {
	switch string(key) {
	case "node":
		return s.string(&r.Node)
	case "error":
		return s.string(&r.Error)
	case "store":
		return s.string(&r.Store)
	case "new":
		return s.bool(&r.New)
	case "found":
		return s.bool(&r.Found)
	case "prev":
		return s.tag(&r.Prev)
	case "tag":
		return s.tag(&r.Tag)
	case "size":
		return s.number(&r.Size)
	case "value":
		return s.number(&r.Value)
	case "attrs":
		if s.peek() == '[' { // the list of GET /attr
			return s.skip()
		}
		return s.number(&r.Attrs)
	case "sessions":
		return s.number(&r.Sessions)
	case "heap":
		return s.number(&r.Heap)
	case "cpu_us":
		return s.number(&r.CPU)
	case "peers":
		return s.number(&r.Peers)
	}
	return s.skip()
}

// scanner reads JSON from the start of b on.
type scanner struct{ b []byte }

// peek returns the next byte that is not white space; 0 at the end.
func (s *scanner) peek() byte {
	for len(s.b) > 0 {
		switch s.b[0] {
		case ' ', '\t', '\n', '\r':
			s.b = s.b[1:]
			continue
		}
		return s.b[0]
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.b = s.b[1:]
	return true
}

// text reads a string and returns what stands between its quotes, escapes and all.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	for i := 0; i < len(s.b); i++ {
		switch s.b[i] {
		case '\\':
			i++
		case '"':
			t := s.b[:i]
			s.b = s.b[i+1:]
			return t, true
		}
	}
	return nil, false
}

// string reads a string into *to.
func (s *scanner) string(to *string) bool {
	t, ok := s.text()
	if !ok {
		return false
	}
	for _, c := range t {
		if c == '\\' {
			return json.Unmarshal(append(append([]byte{'"'}, t...), '"'), to) == nil
		}
	}
	*to = string(t)
	return true
}

func (s *scanner) bool(to *bool) bool {
	if s.peek() == 't' {
		*to = true
		return s.word("true")
	}
	return s.word("false")
}

func (s *scanner) word(w string) bool {
	if len(s.b) < len(w) || string(s.b[:len(w)]) != w {
		return false
	}
	s.b = s.b[len(w):]
	return true
}

// tag reads a string with a decimal number; the empty one is 0.
func (s *scanner) tag(to *uint64) bool {
	t, ok := s.text()
	if !ok {
		return false
	}
	var n uint64
	for _, c := range t {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + uint64(c-'0')
	}
	*to = n
	return true
}

// number reads a number; of a fraction the whole part.
func (s *scanner) number(to *int64) bool {
	s.peek()
	n := 0
	for n < len(s.b) && (s.b[n] >= '0' && s.b[n] <= '9' || s.b[n] == '-' || s.b[n] == '+' || s.b[n] == '.' || s.b[n]|0x20 == 'e') {
		n++
	}
	t := string(s.b[:n])
	s.b = s.b[n:]
	v, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(t, 64)
		if ferr != nil {
			return false
		}
		v = int64(f)
	}
	*to = v
	return true
}

// skip passes over any value.
func (s *scanner) skip() bool {
	depth := 0
	for {
		switch c := s.peek(); c {
		case 0:
			return false
		case '"':
			if _, ok := s.text(); !ok {
				return false
			}
		case '{', '[':
			depth++
			s.b = s.b[1:]
		case '}', ']':
			if depth--; depth < 0 {
				return false
			}
			s.b = s.b[1:]
		default:
			if depth == 0 && (c == ',' || c == ':') {
				return false
			}
			s.b = s.b[1:]
			for depth == 0 && len(s.b) > 0 && s.b[0] != ',' && s.b[0] != '}' && s.b[0] != ']' {
				s.b = s.b[1:]
			}
		}
		if depth == 0 {
			return true
		}
	}
}
