package interceptor

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/golden"
	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// The members of coordinator.json.
var (
	tokenX = tokenOf("10.11.0.2:4001", "089aa690723a4445ae8d9e64172aeea0", "", "")
	tokenY = tokenOf("10.11.0.3:4002", "1e66c7841b8047bab8629788938f5b38", "staging", "pay")
	tokenZ = tokenOf("[fd00::7]:4003", "2f66c7841b8047bab8629788938f5b39", "", "")
)

func tokenOf(addr, id, domain, payload string) *membership.Member {
	ap := netip.MustParseAddrPort(addr)
	a := membership.Attributes{Host: ap.Addr(), Port: int(ap.Port()), SecurePort: membership.NoPort,
		UDPPort: membership.NoPort, Domain: domain, Payload: payload}
	var err error
	if a.ID, err = membership.ParseID(id); err != nil {
		panic(err)
	}
	m, err := membership.New(a)
	if err != nil {
		panic(err)
	}
	return m
}

// javaTokens are the vectors of coordinator.json.
func javaTokens(tb testing.TB) map[string][]byte {
	tb.Helper()
	all := make(map[string][]byte)
	for _, v := range golden.Read[struct {
		Name string
		Hex  golden.Hex
	}](tb, "coordinator.json") {
		all[v.Name] = v.Hex
	}
	return all
}

// What Java writes is read as it was meant, and written as Java did.
func TestCoordinatorTokensOfTribes(t *testing.T) {
	all := javaTokens(t)
	for _, tt := range []struct {
		name           string
		leader, source *membership.Member
		members        []*membership.Member
		confirm        bool
	}{
		{"confirm", tokenX, tokenX, []*membership.Member{tokenX, tokenY, tokenZ}, true},
		{"request-of-another", tokenX, tokenZ, []*membership.Member{tokenX, tokenY, tokenZ}, false},
		{"alone", tokenY, tokenY, []*membership.Member{tokenY}, false},
	} {
		got, err := decodeToken(all[tt.name], 10)
		if err != nil {
			t.Errorf("%s: decodeToken = %v, want nil", tt.name, err)
			continue
		}
		if !sameMember(got.leader, tt.leader) || !sameMember(got.source, tt.source) || !sameMembers(got.members, tt.members) || got.confirm != tt.confirm {
			t.Errorf("%s: decodeToken = %+v", tt.name, got)
		}
		if want := "00112233445547778899aabbccddeeff"; got.id.String() != want || got.id.Term() != 0 {
			t.Errorf("%s: id %s with term %d, want %s without", tt.name, got.id, got.id.Term(), want)
		}
		for i, m := range tt.members {
			if got := got.members[i]; got.Domain() != m.Domain() || got.Payload() != m.Payload() {
				t.Errorf("%s: member %d is %+v, want %+v", tt.name, i, got.Attributes(), m.Attributes())
			}
		}
		if b := got.append(nil); !bytes.Equal(b, all[tt.name]) || got.size() != len(b) {
			t.Errorf("%s: written again, with size %d: %x, want %x", tt.name, got.size(), b, all[tt.name])
		}
	}
	if got := string(all["alive"]); got != aliveBytes {
		t.Errorf("the alive message is %x, want %x", aliveBytes, got)
	}
}

// The frame that a Java node sends when it sees its first other member is, but for
// ids and time, the one that we send as the same member.
func TestCoordinatorRequestFrameIsThatOfTribes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		want, sender := parse(t, wholeFrames(t)["coordinator-request"][0])
		java, err := decodeToken(want.Message, 2)
		if err != nil {
			t.Fatal(err)
		}
		if java.leader.Key() != sender.Key() || java.source.Key() != sender.Key() || java.confirm || len(java.members) != 2 {
			t.Fatalf("the vector is %+v from %s, want a request of its sender for two", java, sender)
		}
		h := interceptortest.New(t, interceptortest.Config{Local: java.members[0]}, new(NonBlockingCoordinator))
		h.Start()
		h.Join(java.members[1])
		synctest.Wait()
		sent := h.Bottom.SentTo(java.members[1])
		if len(sent) != 1 {
			t.Fatalf("%d messages were sent, want 1", len(sent))
		}
		m := sent[0]
		got, err := decodeToken(m.Payload(), 2)
		if err != nil {
			t.Fatal(err)
		}
		got.id = java.id
		if b := got.append(nil); !bytes.Equal(b, want.Message) || m.Options != want.Options || m.Options != message.UseAck {
			t.Errorf("options %s, message\n%x, want %s\n%x", m.Options, b, want.Options, want.Message)
		}
	})
}

func TestCoordinatorTokenLimits(t *testing.T) {
	good := coordToken{leader: tokenX, source: tokenY, members: []*membership.Member{tokenX, tokenY, tokenZ}, id: membership.NewViewID(5)}
	whole := good.append(nil)
	edit := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(whole)) }
	countAt := len(tokenHeader) + 2*4 + tokenX.ImageSize() + tokenY.ImageSize()
	for _, tt := range []struct {
		name string
		b    []byte
		most int
		want error
	}{
		{"three of three", whole, 3, nil},
		{"three of two", whole, 2, &membership.FormatError{Reason: wire.TooLarge, Offset: countAt}},
		{"no members", edit(func(b []byte) []byte { return slices.Replace(b, countAt, countAt+4, 0, 0, 0, 0) }), 3,
			&membership.FormatError{Reason: wire.BadLength, Offset: countAt}},
		{"a billion members", edit(func(b []byte) []byte { b[countAt] = 0x40; return b }), 1 << 31,
			&membership.FormatError{Reason: wire.LengthPastEnd, Offset: countAt}},
		{"a byte behind", append(bytes.Clone(whole), 0), 3, &membership.FormatError{Reason: wire.TrailingBytes, Offset: len(whole)}},
		{"unknown type", edit(func(b []byte) []byte { b[len(b)-1]++; return b }), 3, errTokenType},
		{"twice the same", (&coordToken{leader: tokenX, source: tokenX, members: []*membership.Member{tokenX, tokenX}}).append(nil), 3, errTokenTwice},
		{"too many bytes", append(bytes.Clone(whole), make([]byte, maxToken)...), 3, &membership.FormatError{Reason: wire.TooLarge, Offset: 0}},
	} {
		_, err := decodeToken(tt.b, tt.most)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: decodeToken = %v, want %v", tt.name, err, tt.want)
		}
	}
	mixed := coordToken{leader: tokenX, source: tokenY, members: []*membership.Member{tokenZ, tokenX, tokenY}}
	if got, err := decodeToken(mixed.append(nil), 3); err != nil || !sameMembers(got.members, good.members) {
		t.Errorf("members in another order: %v, %v, want them sorted", got.members, err)
	}
}

// A token that is cut anywhere, or has any bit turned round, is refused with a
// reason, or is one that can be written in one way alone; a layer that gets one of
// them for each byte delivers nothing.
func TestDamagedCoordinatorTokens(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := interceptortest.New(t, interceptortest.Config{Local: tokenX}, new(NonBlockingCoordinator))
		h.Start()
		for name, whole := range javaTokens(t) {
			if name == "alive" {
				continue
			}
			for n := len(tokenHeader); n < len(whole); n++ {
				if _, err := decodeToken(whole[:n], 10); err == nil {
					t.Fatalf("%s, the first %d bytes: decodeToken = nil, want an error", name, n)
				}
				for bit := range 8 {
					b := bytes.Clone(whole)
					b[n] ^= 1 << bit
					if got, err := decodeToken(b, 10); err == nil {
						rewritten(t, got, b)
					}
					if bit != n%8 {
						continue
					}
					if err := h.Arrive(tokenY, b, message.UseAck); err != nil {
						t.Fatalf("Receive = %v, want nil: nobody can do anything about it", err)
					}
				}
			}
		}
		synctest.Wait()
		if got := h.Top.Received(); len(got) != 0 {
			t.Errorf("%d messages were delivered, want none", len(got))
		}
	})
}

// rewritten checks that a token that was accepted is written as it was read, but
// for the order of its members.
func rewritten(t *testing.T, got coordToken, b []byte) {
	t.Helper()
	again := got.append(nil)
	if len(again) != len(b) || got.size() != len(b) {
		t.Fatalf("%d bytes were read as %d, size %d", len(b), len(again), got.size())
	}
	same, err := decodeToken(again, 1<<20)
	if err != nil || !bytes.Equal(same.append(nil), again) || same.confirm != got.confirm || same.id != got.id {
		t.Fatalf("%x is not read as it was written: %v", again, err)
	}
}

// User bytes that look like a token are none: tokens are no byte messages.
func TestUserBytesAreNoCoordinatorToken(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := interceptortest.New(t, interceptortest.Config{Local: tokenX}, new(NonBlockingCoordinator))
		h.Start()
		for name, b := range javaTokens(t) {
			if err := h.Arrive(tokenY, b, message.ByteMessage); err != nil {
				t.Errorf("%s: Receive = %v, want nil", name, err)
			}
		}
		if err := h.Arrive(tokenY, []byte(aliveBytes+"x"), message.UseAck); err != nil {
			t.Errorf("a message that begins like alive: Receive = %v, want nil", err)
		}
		synctest.Wait()
		if got := h.Top.Received(); len(got) != 5 {
			t.Errorf("%d messages were delivered, want 5", len(got))
		}
	})
}

func FuzzCoordinatorToken(f *testing.F) {
	for _, b := range javaTokens(f) {
		f.Add(b)
	}
	f.Add([]byte(tokenHeader + "\x00\x00\x00\x00"))
	f.Add([]byte(strings.Repeat(tokenHeader, 20)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeToken(b, 16)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "tribes: ") {
				t.Errorf("decodeToken(%s) = %v, want an error of the module", hex.EncodeToString(b), err)
			}
			return
		}
		rewritten(t, got, b)
		if len(got.members) == 0 || len(got.members) > 16 || !slices.IsSortedFunc(got.members, membership.CompareAbsolute) {
			t.Errorf("members %v", got.members)
		}
	})
}
