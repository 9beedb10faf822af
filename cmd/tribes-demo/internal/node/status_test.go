package node

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func get(t *testing.T, url string) string {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: tr}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", url, resp.Status, err)
	}
	return string(b)
}

func TestStatusPageAndMetrics(t *testing.T) {
	a, b := two(t, "-http", "127.0.0.1:0", "-name", "<x>")
	a.say("send s 1 10 sync *")
	a.expect("ack", nil)
	a.say("stats")
	addr := "http://" + a.httpAddr
	if page := get(t, addr+"/"); !strings.Contains(page, b.member) || !strings.Contains(page, "&lt;x&gt;") {
		t.Errorf("page %q, want the other member and the escaped name", page)
	}
	metrics := get(t, addr+"/metrics")
	for _, want := range []string{"tribes_members 1\n", "tribes_sent_total 1\n", "tribes_sent_bytes_total 10\n"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics have no %q:\n%s", want, metrics)
		}
	}
	a.say("leave")
	a.expect("left", nil)
	if page := get(t, addr+"/"); !strings.Contains(page, "not in the group") {
		t.Errorf("page after leave %q", page)
	}
}
