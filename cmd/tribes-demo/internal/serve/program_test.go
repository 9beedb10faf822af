package serve

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// watchdog is far more than anything takes.
const watchdog = time.Minute

// program is the program as a process of its own.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  chan string // lines of standard output, closed at its end
	errs chan string // lines of standard error, closed at its end
	wait func() error
}

func startProgram(t *testing.T, args string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: exec.Command(self, append([]string{"web"}, strings.Fields(args)...)...),
		out: make(chan string, 1000), errs: make(chan string, 10000)}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	readers.Go(func() { readLines(out, p.out) }) // both end with the process
	readers.Go(func() { readLines(errs, p.errs) })
	p.wait = sync.OnceValue(func() error {
		readers.Wait()
		return p.cmd.Wait()
	})
	t.Cleanup(func() {
		p.cmd.Process.Kill() // it may have ended: that was the test's to see
		p.wait()
	})
	return p
}

func readLines(r io.Reader, to chan<- string) {
	defer close(to)
	for in := bufio.NewScanner(r); in.Scan(); {
		to <- in.Text()
	}
}

// line returns the next line of standard output with text in it; has is the same of
// any channel.
func (p *program) line(text string) string { p.t.Helper(); return p.has(p.out, text) }

func (p *program) has(lines <-chan string, text string) string {
	p.t.Helper()
	limit := time.After(watchdog)
	var seen []string
	for {
		select {
		case line, ok := <-lines:
			if strings.Contains(line, text) {
				return line
			}
			if seen = append(seen, line); !ok {
				p.t.Fatalf("no line with %q:\n%s", text, strings.Join(seen, "\n"))
			}
		case <-limit:
			p.t.Fatalf("no line with %q within %v:\n%s", text, watchdog, strings.Join(seen, "\n"))
		}
	}
}

// serving returns the address in the next line with text in it.
func (p *program) serving(text string) string {
	p.t.Helper()
	_, rest, _ := strings.Cut(p.line(text), "http://")
	addr, _, _ := strings.Cut(rest, "/")
	return addr
}

func (p *program) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// ended waits for a clean end.
func (p *program) ended() {
	p.t.Helper()
	if err := p.wait(); err != nil {
		p.t.Errorf("ended with %v", err)
	}
}

// visitor is a client with a cookie, without connections that are kept.
type visitor struct {
	t      *testing.T
	addr   string
	cookie string
}

// do sends a request and returns the status and the body.
func (v *visitor) do(method, path, body string) (int, string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, "http://"+v.addr+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Close = true
	if v.cookie != "" {
		r.Header.Set("Cookie", v.cookie)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	for _, c := range response.Cookies() {
		v.cookie = c.Name + "=" + c.Value
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// want fails the test unless the answer is 200 with all texts in it.
func (v *visitor) want(request string, texts ...string) {
	v.t.Helper()
	method, path, _ := strings.Cut(request, " ")
	status, body := v.do(method, path, "")
	for _, text := range texts {
		if status != 200 || !strings.Contains(body, text) {
			v.t.Errorf("%s: status %d, %s: want %s", request, status, body, text)
		}
	}
}

// press presses a button of the status page.
func (v *visitor) press(do, node string) {
	v.t.Helper()
	if status, body := v.do("POST", "/_cluster", "do="+do+"&node="+node); status != 303 {
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
func (v *visitor) begin() *unfinished {
	v.t.Helper()
	conn, err := net.Dial("tcp", v.addr)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(watchdog)); err != nil {
		v.t.Fatal(err)
	}
	_, err = io.WriteString(conn, "PUT /attr?name=late HTTP/1.1\r\nHost: "+v.addr+"\r\nCookie: "+v.cookie+
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
