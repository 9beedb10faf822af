package store

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
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
	for path, want := range map[string]string{"/stats": `"Sessions":0`, "/ready": `"ready":true`} {
		res, err := http.Get(strings.TrimSuffix(url, "/stats") + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d, %s, %v: want %s", path, res.StatusCode, body, err, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	for lines.Scan() {
		t.Errorf("at the end: %s", lines.Text())
	}
	running.Wait()
}

// What cannot start says so on one line.
func TestRunFails(t *testing.T) {
	var out, log strings.Builder
	if status := Run(t.Context(), strings.Fields("-http nowhere -port 0"), &out, &log); status == exitOK {
		t.Errorf("status %d, %s", status, &log)
	}
}
