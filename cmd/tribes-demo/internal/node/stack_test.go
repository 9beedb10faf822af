package node

import (
	"strings"
	"testing"
)

// Two nodes with all layers that a stack may have talk to each other, agree on a view, and
// show the key nowhere.
func TestAllLayers(t *testing.T) {
	const key = "000102030405060708090a0b0c0d0e0f"
	t.Setenv("RN_KEY", key)
	group := freeGroup(t)
	layers := []string{"-stack", "dispatch,order,gzip,zstd,2pc,frag,coord,encrypt,domain,ping,tfd", "-domain", "d"}
	a, b := joined(t, group, layers...), joined(t, group, layers...)
	va, vb := a.meets(b), b.meets(a)
	if va["id"] != vb["id"] || va["coordinator"] != vb["coordinator"] || va["term"].(float64) < 1 {
		t.Errorf("views %v and %v, want one", va, vb)
	}
	for i, size := range []int{100, 300_000} {
		a.say("send s %d %d sync *", i, size)
		a.expect("ack", with("seq", i))
		if m := b.expect("message", with("seq", i)); m["len"] != float64(size) {
			t.Errorf("message %v, want %d bytes", m, size)
		}
	}
	if strings.Contains(a.log.String(), key) {
		t.Error("the key is in the log")
	}
}

// meets waits until d sees other and has agreed with it on a view, in whichever order, and
// returns that.
func (d *driven) meets(other *driven) (view map[string]any) {
	d.t.Helper()
	seen := false
	for !seen || view == nil {
		d.await("member and view", func(m map[string]any) bool {
			switch {
			case m["ev"] == "memberAdded" && m["member"] == other.member:
				seen = true
			case m["ev"] == "view" && len(m["members"].([]any)) == 2:
				view = m
			default:
				return false
			}
			return true
		})
	}
	return view
}

// A node without the key is refused.
func TestNodeWithoutTheKey(t *testing.T) {
	group := freeGroup(t)
	t.Setenv("RN_KEY", "000102030405060708090a0b0c0d0e0f")
	a := joined(t, group, "-stack", "dispatch,encrypt,tfd")
	b := joined(t, group, "-stack", "dispatch,tfd")
	b.expect("memberAdded", with("member", a.member))
	b.say("send s 1 100 sync *")
	b.expect("sendError", with("seq", 1))
}

// Who gives a key and no layer that encrypts with it is told.
func TestKeyThatIsNotUsed(t *testing.T) {
	const key = "000102030405060708090a0b0c0d0e0f"
	for stack, want := range map[string]bool{"dispatch,tfd": true, "dispatch,encrypt,tfd": false} {
		d := joined(t, freeGroup(t), "-key", key, "-stack", stack)
		d.say("stop")
		<-d.status
		if got := strings.Contains(d.log.String(), "messages go in the clear"); got != want || strings.Contains(d.log.String(), key) {
			t.Errorf("stack %s: the log is %q, want a warning: %v", stack, d.log, want)
		}
	}
}

// With the word views a message tells the agreed view in which it came, also when the
// coordinator has a place of its own.
func TestViewsOfMessages(t *testing.T) {
	for _, stack := range []string{"dispatch,views,tfd", "dispatch,views,coord,tfd", "dispatch,coord,tfd"} {
		group := freeGroup(t)
		a, b := joined(t, group, "-stack", stack), joined(t, group, "-stack", stack)
		a.meets(b)
		want := b.meets(a)["id"]
		if !strings.Contains(stack, "views") {
			want = nil
		}
		a.say("send s 1 100 sync *")
		if got := b.expect("message", with("seq", 1))["view"]; got != want {
			t.Errorf("%s: a message of the view %v, want %v", stack, got, want)
		}
	}
}
