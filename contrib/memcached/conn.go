package memcached

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/gotribes/tribes/session/store"
)

// conn is a connection to a server. It speaks the text protocol: memcached and Hazelcast
// have that in common.
type conn struct {
	net.Conn
	r       *bufio.Reader
	most    int  // bytes of an item
	used    bool // for another call before
	changed bool // this call has sent something that must not be sent twice
	bad     bool // what comes next on it is not known
}

func newConn(c net.Conn, most int) *conn {
	return &conn{Conn: c, r: bufio.NewReader(c), most: most}
}

// What a server says about one item. The connection is as good as before.
var (
	errMissing   = errors.New("no such item")
	errNotStored = errors.New("the item is not as expected")
)

// serverError is a line with which a server refuses what it was asked. Whether it has read
// all of that is not known.
type serverError string

func (e serverError) Error() string { return "the server says " + strconv.Quote(string(e)) }

// check notes what an error says about the connection.
func (c *conn) check(err *error) {
	if *err != nil && *err != errMissing && *err != errNotStored {
		c.bad = true
	}
}

// line reads one line of an answer.
func (c *conn) line() (string, error) {
	b, err := c.r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	line := strings.TrimRight(string(b), "\r\n")
	if line == "ERROR" || strings.HasPrefix(line, "CLIENT_ERROR") || strings.HasPrefix(line, "SERVER_ERROR") {
		if strings.HasPrefix(line, "SERVER_ERROR object too large") {
			return "", fmt.Errorf("%w: %w", store.ErrTooLarge, serverError(line))
		}
		return "", serverError(line)
	}
	return line, nil
}

// get returns an item and its cas, "" from a server that has none.
func (c *conn) get(key string) (value []byte, cas string, err error) {
	defer c.check(&err)
	if _, err := c.Write([]byte("gets " + key + "\r\n")); err != nil {
		return nil, "", err
	}
	line, err := c.line()
	if err != nil {
		return nil, "", err
	}
	if line == "END" {
		return nil, "", errMissing
	}
	f := strings.Fields(line) // VALUE key flags bytes [cas]
	if len(f) < 4 || len(f) > 5 || f[0] != "VALUE" || f[1] != key {
		return nil, "", serverError(line)
	}
	n, err := strconv.ParseUint(f[3], 10, 31)
	if err != nil || int(n) > c.most {
		return nil, "", fmt.Errorf("an item of %s bytes, at most %d", f[3], c.most)
	}
	value = make([]byte, n+2)
	if _, err := io.ReadFull(c.r, value); err != nil {
		return nil, "", err
	}
	value, ok := bytes.CutSuffix(value, []byte("\r\n"))
	if line, err = c.line(); err != nil {
		return nil, "", err
	}
	if !ok || line != "END" {
		return nil, "", serverError(line)
	}
	if len(f) == 5 {
		cas = f[4]
	}
	return value[:n:n], cas, nil
}

// put stores an item by a verb of the protocol; cas is "" unless the verb is cas.
func (c *conn) put(verb, key string, expiry int64, value []byte, cas string) (err error) {
	defer c.check(&err)
	c.changed = true
	head := fmt.Appendf(nil, "%s %s 0 %d %d", verb, key, expiry, len(value))
	if cas != "" {
		head = append(head, " "+cas...)
	}
	all := net.Buffers{append(head, "\r\n"...), value, []byte("\r\n")}
	if _, err := all.WriteTo(c.Conn); err != nil {
		return err
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	switch line {
	case "STORED":
		return nil
	case "NOT_STORED", "EXISTS", "NOT_FOUND":
		return errNotStored
	}
	return serverError(line)
}

// delete removes an item; one that is not there is no error.
func (c *conn) delete(key string) (err error) {
	defer c.check(&err)
	if _, err := c.Write([]byte("delete " + key + "\r\n")); err != nil {
		return err
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	if line != "DELETED" && line != "NOT_FOUND" {
		return serverError(line)
	}
	return nil
}
