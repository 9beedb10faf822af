package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gotribes/tribes/session"
)

type putReply struct {
	base
	New  bool   `json:"new"`
	Prev string `json:"prev"`
}

// put sets an attribute, or several that differ by a number behind the name.
func (a *app) put(w http.ResponseWriter, r *http.Request) (any, error) {
	name, err := nameIn(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	value, err := valueIn(w, r, q)
	if err != nil {
		return nil, err
	}
	s, reply := session.From(r), putReply{base: base{a.Name}}
	if !q.Has("count") {
		reply.Prev, err = setValue(s, name, value)
		reply.New = s.IsNew()
		return reply, err
	}
	count, err := number(q, "count", 1, maxAttrs)
	if err != nil {
		return nil, err
	}
	reply.Prev, err = setValues(s, name, count, value)
	reply.New = s.IsNew()
	return reply, err
}

// valueIn returns the value that a request describes or brings along.
func valueIn(w http.ResponseWriter, r *http.Request, q url.Values) ([]byte, error) {
	if !q.Has("size") {
		if q.Has("count") || q.Has("tag") {
			return nil, bad("tag and count want a size")
		}
		return bodyOf(w, r)
	}
	tag := q.Get("tag")
	if len(tag) >= tagWithin || strings.Contains(tag, "|") {
		return nil, bad("tag=%.40s: want at most %d bytes and no bar", tag, tagWithin-1)
	}
	size, err := number(q, "size", len(tag)+1, maxValue)
	if err != nil {
		return nil, err
	}
	return makeValue(tag, size), nil
}

func bodyOf(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxValue))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &badInput{http.StatusRequestEntityTooLarge, fmt.Sprintf("body: want at most %d bytes", maxValue)}
	case err != nil:
		return nil, bad("body: %v", err)
	}
	return value, nil
}

type getReply struct {
	base
	Found bool `json:"found"`
	attr
}

type listReply struct {
	base
	Found bool        `json:"found"`
	Attrs []namedAttr `json:"attrs"`
}

type namedAttr struct {
	Name string `json:"name"`
	attr
}

// get reads an attribute, or lists all if there is no name.
func (a *app) get(_ http.ResponseWriter, r *http.Request) (any, error) {
	q, err := query(r)
	if err != nil {
		return nil, err
	}
	if !q.Has("name") {
		return a.list(session.From(r))
	}
	name, err := nameIn(r)
	if err != nil {
		return nil, err
	}
	reply := getReply{base: base{a.Name}}
	reply.attr, reply.Found, err = attrOf(session.From(r), name)
	return reply, err
}

func (a *app) list(s *session.Session) (any, error) {
	reply := listReply{base: base{a.Name}, Found: s.ID() != "", Attrs: []namedAttr{}}
	for _, name := range s.Names() {
		d, ok, err := attrOf(s, name)
		if err != nil {
			return nil, err
		}
		if ok { // not removed meanwhile
			reply.Attrs = append(reply.Attrs, namedAttr{name, d})
		}
	}
	return reply, nil
}

type foundReply struct {
	base
	Found bool `json:"found"`
}

func (a *app) remove(_ http.ResponseWriter, r *http.Request) (any, error) {
	name, err := nameIn(r)
	if err != nil {
		return nil, err
	}
	found, err := session.From(r).Delete(name)
	return foundReply{base{a.Name}, found}, err
}

type incrReply struct {
	base
	New   bool  `json:"new"`
	Value int64 `json:"value"`
}

func (a *app) incr(_ http.ResponseWriter, r *http.Request) (any, error) {
	name, err := nameIn(r)
	if err != nil {
		return nil, err
	}
	s := session.From(r)
	n, err := s.Add(name, 1)
	return incrReply{base{a.Name}, s.IsNew(), n}, err
}

func (a *app) invalidate(_ http.ResponseWriter, r *http.Request) (any, error) {
	return foundReply{base{a.Name}, session.From(r).Invalidate()}, nil
}
