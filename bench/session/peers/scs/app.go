package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// app is the web application.
type app struct {
	name, describe string
	manager        *scs.SessionManager
	memory         *memstore.MemStore
	count          func() (int, error)
}

// object is a reply.
type object map[string]any

// padding fills values; it cannot be compressed.
var padding = func() []byte {
	b := make([]byte, 1<<20)
	r := rand.NewChaCha8([32]byte{7})
	r.Read(b)
	return b
}()

func (a *app) routes() http.Handler {
	sessions, plain := http.NewServeMux(), http.NewServeMux()
	for pattern, f := range map[string]func(*http.Request) (object, error){
		"PUT /attr": a.put, "GET /attr": a.get, "DELETE /attr": a.remove, "POST /incr": a.incr, "POST /invalidate": a.invalidate,
	} {
		sessions.Handle(pattern, a.answer(f))
	}
	for pattern, f := range map[string]func(*http.Request) (object, error){
		"GET /whoami": a.whoami, "GET /session": a.lookup, "GET /stats": a.stats,
	} {
		plain.Handle(pattern, a.answer(f))
	}
	plain.Handle("/", a.manager.LoadAndSave(sessions))
	return plain
}

func (a *app) answer(f func(*http.Request) (object, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o, err := f(r)
		status := http.StatusOK
		if err != nil {
			o, status = object{"error": err.Error()}, http.StatusServiceUnavailable
		}
		o["node"] = a.name
		b, err := json.Marshal(o)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		w.WriteHeader(status)
		w.Write(b) // a client that has gone needs no answer
	})
}

func (a *app) whoami(*http.Request) (object, error) {
	return object{"store": a.describe, "pid": os.Getpid(), "peers": 0}, nil
}

func (a *app) put(r *http.Request) (object, error) {
	ctx, q := r.Context(), r.URL.Query()
	name := q.Get("name")
	o := object{"new": a.manager.Token(ctx) == "", "prev": tagOf(a.manager.GetBytes(ctx, name))}
	if !q.Has("size") {
		b, err := io.ReadAll(r.Body)
		if err == nil {
			a.manager.Put(ctx, name, b)
		}
		return o, err
	}
	size, err := strconv.Atoi(q.Get("size"))
	if err != nil {
		return nil, err
	}
	v := value(q.Get("tag"), size)
	if !q.Has("count") {
		a.manager.Put(ctx, name, v)
		return o, nil
	}
	count, err := strconv.Atoi(q.Get("count"))
	for i := range count {
		a.manager.Put(ctx, name+strconv.Itoa(i), v)
	}
	return o, err
}

func (a *app) get(r *http.Request) (object, error) {
	ctx := r.Context()
	if r.URL.Query().Has("name") {
		return attr(a.manager.GetBytes(ctx, r.URL.Query().Get("name"))), nil
	}
	list := []object{}
	for _, name := range a.manager.Keys(ctx) {
		v := a.manager.GetBytes(ctx, name)
		list = append(list, object{"name": name, "size": len(v), "tag": tagOf(v)})
	}
	return object{"found": a.manager.Token(ctx) != "", "attrs": list}, nil
}

func attr(v []byte) object { return object{"found": v != nil, "size": len(v), "tag": tagOf(v)} }

func (a *app) remove(r *http.Request) (object, error) {
	name := r.URL.Query().Get("name")
	found := a.manager.Exists(r.Context(), name)
	a.manager.Remove(r.Context(), name)
	return object{"found": found}, nil
}

// incr reads and writes without a lock, as application code usually does.
func (a *app) incr(r *http.Request) (object, error) {
	ctx, name := r.Context(), r.URL.Query().Get("name")
	n, _ := strconv.Atoi(tagOf(a.manager.GetBytes(ctx, name))) // none counts as 0
	a.manager.Put(ctx, name, value(strconv.Itoa(n+1), 16))
	return object{"new": a.manager.Token(ctx) == "", "value": n + 1}, nil
}

func (a *app) invalidate(r *http.Request) (object, error) {
	found := a.manager.Token(r.Context()) != ""
	if !found {
		return object{"found": false}, nil
	}
	return object{"found": true}, a.manager.Destroy(r.Context())
}

func (a *app) lookup(r *http.Request) (object, error) {
	q := r.URL.Query()
	b, found, err := a.find(r.Context(), q.Get("id"))
	if err != nil {
		return nil, err
	}
	var values map[string]any
	if found {
		if _, values, err = a.manager.Codec.Decode(b); err != nil {
			return nil, err
		}
	}
	if q.Has("name") {
		v, _ := values[q.Get("name")].([]byte)
		return attr(v), nil
	}
	return object{"found": found, "attrs": len(values)}, nil
}

// find asks the store, some of which have methods with a context alone.
func (a *app) find(ctx context.Context, token string) ([]byte, bool, error) {
	if store, ok := a.manager.Store.(scs.CtxStore); ok {
		return store.FindCtx(ctx, token)
	}
	return a.manager.Store.Find(token)
}

func (a *app) countMemory() (int, error) {
	all, err := a.memory.All()
	return len(all), err
}

func value(tag string, size int) []byte {
	v := make([]byte, max(size, len(tag)+1))
	copy(v, padding)
	copy(v, tag+"|")
	return v
}

func tagOf(v []byte) string {
	tag, _, found := bytes.Cut(v[:min(len(v), 32)], []byte("|"))
	if !found {
		return ""
	}
	return string(tag)
}
