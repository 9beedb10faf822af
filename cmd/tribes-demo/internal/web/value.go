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
	maxCount  = 1000    // attributes that one request sets
)

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
