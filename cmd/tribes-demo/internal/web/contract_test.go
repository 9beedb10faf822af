package web

import (
	"os"
	"strings"
	"testing"
)

func TestContract(t *testing.T) {
	type step struct{ request, body, want string }
	big := strings.Repeat("b", maxValue)
	tests := []struct {
		name  string
		steps []step
	}{
		{"made from a size and a tag", []step{
			{"PUT /attr?name=a&size=20&tag=7", "", `{"new":true,"prev":""}`},
			{"GET /attr?name=a", "", `{"found":true,"size":20,"tag":"7"}`},
			{"PUT /attr?name=a&size=2&tag=8", "", `{"new":false,"prev":"7"}`},
			{"GET /attr?name=a", "", `{"found":true,"size":2,"tag":"8"}`},
			{"PUT /attr?name=a&size=1", "", `{"new":false,"prev":"8"}`},
			{"GET /attr?name=a", "", `{"found":true,"size":1,"tag":""}`},
		}},
		{"body", []step{
			{"PUT /attr?name=a", "12|hello", `{"new":true,"prev":""}`},
			{"GET /attr?name=a", "", `{"found":true,"size":8,"tag":"12"}`},
			{"PUT /attr?name=a", "no bar", `{"new":false,"prev":"12"}`},
			{"GET /attr?name=a", "", `{"found":true,"size":6,"tag":""}`},
			{"PUT /attr?name=a", "", `{"new":false,"prev":""}`},
			{"GET /attr?name=a", "", `{"found":true,"size":0,"tag":""}`},
			{"PUT /attr?name=a", strings.Repeat("1", 31) + "|", `{"new":false,"prev":""}`},
			{"PUT /attr?name=a", strings.Repeat("1", 32) + "|", `{"new":false,"prev":"1111111111111111111111111111111"}`},
			{"PUT /attr?name=a", "", `{"new":false,"prev":""}`},
		}},
		{"largest value", []step{
			{"PUT /attr?name=a", big, `{"new":true,"prev":""}`},
			{"GET /attr?name=a", "", `{"found":true,"size":1048576,"tag":""}`},
			{"PUT /attr?name=b&size=1048576&tag=1", "", `{"new":false,"prev":""}`},
			{"GET /attr?name=b", "", `{"found":true,"size":1048576,"tag":"1"}`},
		}},
		{"count", []step{
			{"PUT /attr?name=a&size=9&tag=3&count=3", "", `{"new":true,"prev":""}`},
			{"GET /attr", "", `{"found":true,"attrs":[{"name":"a0","size":9,"tag":"3"},{"name":"a1","size":9,"tag":"3"},{"name":"a2","size":9,"tag":"3"}]}`},
			{"PUT /attr?name=a&size=5&tag=4&count=1", "", `{"new":false,"prev":""}`},
			{"PUT /attr?name=a&size=4&tag=5", "", `{"new":false,"prev":""}`},
			{"PUT /attr?name=a&size=5&tag=6&count=2", "", `{"new":false,"prev":"5"}`},
			{"GET /attr?name=a1", "", `{"found":true,"size":5,"tag":"6"}`},
			{"GET /attr?name=a2", "", `{"found":true,"size":9,"tag":"3"}`},
		}},
		{"reading makes no session", []step{
			{"GET /attr?name=a", "", `{"found":false,"size":0,"tag":""}`},
			{"GET /attr", "", `{"found":false,"attrs":[]}`},
			{"DELETE /attr?name=a", "", `{"found":false}`},
			{"POST /invalidate", "", `{"found":false}`},
			{"PUT /attr?name=a&size=2&tag=1", "", `{"new":true,"prev":""}`},
		}},
		{"delete", []step{
			{"PUT /attr?name=a&size=2&tag=1", "", `{"new":true,"prev":""}`},
			{"DELETE /attr?name=b", "", `{"found":false}`},
			{"DELETE /attr?name=a", "", `{"found":true}`},
			{"DELETE /attr?name=a", "", `{"found":false}`},
			{"GET /attr", "", `{"found":true,"attrs":[]}`},
			{"PUT /attr?name=a&size=2&tag=2", "", `{"new":false,"prev":""}`},
		}},
		{"incr", []step{
			{"POST /incr?name=n", "", `{"new":true,"value":1}`},
			{"POST /incr?name=n", "", `{"new":false,"value":2}`},
			{"GET /attr?name=n", "", `{"found":true,"size":1,"tag":""}`},
			{"PUT /attr?name=n&size=3&tag=9", "", `{"new":false,"prev":""}`},
			{"GET /attr?name=n", "", `{"found":true,"size":3,"tag":"9"}`},
			{"DELETE /attr?name=n", "", `{"found":true}`},
			{"POST /incr?name=n", "", `{"new":false,"value":1}`},
		}},
		{"invalidate", []step{
			{"PUT /attr?name=a&size=2&tag=1", "", `{"new":true,"prev":""}`},
			{"POST /invalidate", "", `{"found":true}`},
			{"GET /attr?name=a", "", `{"found":false,"size":0,"tag":""}`},
			{"POST /invalidate", "", `{"found":false}`},
			{"POST /incr?name=n", "", `{"new":true,"value":1}`},
		}},
		{"names are any text", []step{
			{"PUT /attr?name=%C3%A4%20%22%3C%0A&size=2&tag=1", "", `{"new":true,"prev":""}`},
			{"GET /attr", "", `{"found":true,"attrs":[{"name":"ä \"<\n","size":2,"tag":"1"}]}`},
		}},
		{"session by id", []step{
			{"GET /session?id=x", "", `{"found":false,"attrs":0}`},
			{"GET /session?id=x&name=a", "", `{"found":false,"size":0,"tag":""}`},
			{"PUT /attr?name=a&size=4&tag=1&count=2", "", `{"new":true,"prev":""}`},
			{"POST /incr?name=n", "", `{"new":false,"value":1}`},
			{"GET /session?id={id}", "", `{"found":true,"attrs":3}`},
			{"GET /session?id={id}&name=a1", "", `{"found":true,"size":4,"tag":"1"}`},
			{"GET /session?id={id}&name=a2", "", `{"found":false,"size":0,"tag":""}`},
			{"GET /session?id=x{id}", "", `{"found":false,"attrs":0}`},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t)
			for _, s := range tt.steps {
				c.want(strings.ReplaceAll(s.request, "{id}", c.id()), s.body, 200, s.want)
			}
		})
	}
}

// TestSessionNeedsNoCookie: /session shows the session of the id, not of the
// client that asks, also under another route, and not after its end.
func TestSessionNeedsNoCookie(t *testing.T) {
	c := newClient(t)
	c.want("PUT /attr?name=a&size=4&tag=1", "", 200, `{"new":true,"prev":""}`)
	id := c.id()
	if !strings.HasSuffix(id, "."+nodeName) {
		t.Errorf("id %q: want the route %s", id, nodeName)
	}
	other := &client{t: t, app: c.app}
	for _, id := range []string{id, strings.TrimSuffix(id, "1") + "2"} {
		other.want("GET /session?id="+id+"&name=a", "", 200, `{"found":true,"size":4,"tag":"1"}`)
	}
	if other.cookie != nil {
		t.Errorf("to look gave a cookie: %v", other.cookie)
	}
	c.want("POST /invalidate", "", 200, `{"found":true}`)
	other.want("GET /session?id="+id, "", 200, `{"found":false,"attrs":0}`)
}

func TestReadingGivesNoCookie(t *testing.T) {
	c := newClient(t)
	for _, request := range []string{"GET /whoami", "GET /ready", "GET /stats", "GET /session?id=x", "GET /attr",
		"GET /attr?name=a", "DELETE /attr?name=a", "POST /invalidate", "GET /", "PUT /attr?size=2", "PUT /attr?name=a&size=0",
		"PUT /attr?size=2&name=" + strings.Repeat("n", maxName+1), "POST /incr?name=" + strings.Repeat("n", maxName+1)} {
		if w := c.do(request, ""); w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: cookie %q", request, w.Header().Get("Set-Cookie"))
		}
	}
	if _, answer := c.ask("GET /stats", ""); answer["sessions"] != 0.0 {
		t.Errorf("%v sessions, want none", answer["sessions"])
	}
}

func TestProcess(t *testing.T) {
	c := newClient(t)
	status, who := c.ask("GET /whoami", "")
	if status != 200 || len(who) != 3 || who["store"] != "a test" || who["pid"] != float64(os.Getpid()) || who["peers"] != 3.0 {
		t.Errorf("whoami: status %d, %v", status, who)
	}
	c.want("GET /ready", "", 200, `{"ready":true}`)
	c.ask("POST /incr?name=n", "")
	for _, request := range []string{"GET /stats", "GET /stats?gc=0", "GET /stats?gc=1"} {
		status, s := c.ask(request, "")
		if status != 200 || len(s) != 5 || s["sessions"] != 1.0 || s["known"] != 2.0 {
			t.Errorf("%s: status %d, %v: want 1 session and 2 known", request, status, s)
		}
		for _, name := range []string{"heap", "rss", "cpu_us"} {
			if n, ok := s[name].(float64); !ok || n < 0 || name == "heap" && n == 0 {
				t.Errorf("%s: %s is %v", request, name, s[name])
			}
		}
	}
}

// TestGC: gc=1 frees what nothing holds any more before it measures.
func TestGC(t *testing.T) {
	c := newClient(t)
	heap := func(request string) float64 {
		_, s := c.ask(request, "")
		return s["heap"].(float64)
	}
	for _, name := range []string{"a", "b", "c"} {
		c.want("PUT /attr?size=1048576&name="+name, "", 200, `{"new":`+mustJSON(t, name == "a")+`,"prev":""}`)
	}
	before := heap("GET /stats?gc=1")
	c.want("POST /invalidate", "", 200, `{"found":true}`)
	if after := heap("GET /stats?gc=1"); after > before-2<<20 {
		t.Errorf("heap of %.0f bytes, %.0f before 3 MiB were let go", after, before)
	}
}
