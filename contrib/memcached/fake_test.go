package memcached

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a memcached in this process, or with noCAS a Hazelcast, without a network.
type fake struct {
	noCAS  bool
	before func(command string) // if not nil, is called before each command, without a lock
	after  func(command string) // the same, before the answer is sent

	mu    sync.Mutex
	items map[string]fakeItem
	count uint64
}

type fakeItem struct {
	value []byte
	cas   uint64
	end   time.Time // zero is never
}

func newFake(noCAS bool) *fake { return &fake{noCAS: noCAS, items: make(map[string]fakeItem)} }

// open returns a store whose only server it is. Its connections end with the test.
func (f *fake) open(t testing.TB, c Config) *Store {
	t.Helper()
	var conns sync.WaitGroup
	c.Servers, c.Hazelcast = []string{"fake:1"}, f.noCAS
	c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		mine, theirs := net.Pipe()
		conns.Go(func() {
			defer theirs.Close()
			f.serve(theirs)
		})
		return mine, ctx.Err()
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		conns.Wait()
	})
	return s
}

// serve answers commands until the connection ends.
func (f *fake) serve(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		var value []byte
		if words[0] != "gets" && words[0] != "delete" {
			n, _ := strconv.Atoi(words[4])
			value = make([]byte, n+2)
			if _, err := io.ReadFull(r, value); err != nil {
				return
			}
			value = value[:n]
		}
		if f.before != nil {
			f.before(strings.TrimSpace(line))
		}
		answer := f.answer(words, value)
		if f.after != nil {
			f.after(strings.TrimSpace(line))
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

func (f *fake) answer(words []string, value []byte) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := words[1]
	is, ok := f.items[key]
	if ok && !is.end.IsZero() && !time.Now().Before(is.end) {
		ok = false
	}
	switch words[0] {
	case "gets":
		if !ok {
			return "END\r\n"
		}
		cas := fmt.Sprint(" ", is.cas)
		if f.noCAS {
			cas = ""
		}
		return fmt.Sprintf("VALUE %s 0 %d%s\r\n%s\r\nEND\r\n", key, len(is.value), cas, is.value)
	case "delete":
		delete(f.items, key)
		return "DELETED\r\n"
	case "cas":
		if !ok {
			return "NOT_FOUND\r\n"
		}
		if words[5] != fmt.Sprint(is.cas) {
			return "EXISTS\r\n"
		}
	case "add":
		if ok {
			return "NOT_STORED\r\n"
		}
	}
	f.count++
	put := fakeItem{value: value, cas: f.count}
	if n, _ := strconv.Atoi(words[3]); n > month {
		put.end = time.Unix(int64(n), 0)
	} else if n > 0 {
		put.end = time.Now().Add(time.Duration(n) * time.Second)
	}
	f.items[key] = put
	return "STORED\r\n"
}
