package interceptor

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func TestStaticMembersPassesTheSuite(t *testing.T) {
	interceptortest.Run(t, interceptortest.Suite{
		New: func() channel.Interceptor { return new(StaticMembers) },
	})
}

// newStatic starts s on a harness, in which each event is compared with the view.
func newStatic(t *testing.T, s *StaticMembers) *interceptortest.Harness {
	t.Helper()
	h := interceptortest.New(t, interceptortest.Config{}, s)
	h.Top.Watch(func(ev membership.Event) {
		shown := ev.Kind == membership.Joined || ev.Kind == membership.Updated
		if (h.View().Find(ev.Member.Key()) != nil) != shown {
			t.Errorf("at the event %s %s the view has it: %t, want %t", ev.Member, ev.Kind, !shown, shown)
		}
	})
	h.Start()
	return h
}

// toldOf is what the application was told, member by number.
func toldOf(h *interceptortest.Harness) string {
	var all []string
	for _, ev := range h.Top.Events() {
		word := fmt.Sprintf("%d %s", ev.Member.ID()[1], ev.Kind)
		if ev.Member.Leaving() {
			word += " saying so"
		}
		all = append(all, word)
	}
	return strings.Join(all, ", ")
}

// The frames of a real node, both ways. Ids and times are fresh.
func TestStaticMembersVectorFromTribes(t *testing.T) {
	v := loadVector(t, "static-membership-start-stop")
	if len(v.frames) != 2 {
		t.Fatalf("the vector has %d frames, want 2", len(v.frames))
	}
	bubble.Test(t, func(t *testing.T) {
		_, local := parse(t, v.frames[0].bytes)
		s := &StaticMembers{Members: one(peer)}
		h := interceptortest.New(t, interceptortest.Config{Local: local}, s)
		h.Start()
		synctest.Wait()
		h.Stop(t.Context())
		sent := h.Bottom.Sent()
		if len(sent) != 2 {
			t.Fatalf("%d messages were sent, want the two notices", len(sent))
		}
		for i, frame := range v.frames {
			f, _ := parse(t, frame.bytes)
			m := sent[i].Message
			m.ID, m.Sent = message.ID(f.ID), f.Sent
			if d := cmp.Diff(frame.bytes, message.AppendFrame(nil, m, 0)); d != "" {
				t.Errorf("frame %d differs (-want +got):\n%s", i, d)
			}
		}
	})
	bubble.Test(t, func(t *testing.T) {
		_, sender := parse(t, v.frames[0].bytes)
		h := newStatic(t, &StaticMembers{Members: one(sender), CheckPeriod: -1})
		synctest.Wait()
		for _, i := range []int{1, 0, 0, 1, 1} {
			if err := arrive(t, h, v.frames[i].bytes); err != nil {
				t.Errorf("Receive of frame %d = %v, want nil", i, err)
			}
			h.Flush()
		}
		n := sender.ID()[1]
		want := fmt.Sprintf("%d joined, %d left saying so, %d joined, %d left saying so", n, n, n, n)
		if got := toldOf(h); got != want || len(h.Top.Received()) != 0 {
			t.Errorf("the application was told %q and got %d messages, want %q and none", got, len(h.Top.Received()), want)
		}
	})
}

// One list serves all nodes: it may have the local member.
func TestStaticMembersAnnouncesItsList(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		local := interceptortest.Member(1)
		s := &StaticMembers{Members: append(interceptortest.Members(1, 4), interceptortest.MemberAt(local.AddrPort(), 9))}
		h := newStatic(t, s)
		h.Join(interceptortest.Member(7), interceptortest.Member(3))
		synctest.Wait()
		var seen []string
		for _, m := range h.View().Members {
			seen = append(seen, fmt.Sprint(m.ID()[1]))
		}
		if got := strings.Join(seen, " "); got != "2 3 4 7" {
			t.Errorf("the view has the members %s, want 2 3 4 7, in absolute order", got)
		}
		if st := s.Stats(); st.Listed != 3 || st.Announced != 3 {
			t.Errorf("Stats() = %+v, want three members on the list, all announced", st)
		}
		if a, b := s.visible(), h.View(); a.Seq == 0 || b.Seq < a.Seq {
			t.Errorf("views have the numbers %d and %d, want them to rise", a.Seq, b.Seq)
		}
		for n := 2; n <= 4; n++ {
			if got := h.Bottom.SentTo(interceptortest.Member(n)); len(got) != 1 || string(got[0].Payload()) != startNotice {
				t.Errorf("member %d was sent %v, want the start notice", n, got)
			}
		}
		h.Stop(t.Context())
		for _, n := range []int{2, 3, 4, 7} {
			got := h.Bottom.SentTo(interceptortest.Member(n))
			if len(got) == 0 || string(got[len(got)-1].Payload()) != stopNotice {
				t.Errorf("member %d was sent %v, want the stop notice at last", n, got)
			}
		}
	})
}

func withPayload(t *testing.T, m *membership.Member, payload string) *membership.Member {
	t.Helper()
	changed, err := m.With(func(a *membership.Attributes) { a.Payload = payload })
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func TestStaticMembersEvents(t *testing.T) {
	listed := interceptortest.Member(2)
	changed := withPayload(t, listed, "more")
	notice := func(text string) func(t *testing.T, h *interceptortest.Harness) {
		return func(t *testing.T, h *interceptortest.Harness) {
			if err := h.Arrive(listed, []byte(text), 0); err != nil {
				t.Errorf("Receive = %v, want nil", err)
			}
		}
	}
	below := func(kind membership.Kind, m *membership.Member) func(*testing.T, *interceptortest.Harness) {
		return func(_ *testing.T, h *interceptortest.Harness) {
			switch kind {
			case membership.Joined:
				h.Join(m)
			case membership.Updated:
				h.Event(membership.Event{Kind: kind, Member: m, At: time.Now()})
			default:
				h.Part(kind, m)
			}
		}
	}
	stops, starts := notice(stopNotice), notice(startNotice)
	type steps []func(*testing.T, *interceptortest.Harness)
	tests := []struct {
		name  string
		steps steps
		want  string
	}{
		{"alone", nil, "2 joined"},
		{"found below too", steps{below(membership.Joined, listed)}, "2 joined"},
		{"found below with more", steps{below(membership.Joined, changed)}, "2 joined, 2 updated"},
		{"changes", steps{below(membership.Joined, listed), below(membership.Updated, changed)}, "2 joined, 2 updated"},
		{"fails below and comes back", steps{below(membership.Joined, listed), below(membership.Failed, listed), below(membership.Joined, listed)},
			"2 joined, 2 failed, 2 joined"},
		{"says goodbye twice", steps{below(membership.Joined, listed), stops, below(membership.Left, listed)}, "2 joined, 2 left saying so"},
		{"goodbye and back", steps{stops, starts}, "2 joined, 2 left saying so, 2 joined"},
		{"starts again without goodbye", steps{starts, starts}, "2 joined"},
		{"update after goodbye", steps{stops, below(membership.Updated, changed)}, "2 joined, 2 left saying so"},
		{"another member", steps{below(membership.Joined, interceptortest.Member(7)), below(membership.Left, interceptortest.Member(7))},
			"2 joined, 7 joined, 7 left"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				h := newStatic(t, &StaticMembers{Members: one(listed), CheckPeriod: -1})
				synctest.Wait()
				for _, step := range tt.steps {
					step(t, h)
					synctest.Wait()
				}
				if got := toldOf(h); got != tt.want {
					t.Errorf("the application was told %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// A member that has said goodbye is tried until it answers; who has not is left to
// the layers above.
func TestStaticMembersTriesWhoHasLeft(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := newTCP()
		s := &StaticMembers{Members: interceptortest.Members(2, 3)}
		h := interceptortest.New(t, interceptortest.Config{Probe: net.probe}, s)
		h.Start()
		synctest.Wait()
		net.set(dark, peer)
		if err := h.Arrive(peer, []byte(stopNotice), 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := s.Stats().Announced; got != 1 {
			t.Fatalf("%d members are announced, want the one that has not left", got)
		}
		net.set(up, peer)
		time.Sleep(defaultStaticCheck + 2*staticConnect)
		if got := s.Stats().Announced; got != 2 || !strings.HasSuffix(toldOf(h), "2 left saying so, 2 joined") {
			t.Errorf("%d members are announced, and the story is %q, want it back", got, toldOf(h))
		}
	})
}

// Nobody joins or leaves by the word of somebody else, and what only looks like a
// notice is a message.
func TestStaticMembersNoticesOfOthers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s := &StaticMembers{Members: one(peer), OptionFlag: 0x1000}
		h := newStatic(t, s)
		synctest.Wait()
		come := []struct {
			from    *membership.Member
			text    string
			options message.Options
		}{
			{interceptortest.Member(3), stopNotice, 0x1000},
			{interceptortest.Member(3), startNotice, 0x1000},
			{interceptortest.MemberAt(peer.AddrPort(), 9), stopNotice, 0x1000},
			{peer, stopNotice, 0},
			{peer, stopNotice + " ", 0x1000},
			{peer, stopNotice[1:], 0x1000},
		}
		for _, c := range come {
			if err := h.Arrive(c.from, []byte(c.text), c.options); err != nil {
				t.Errorf("Receive of %q = %v, want nil", c.text, err)
			}
		}
		synctest.Wait()
		if got := toldOf(h); got != "2 joined" {
			t.Errorf("the application was told %q, want of its list alone", got)
		}
		if st := s.Stats(); st.Unknown != 3 || st.Notices != 0 || len(h.Top.Received()) != 3 {
			t.Errorf("Stats() = %+v and %d messages, want three notices of unknown members and three messages", st, len(h.Top.Received()))
		}
	})
}

// A member that sends notice after notice, while a listener takes its time, makes us keep
// its last word and the one before.
func TestStaticMembersFloodOfNotices(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s := &StaticMembers{Members: one(peer), CheckPeriod: -1}
		h := newStatic(t, s)
		synctest.Wait()
		done := make(chan struct{})
		s.host.Serial(func() { <-done })
		for range 1000 {
			for _, notice := range []string{stopNotice, startNotice} {
				if err := h.Arrive(peer, []byte(notice), 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		close(done)
		synctest.Wait()
		if got, st := toldOf(h), s.Stats(); got != "2 joined, 2 left saying so, 2 joined" || st.Notices != 2000 {
			t.Errorf("the application was told %.200q, %+v; want one goodbye and one return of 2000 notices", got, st)
		}
	})
}

// With a detector above, a member of the list is announced when it answers.
func TestStaticMembersBelowADetector(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := newTCP()
		net.set(refused, peer)
		h := interceptortest.New(t, interceptortest.Config{Probe: net.probe}, new(TCPFailureDetector), &StaticMembers{Members: interceptortest.Members(2, 3)})
		h.Start()
		time.Sleep(10 * time.Second)
		if got := toldOf(h); got != "3 joined" {
			t.Errorf("the application was told %q, want of the member that answers", got)
		}
		net.set(up, peer)
		time.Sleep(2 * time.Second)
		if got := toldOf(h); got != "3 joined, 2 joined" || h.View().Len() != 2 {
			t.Errorf("the application was told %q, want of both", got)
		}
	})
}

func TestStaticMembersSettings(t *testing.T) {
	nowhere, err := membership.New(membership.Attributes{Host: peer.Host(), Port: 0, SecurePort: membership.NoPort, UDPPort: membership.NoPort})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		layer *StaticMembers
		want  []string
	}{
		{"zero", new(StaticMembers), nil},
		{"everything wrong", &StaticMembers{Members: []*membership.Member{peer, nil, nowhere, peer}, CheckPeriod: time.Millisecond, OptionFlag: message.Multicast},
			[]string{"Members[1]: nil", "Members[2]", "an address that can be dialled", "Members[3]", "twice", "CheckPeriod 1ms", "OptionFlag"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.layer.period()
			checkNames(t, err, tt.want)
		})
	}
}
