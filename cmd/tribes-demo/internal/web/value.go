package web

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/gotribes/tribes/session"
)

const (
	tagWithin = 32      // the bar that ends a tag is within so many bytes
	maxValue  = 1 << 20 // bytes of a value
	maxAttrs  = 1000    // attributes of a session, and so those that one request sets
	maxName   = 256     // bytes of a name
	maxBytes  = 4 << 20 // bytes of a session
)

// What an attribute takes besides its name and its value: session.Limits says
// between which bounds, and the codec puts a head on the value.
const (
	leastExtra = 40
	mostExtra  = 100 + maxHead
	maxHead    = 16
)

// Limits are those of the sessions of this application, for whatever keeps them.
func Limits() session.Limits {
	return session.Limits{Attributes: maxAttrs, NameBytes: maxName, ValueBytes: maxValue + maxHead, SessionBytes: maxBytes}
}

// tagOf returns the tag of a value: what precedes the first bar near its beginning.
func tagOf(value []byte) string {
	tag, _, ok := bytes.Cut(value[:min(len(value), tagWithin)], []byte{'|'})
	if !ok {
		return ""
	}
	return string(tag)
}

// makeValue returns size bytes that begin with the tag and a bar.
func makeValue(tag string, size int) []byte {
	v := bytes.Repeat([]byte{'x'}, size)
	copy(v, tag)
	v[len(tag)] = '|'
	return v
}

// attr describes an attribute.
type attr struct {
	Size int    `json:"size"`
	Tag  string `json:"tag"`
}

// attrOf describes an attribute of s and says whether it is there. A number is
// as large as its decimal text.
func attrOf(s *session.Session, name string) (attr, bool, error) {
	v, ok, err := session.Get[any](s, name)
	if err != nil || !ok {
		return attr{}, false, err
	}
	switch v := v.(type) {
	case []byte:
		return attr{len(v), tagOf(v)}, true, nil
	case int64:
		return attr{Size: len(strconv.FormatInt(v, 10))}, true, nil
	}
	return attr{}, false, fmt.Errorf("attribute %.40q: of type %T, which nobody here sets", name, v)
}

// setValue stores a value and returns the tag of the one that it replaces, also
// if other requests write to the attribute at the same time.
func setValue(s *session.Session, name string, value []byte) (prev string, err error) {
	err = session.Update(s, name, func(v *[]byte) error {
		prev, *v = tagOf(*v), value
		return nil
	})
	if errors.Is(err, session.ErrType) { // a number, which has no tag
		return "", session.Set(s, name, value)
	}
	return prev, err
}

// setValues stores a value under count names, all or none of them unless another
// request fills or ends the session at the same time. It returns the tag of name
// itself.
func setValues(s *session.Session, name string, count int, value []byte) (prev string, err error) {
	if err := room(s, name, count, value); err != nil {
		return "", err
	}
	before, _, err := attrOf(s, name)
	for i := 0; i < count && err == nil; i++ {
		_, err = setValue(s, fmt.Sprint(name, i), value)
	}
	return before.Tag, err
}

// room looks whether a session can take a value under count names. It refuses what
// might not fit by a few bytes.
func room(s *session.Session, name string, count int, value []byte) error {
	longest := len(name) + len(strconv.Itoa(count-1))
	attrs, size := s.Len(), s.Size()+count*(longest+len(value)+mostExtra)
	for i := range count {
		name := fmt.Sprint(name, i)
		old, there, err := attrOf(s, name)
		if err != nil {
			return err
		}
		if !there {
			attrs++
			continue
		}
		size -= len(name) + old.Size + leastExtra
	}
	switch {
	case longest > maxName:
		return bad("name: want at most %d bytes together with the number behind it", maxName)
	case attrs > maxAttrs:
		return bad("the session would have %d attributes: want at most %d", attrs, maxAttrs)
	case size > maxBytes:
		return bad("the session would have about %d bytes: want at most %d", size, maxBytes)
	}
	return nil
}
