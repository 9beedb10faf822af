package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Dial opens a connection to a node.
type Dial func(ctx context.Context) (net.Conn, error)

// StatusError is a reply with another status than 200.
type StatusError struct{ Code int }

// Error tells the status.
func (e *StatusError) Error() string { return "HTTP status " + strconv.Itoa(e.Code) }

// Broken tells that no whole reply arrived: whether the request was carried out
// is not known.
type Broken struct{ Err error }

// Error tells the cause.
func (e *Broken) Error() string { return "connection broke: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Broken) Unwrap() error { return e.Err }

// Conn is a connection to one node, with one request at a time. It is opened at
// the first request and again after an error or when the node closes it. A Conn
// is not safe for concurrent use.
type Conn struct {
	// Dial opens the connection.
	Dial Dial
	// Timeout bounds one request; zero means none.
	Timeout time.Duration
	// Cautious looks before each request whether the node has closed the
	// connection meanwhile, as a careful proxy does. It costs a system call.
	Cautious bool

	conn  net.Conn
	in    *bufio.Reader
	out   []byte
	body  []byte
	Reply Reply // the last reply; valid until the next request
}

// maxBody bounds what is taken of one reply.
const maxBody = 16 << 20

// Close closes the connection, if there is one.
func (c *Conn) Close() {
	if c.conn != nil {
		c.conn.Close() // nothing is lost that matters
		c.conn = nil
	}
}

// Do sends a request and reads the reply into c.Reply. The cookie may be empty; it
// is replaced if the reply has a newer one. The body may be nil and is not kept.
// The error is a *Broken or a *StatusError; with the latter c.Reply has the object
// that came, if one did.
func (c *Conn) Do(ctx context.Context, method, target string, cookie *string, body []byte) error {
	if err := c.open(ctx); err != nil {
		return &Broken{err}
	}
	c.out = appendHead(c.out[:0], method, target, cookie, body)
	closing, err := c.exchange(cookie, body)
	if err != nil {
		c.Close()
		return &Broken{err}
	}
	if closing {
		c.Close()
	}
	if c.Reply.Status != 200 {
		return &StatusError{c.Reply.Status}
	}
	return nil
}

func (c *Conn) open(ctx context.Context) error {
	if c.conn != nil && c.Cautious && (c.in.Buffered() > 0 || closed(c.conn)) {
		c.Close()
	}
	if c.conn == nil {
		if c.Timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, c.Timeout)
			defer cancel()
		}
		conn, err := c.Dial(ctx)
		if err != nil {
			return err
		}
		c.conn = conn
		if c.in == nil {
			c.in = bufio.NewReaderSize(conn, 4096)
		} else {
			c.in.Reset(conn)
		}
	}
	if c.Timeout > 0 {
		return c.conn.SetDeadline(time.Now().Add(c.Timeout))
	}
	return nil
}

func appendHead(b []byte, method, target string, cookie *string, body []byte) []byte {
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: bench\r\n"...)
	if cookie != nil && *cookie != "" {
		b = append(b, "Cookie: "...)
		b = append(b, *cookie...)
		b = append(b, "\r\n"...)
	}
	if method != "GET" {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// exchange writes the request and reads the reply; closing tells that the node
// closes the connection.
func (c *Conn) exchange(cookie *string, body []byte) (closing bool, err error) {
	if body == nil {
		_, err = c.conn.Write(c.out)
	} else {
		parts := net.Buffers{c.out, body}
		_, err = parts.WriteTo(c.conn)
	}
	if err != nil {
		return true, err
	}
	h, err := c.readHead(cookie)
	if err != nil {
		return true, err
	}
	if err := c.readBody(h); err != nil {
		return true, err
	}
	c.Reply = Reply{Status: h.status}
	if err := c.Reply.parse(c.body); err != nil {
		if h.status == 200 {
			return true, err
		}
		c.Reply = Reply{Status: h.status} // an error page is no object
	}
	return h.closing, nil
}

func (c *Conn) readBody(h head) error {
	c.body = c.body[:0]
	if h.length >= 0 {
		return c.take(h.length)
	}
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := chunkSize(line)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if err := c.take(n); err != nil {
			return err
		}
		if line, err = c.line(); err != nil || len(line) > 0 {
			return errors.Join(err, errors.New("chunk does not end where it should"))
		}
	}
	for {
		line, err := c.line()
		if err != nil || len(line) == 0 {
			return err
		}
	}
}

// take appends the next n bytes to the body.
func (c *Conn) take(n int) error {
	at := len(c.body)
	if at+n > maxBody {
		return fmt.Errorf("reply of more than %d bytes", maxBody)
	}
	if cap(c.body) < at+n {
		c.body = append(c.body, make([]byte, n)...)
	}
	c.body = c.body[:at+n]
	_, err := io.ReadFull(c.in, c.body[at:])
	return err
}

// line reads up to the end of a line and returns it without that end.
func (c *Conn) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, nil
}
