package store

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/metrics/metricstest"
)

// A store node says where its numbers are, serves until it is told to end, and ends in order.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	var running sync.WaitGroup
	var log strings.Builder
	running.Go(func() {
		args := "-name s1 -bind 127.0.0.1 -port 0 -mcast-port 24999 -mcast-addr 239.255.17.95 -copies full -http 127.0.0.1:0"
		if status := Run(ctx, strings.Fields(args), in, &log); status != exitOK {
			t.Errorf("status %d: %s", status, &log)
		}
		in.Close()
	})
	lines := bufio.NewScanner(out)
	var url string
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), " status "); ok {
			url = rest
		}
		if lines.Text() == "s1 holds sessions" {
			break
		}
	}
	for path, want := range map[string]string{"stats": `"Sessions":0`, "ready": `"ready":true`, "": "which serves clients"} {
		if code, body := get(t, url+path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("/%s: %d, %s: want %s", path, code, body, want)
		}
	}
	if code, _ := get(t, url+"nothing"); code != http.StatusNotFound {
		t.Errorf("/nothing: %d", code)
	}
	_, text := get(t, url+"metrics")
	metricstest.Check(t, text, "tribes_ready 1\n", "tribes_storenode_held 0\n", "tribes_members 0\n")
	cancel()
	for lines.Scan() {
		t.Errorf("at the end: %s", lines.Text())
	}
	running.Wait()
}

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// What cannot start says so on one line.
func TestRunFails(t *testing.T) {
	var out, log strings.Builder
	if status := Run(t.Context(), strings.Fields("-http nowhere -port 0"), &out, &log); status == exitOK {
		t.Errorf("status %d, %s", status, &log)
	}
}
