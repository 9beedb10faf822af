package balance

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRequestsGoTo(t *testing.T) {
	two, four := []string{"n1", "n2"}, []string{"a1", "a2", "b1", "b2"}
	tests := []struct {
		name   string
		nodes  []string
		turns  bool // not sticky
		down   []string
		cookie string
		want   string
	}{
		{"no cookie", two, false, nil, "", "n1 n2 n1 n2"},
		{"route of the first", two, false, nil, "sid=x.n1", "n1 n1 n1 n1"},
		{"route of the second", two, false, nil, "sid=x.n2", "n2 n2 n2 n2"},
		{"another cookie", two, false, nil, "other=x.n2", "n1 n2 n1 n2"},
		{"among other cookies", two, false, nil, "a=b; sid=x.n2; c=d", "n2 n2 n2 n2"},
		{"second cookie of the name", two, false, nil, "sid=x; sid=x.n2", "n2 n2 n2 n2"},
		{"no route", two, false, nil, "sid=x", "n1 n2 n1 n2"},
		{"unknown route", two, false, nil, "sid=x.n3", "n1 n2 n1 n2"},
		{"empty route", two, false, nil, "sid=x.", "n1 n2 n1 n2"},
		{"not sticky", two, true, nil, "sid=x.n1", "n1 n2 n1 n2"},
		{"down", two, false, []string{"n1"}, "", "n2 n2 n2 n2"},
		{"home down", two, false, []string{"n1"}, "sid=x.n1", "n2 n2 n2 n2"},
		{"not sticky and down", two, true, []string{"n1"}, "sid=x.n1", "n2 n2 n2 n2"},
		{"three and one down", []string{"n1", "n2", "n3"}, false, []string{"n2"}, "", "n1 n3 n1 n3"},

		{"domains by turns", four, false, nil, "", "a1 b1 a2 b2"},
		{"home in a domain", four, false, nil, "sid=x.b2", "b2 b2 b2 b2"},
		{"home down, its domain not", four, false, []string{"b2"}, "sid=x.b2", "b1 b1 b1 b1"},
		{"domain down", four, false, []string{"b1", "b2"}, "sid=x.b2", "a1 a2 a1 a2"},
		{"domain down, no cookie", four, false, []string{"b1", "b2"}, "", "a1 a2 a1 a2"},
		{"not sticky, but in its domain", four, true, nil, "sid=x.b2", "b1 b2 b1 b2"},
		{"not sticky, domain down", four, true, []string{"a1", "a2"}, "sid=x.a1", "b1 b2 b1 b2"},
		{"one left", four, false, []string{"a1", "a2", "b1"}, "sid=x.a1", "b2 b2 b2 b2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t, Config{RoundRobin: tt.turns}, tt.nodes...)
			for _, name := range tt.down {
				c.SetAddr(name, "")
			}
			if got := c.goesTo(tt.cookie, 4); got != tt.want {
				t.Errorf("went to %s, want %s", got, tt.want)
			}
			if up, down := c.Up(), c.Down(); up != len(tt.nodes)-len(tt.down) || len(down) != len(tt.down) {
				t.Errorf("%d nodes up, down are %q", up, down)
			}
		})
	}
}

// TestStoreNodesGetNoRequests, whatever a cookie says, and are on the status page.
func TestStoreNodesGetNoRequests(t *testing.T) {
	c := newCluster(t, Config{}, "n1", "n2")
	c.change("n2", func(n *node) { n.Store = true })
	for _, cookie := range []string{"", "sid=x.n2"} {
		if got := c.goesTo(cookie, 3); got != "n1 n1 n1" {
			t.Errorf("%s went to %s", cookie, got)
		}
	}
	if down := c.Down(); down != nil {
		t.Errorf("down are %q", down)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest("GET", "/_cluster", nil))
	if text := w.Body.String(); !strings.Contains(text, "2 of 2 nodes are up") || strings.Count(text, "store node") != 1 {
		t.Errorf("want two nodes, one of them a store node\n%s", text)
	}
}

func TestNameOfTheCookie(t *testing.T) {
	c := newCluster(t, Config{Cookie: "JSESSIONID"}, "n1", "n2")
	if got := c.goesTo("sid=x.n1; JSESSIONID=x.n2", 3); got != "n2 n2 n2" {
		t.Errorf("went to %s, want n2", got)
	}
}

// TestEachNodeIsTriedOnce, also if a check finds it up again meanwhile.
func TestEachNodeIsTriedOnce(t *testing.T) {
	c := newCluster(t, Config{}, "n1", "n2")
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", "sid=x.n1")
	var tried []target
	for _, want := range []string{"n1", "n2", ""} {
		n, ok := c.choose(r, tried)
		if n.name != want || ok != (want != "") {
			t.Fatalf("tried %v, then %v, %v: want %q", tried, n, ok, want)
		}
		tried = append(tried, n)
	}
}
