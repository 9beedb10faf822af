package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/metrics/metricstest"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/transport/nio"
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

// Remote calls of others are counted: this node serves none, and says so.
func TestRemoteCallsAreCounted(t *testing.T) {
	port := freeGroup(t)
	a := joined(t, port, "-http", "127.0.0.1:0")
	addr := "http://" + a.httpAddr
	if page := get(t, addr+"/"); strings.Contains(page, "Remote calls") {
		t.Error("the page tells of remote calls before there were any")
	}
	caller, err := group.New(group.WithBind("127.0.0.1"), group.WithReceiver(nio.ReceiverConfig{Port: nio.AnyPort}),
		group.WithMulticast(mcast.Config{Port: port, Frequency: 100 * time.Millisecond, DropTime: time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	if err := caller.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer caller.Stop(context.Background())
	rpc, err := caller.RPC("shop")
	if err != nil {
		t.Fatal(err)
	}
	if err := caller.WaitMembers(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := rpc.CallAll(t.Context(), []byte("x"), group.AllReplies); !errors.Is(err, group.ErrNoHandler) {
		t.Errorf("Call = %v, want %v", err, group.ErrNoHandler)
	}
	metricstest.Check(t, get(t, addr+"/metrics"), `tribes_rpc_refused_total{reason="no handler"} 1`, "tribes_rpc_served_total 0")
	if page := get(t, addr+"/"); !strings.Contains(page, "Remote calls") {
		t.Error("the page has no remote calls")
	}
}

// TestStatusPageShowsBytesOfOthersAsText: name, domain and stream names are what
// anybody on the network chose.
func TestStatusPageShowsBytesOfOthersAsText(t *testing.T) {
	const hostile = `"><script>alert(1)</script>` + "\x01\xff"
	a, _ := two(t, "-http", "127.0.0.1:0", "-domain", hostile, "-name", hostile)
	a.say("send <img/src=x> 1 10 sync 127.0.0.1:1")
	a.expect("sendError", nil)
	page := get(t, "http://"+a.httpAddr+"/")
	for _, bad := range []string{"<script", "<img", "\x01", "\xff"} {
		if strings.Contains(page, bad) {
			t.Errorf("page has %q as it came", bad)
		}
	}
	if strings.Count(page, "&lt;script&gt;") < 3 || !strings.Contains(page, "&lt;img/src=x&gt;") {
		t.Errorf("page does not show the name, the domains and the stream:\n%s", page)
	}
}

func TestStatusPageTellsWhatHappened(t *testing.T) {
	a, b := two(t, "-http", "127.0.0.1:0")
	addr := "http://" + a.httpAddr + "/"
	b.say("set recvThrow 1")
	b.expect("ok", nil)
	for seq := range 2 {
		a.say("send s %d 10 sync *", seq)
		a.expect("sendError", with("seq", seq))
	}
	if page := get(t, addr); !strings.Contains(page, "asked to fail") || !strings.Contains(page, "&times;2") || !strings.Contains(page, "numbered") {
		t.Errorf("page does not show the failed sends as one event, or no link:\n%s", page)
	}
	b.say("leave")
	a.expect("memberDisappeared", nil)
	if page := get(t, addr); !strings.Contains(page, b.member+"/") || !strings.Contains(page, "said goodbye") {
		t.Errorf("page does not show the goodbye:\n%s", page)
	}
}

// TestMetricsAreInTextFormat parses the page as Prometheus would: each family
// has HELP and TYPE once, before its samples, and no sample is there twice.
func TestMetricsAreInTextFormat(t *testing.T) {
	a, _ := two(t, "-http", "127.0.0.1:0")
	a.say("send s 1 10 sync *")
	a.expect("ack", nil)
	metricstest.Check(t, get(t, "http://"+a.httpAddr+"/metrics"), "tribes_link_sent_total{", "tribes_receiver_open 1", "tribes_up 1")
	a.say("leave")
	a.expect("left", nil)
	metricstest.Check(t, get(t, "http://"+a.httpAddr+"/metrics"), "tribes_up 0", "tribes_members 0")
}

func TestHistoryKeepsTheLatest(t *testing.T) {
	var h history
	for i := range 3 * historyLength {
		h.failed(request{stream: fmt.Sprint(i)}, errLeft)
	}
	if lines := h.recent(); len(lines) != historyLength || !strings.Contains(lines[0].Text, fmt.Sprint(3*historyLength-1)) {
		t.Errorf("%d lines, the newest %q; want %d and the last one", len(lines), lines[0].Text, historyLength)
	}
}

func TestRates(t *testing.T) {
	var h history
	begin := time.Unix(1000, 0)
	h.rates(sample{at: begin})
	h.rates(sample{at: begin.Add(2 * time.Second), received: 20, acked: 200})
	r := h.rates(sample{at: begin.Add(2500 * time.Millisecond), received: 25, acked: 250})
	if r.Over != 2500*time.Millisecond || r.Received != 10 || r.Acked != 100 || r.Failed != 0 {
		t.Errorf("rates %+v, want 10 and 100 per second over 2.5 s", r)
	}
}
