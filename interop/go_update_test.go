//go:build interop

package interop

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/membership"
)

// TestUpdates changes payload and domain of running members. We are told of all changes of Java. Java takes a new
// payload of ours and, as always, keeps the domain that it saw first. Nobody takes a change for a departure.
func TestUpdates(t *testing.T) {
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			address := freeGroup(t)
			n := startNode(ctx, t, goConfig{
				Group:   address,
				Layers:  []channel.Interceptor{new(interceptor.Dispatch), new(interceptor.TCPFailureDetector)}, // no domain filter
				Options: []group.Option{group.WithDomain("go 1"), group.WithPayload([]byte{1})},
			})
			p := startPeer(ctx, t, v, peerConfig{Group: address, Flags: []string{"--domain", "java1", "--payload", "0a0b"}})
			meet(ctx, t, n, p)
			if m := n.seen(p); m.Domain() != "java1" || m.Payload() != "\x0a\x0b" {
				t.Errorf("%s has the domain %q and the payload %x, want java1 and 0a0b", p, m.Domain(), m.Payload())
			}
			awaitSeen(ctx, p, n, "go 1", "01")

			update := func(domain, payload string) {
				err := n.group.UpdateLocal(func(a *membership.Attributes) { a.Domain, a.Payload = domain, payload })
				if err != nil {
					t.Fatal(err)
				}
			}
			update("go 2", "\x02\x03")
			awaitSeen(ctx, p, n, "go 1", "0203")
			update("", "")
			awaitSeen(ctx, p, n, "go 1", "")

			p.call(ctx, "payload 0c", "ok")
			n.waitEvent(ctx, eventUpdated, func(e event) bool { return about(p)(e) && e.Payload == "0c" && e.Domain == hexOf("java1") })
			p.call(ctx, "domain "+hexOf("java2"), "ok")
			n.waitEvent(ctx, eventUpdated, func(e event) bool { return about(p)(e) && e.Payload == "0c" && e.Domain == hexOf("java2") })
			p.call(ctx, "payload -", "ok")
			n.waitEvent(ctx, eventUpdated, func(e event) bool { return about(p)(e) && e.Payload == "" && e.Domain == hexOf("java2") })
			if m := n.seen(p); m.Domain() != "java2" || m.Payload() != "" {
				t.Errorf("%s has the domain %q and the payload %x, want java2 and none", p, m.Domain(), m.Payload())
			}

			trade(ctx, t, n, p, bulkSend{Options: optSync, Series: series{profile: 1000}, Count: 200}, inOrder)
			if gone := append(n.inbox.takeAll(isDeparture), p.events("memberDisappeared", nil)...); len(gone) != 0 {
				t.Errorf("departures: %v", gone)
			}
		})
	}
}

// awaitSeen asks p until it sees n with that domain and payload, the payload in hex. Java tells nobody of a change.
func awaitSeen(ctx context.Context, p *peer, n *node, domain, payload string) {
	p.t.Helper()
	want := fmt.Sprintf(" domain=%s payload=%s", hex.EncodeToString([]byte(domain)), payload)
	for {
		var seen string
		for _, m := range p.call(ctx, "members", "members").Members {
			if strings.HasPrefix(m, n.addr+" "+n.id+" ") {
				seen = m
			}
		}
		if strings.HasSuffix(seen, want) {
			return
		}
		if ctx.Err() != nil {
			p.t.Fatalf("%s sees %q, want it to end with %q", p, seen, want)
		}
	}
}
