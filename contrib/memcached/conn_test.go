package memcached

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gotribes/tribes/session/store"
)

// say is a server that answers everything with the same text, and then closes.
func say(t testing.TB, text string) *conn {
	t.Helper()
	mine, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		go func() { _, _ = io.Copy(io.Discard, theirs) }() // ends when it is closed
		_, _ = io.WriteString(theirs, text)                // until all is read, or nobody wants more
		_ = theirs.Close()                                 // never fails
	}()
	c := newConn(mine, 10)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return c
}

func TestGet(t *testing.T) {
	for _, tt := range []struct {
		answer, value, cas string
		bad                bool
	}{
		{"VALUE k 0 3 7\r\nabc\r\nEND\r\n", "abc", "7", false},
		{"VALUE k 5 3\r\nabc\r\nEND\r\n", "abc", "", false},
		{"VALUE k 0 0 1\r\n\r\nEND\r\n", "", "1", false},
		{"VALUE k 0 5 1\r\nEND\r\n\r\nEND\r\n", "END\r\n", "1", false},
		{"END\r\n", "", "", false}, // errMissing
		{"", "", "", true},
		{"VALUE k 0 3 7\r\nab", "", "", true},
		{"VALUE k 0 3 7\r\nabc\r\n", "", "", true},
		{"VALUE k 0 3 7\r\nabcd\r\nEND\r\n", "", "", true},
		{"VALUE k 0 3 7\r\nabc\r\nVALUE k 0 3 7\r\nabc\r\nEND\r\n", "", "", true},
		{"VALUE other 0 3 7\r\nabc\r\nEND\r\n", "", "", true},
		{"VALUE k 0 11 7\r\nabcdefghijk\r\nEND\r\n", "", "", true}, // more than it may have
		{"VALUE k 0 99999999999999999999 7\r\n", "", "", true},
		{"VALUE k 0 -1 7\r\n", "", "", true},
		{"VALUE k 0\r\n", "", "", true},
		{"VALUE k 0 3 7 8\r\nabc\r\nEND\r\n", "", "", true},
		{"STORED\r\n", "", "", true},
		{"\r\n", "", "", true},
		{"ERROR\r\n", "", "", true},
		{"CLIENT_ERROR line too long\r\n", "", "", true},
		{"SERVER_ERROR out of memory\r\n", "", "", true},
		{strings.Repeat("x", 5000) + "\r\n", "", "", true},
	} {
		c := say(t, tt.answer)
		value, cas, err := c.get("k")
		if tt.answer == "END\r\n" {
			if err != errMissing || c.bad {
				t.Errorf("%q: %v, bad %t", tt.answer, err, c.bad)
			}
			continue
		}
		if string(value) != tt.value || cas != tt.cas || (err != nil) != tt.bad || c.bad != tt.bad || err == errMissing {
			t.Errorf("%.60q: %q, %q, %v, bad %t", tt.answer, value, cas, err, c.bad)
		}
	}
}

func TestPutAndDelete(t *testing.T) {
	other := fmt.Errorf("any other")
	for _, tt := range []struct {
		answer      string
		put, delete error
	}{
		{"STORED\r\n", nil, other},
		{"NOT_STORED\r\n", errNotStored, other},
		{"EXISTS\r\n", errNotStored, other},
		{"NOT_FOUND\r\n", errNotStored, nil},
		{"DELETED\r\n", other, nil},
		{"SERVER_ERROR object too large for cache\r\n", store.ErrTooLarge, other},
		{"SERVER_ERROR out of memory storing object\r\n", other, other},
		{"ERROR\r\n", other, other},
		{"", other, other},
	} {
		check := func(what string, c *conn, got, want error) {
			if want == other {
				if got == nil || got == errNotStored || !c.bad {
					t.Errorf("%s, %q: %v, bad %t", what, tt.answer, got, c.bad)
				}
			} else if !errors.Is(got, want) {
				t.Errorf("%s, %q: %v, want %v", what, tt.answer, got, want)
			}
		}
		c := say(t, tt.answer)
		check("put", c, c.put("set", "k", 0, []byte("v"), ""), tt.put)
		c = say(t, tt.answer)
		check("delete", c, c.delete("k"), tt.delete)
	}
}

// Whatever a server answers, what is returned is no longer than allowed, and is whole.
func FuzzGet(f *testing.F) {
	f.Add("VALUE k 0 3 7\r\nabc\r\nEND\r\n")
	f.Add("END\r\n")
	f.Fuzz(func(t *testing.T, answer string) {
		c := say(t, answer)
		value, cas, err := c.get("k")
		if len(value) > c.most || err != nil && (value != nil || cas != "") {
			t.Errorf("%q, %q, %v", value, cas, err)
		}
		if x, err := decode("k", value); err == nil && string(encode(x)) != string(value) {
			t.Errorf("%q is decoded as %+v", value, x)
		}
	})
}
