package serve

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/proctest"
)

// program is the program as a process of its own.
type program struct{ *proctest.Process }

func startProgram(t *testing.T, args string) program {
	t.Helper()
	return startCommand(t, "web "+args)
}

// startCommand starts the program with a subcommand.
func startCommand(t *testing.T, args string) program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program{proctest.Start(t, nil, append([]string{self}, strings.Fields(args)...)...)}
}

// serving returns the address in the next line with text in it.
func (p program) serving(text string) string { return addrIn(p.Out.Line(text)) }

func addrIn(line string) string {
	_, rest, _ := strings.Cut(line, "http://")
	addr, _, _ := strings.Cut(rest, "/")
	return addr
}

func (p program) terminate() { p.Signal(syscall.SIGTERM) }

// visitor is a client of the demo.
type visitor struct {
	*proctest.Client
	t *testing.T
}

func newVisitor(t *testing.T, addr string) visitor { return visitor{proctest.NewClient(t, addr), t} }

func (v visitor) id() string { return v.Cookie("sid") }

// press presses a button of the status page.
func (v visitor) press(do, node string) {
	v.t.Helper()
	if status, body := v.Do("POST /_cluster", "do="+do+"&node="+node); status != 303 {
		v.t.Fatalf("%s %s: status %d, %s", do, node, status, body)
	}
}

// unfinished is a request of which the body is missing.
type unfinished struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// begin sends the header of a PUT and returns when its node waits for the body.
func (v visitor) begin() *unfinished {
	v.t.Helper()
	conn, err := net.Dial("tcp", v.Addr)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(proctest.Watchdog)); err != nil {
		v.t.Fatal(err)
	}
	_, err = io.WriteString(conn, "PUT /attr?name=late HTTP/1.1\r\nHost: "+v.Addr+"\r\nCookie: sid="+v.id()+
		"\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n")
	if err != nil {
		v.t.Fatal(err)
	}
	u := &unfinished{v.t, conn, bufio.NewReader(conn)}
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		if line, err := u.in.ReadString('\n'); line != want {
			v.t.Fatalf("%q, %v: want %q", line, err, want)
		}
	}
	return u
}

// finish sends the body and fails the test unless the answer has all texts in it.
func (u *unfinished) finish(texts ...string) {
	u.t.Helper()
	if _, err := io.WriteString(u.conn, "17|abc"); err != nil {
		u.t.Error(err)
	}
	response, err := http.ReadResponse(u.in, nil)
	if err != nil {
		u.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		u.t.Error(err)
	}
	for _, text := range texts {
		if response.StatusCode != 200 || !strings.Contains(string(body), text) {
			u.t.Errorf("status %d, %s: want %s", response.StatusCode, body, text)
		}
	}
}
