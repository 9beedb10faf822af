package proctest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

// TestMain runs the tests or, in a process that they start, a program.
func TestMain(m *testing.M) {
	if os.Getenv("PROCTEST") == "" {
		leak.Main(m)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	fmt.Print("first\nsec")
	fmt.Fprintln(os.Stderr, "wrong")
	fmt.Print("ond\nlast without an end")
	<-end
	os.Exit(0)
}

func TestProcess(t *testing.T) {
	p := Start(t, []string{"PROCTEST=1"}, os.Args[0])
	if line := p.Out.Line("o"); line != "second" {
		t.Errorf("line %q", line)
	}
	p.Err.Line("wrong")
	Until(t, "all is printed", func() bool { return strings.HasSuffix(p.Out.String(), "last without an end") }, p)
	p.Signal(syscall.SIGTERM)
	p.Ended()
	killed := Start(t, []string{"PROCTEST=1"}, os.Args[0])
	killed.Err.Line("wrong")
	killed.Kill()
	Start(t, []string{"PROCTEST=1"}, os.Args[0]).Err.Line("wrong") // ended by the clean-up
}

// A client keeps cookies over ports, follows no redirect and says why there is no answer.
func TestClient(t *testing.T) {
	server := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				http.SetCookie(w, &http.Cookie{Name: "c", Value: r.FormValue("v"), Path: "/"})
				http.Redirect(w, r, "/elsewhere", http.StatusSeeOther)
				return
			}
			fmt.Fprintf(w, "%s %s %s", name, r.URL.Path, r.Header.Get("Cookie"))
		}))
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	c, other := NewClient(t, server("a")), server("b")
	if status, _ := c.Do("POST /", "v=1"); status != http.StatusSeeOther || c.Cookie("c") != "1" || c.Cookie("d") != "" {
		t.Errorf("status %d, cookie %q", status, c.Cookie("c"))
	}
	c.Want("GET /x", "a /x c=1")
	c.At(other).Want("GET /y", "b /y c=1")
	c.Eventually("GET /z", "a /z")
	free := Ports(t, 2)
	if status, why := c.At("127.0.0.1:"+free[0]).Do("GET /", ""); status != 0 || why == "" || free[0] == free[1] {
		t.Errorf("%d %q, ports %q", status, why, free)
	}
	if Status("http://"+other) != http.StatusOK || Status("http://127.0.0.1:"+free[0]) != 0 {
		t.Error("wrong status")
	}
}
