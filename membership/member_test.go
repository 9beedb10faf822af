package membership

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newMember makes member n: 10.0.0.n with port 4000, edited.
func newMember(t testing.TB, n byte, edit func(a *Attributes)) *Member {
	t.Helper()
	a := Attributes{
		Host: netip.AddrFrom4([4]byte{10, 0, 0, n}), Port: 4000, SecurePort: NoPort, UDPPort: NoPort, ID: ID{n, 1: 0xab},
	}
	if edit != nil {
		edit(&a)
	}
	m, err := New(a)
	if err != nil {
		t.Fatalf("New(%+v) = %v, want nil", a, err)
	}
	return m
}

func TestNewBounds(t *testing.T) {
	text := func(n int) string { return strings.Repeat("x", n) }
	tests := []struct {
		name string
		edit func(a *Attributes)
		want []string // parts of the error; none: no error
	}{
		{name: "plain", edit: func(*Attributes) {}},
		{name: "IPv6", edit: func(a *Attributes) { a.Host = netip.MustParseAddr("2001:db8::1") }},
		{name: "mapped IPv4", edit: func(a *Attributes) { a.Host = netip.MustParseAddr("::ffff:10.0.0.1") }},
		{name: "unspecified host", edit: func(a *Attributes) { a.Host = netip.IPv4Unspecified() }},
		{name: "least ports", edit: func(a *Attributes) { a.Port, a.SecurePort, a.UDPPort = 0, -1, -1 }},
		{name: "largest ports", edit: func(a *Attributes) { a.Port, a.SecurePort, a.UDPPort = 65535, 65535, 65535 }},
		{name: "largest payload", edit: func(a *Attributes) { a.Payload = text(MaxPart) }},
		{name: "largest domain", edit: func(a *Attributes) { a.Domain = text(MaxPart) }},
		{name: "largest command", edit: func(a *Attributes) { a.Command = text(MaxPart) }},
		{name: "control characters", edit: func(a *Attributes) { a.Payload, a.Domain = "\x00\n\x1b", "\xff\xfe" }},
		{name: "extreme alive times", edit: func(a *Attributes) { a.Alive = math.MinInt64 }},

		{name: "no host", edit: func(a *Attributes) { a.Host = netip.Addr{} }, want: []string{"host: none"}},
		{name: "zone", edit: func(a *Attributes) { a.Host = netip.MustParseAddr("fe80::1%eth0") }, want: []string{"host fe80::1%eth0", "without zone"}},
		{name: "port -1", edit: func(a *Attributes) { a.Port = -1 }, want: []string{"port -1: want 0 to 65535"}},
		{name: "port 65536", edit: func(a *Attributes) { a.Port = 65536 }, want: []string{"port 65536: want 0 to 65535"}},
		{name: "secure port -2", edit: func(a *Attributes) { a.SecurePort = -2 }, want: []string{"secure port -2: want -1 to 65535"}},
		{name: "secure port 65536", edit: func(a *Attributes) { a.SecurePort = 65536 }, want: []string{"secure port 65536"}},
		{name: "UDP port -2", edit: func(a *Attributes) { a.UDPPort = -2 }, want: []string{"UDP port -2: want -1 to 65535"}},
		{name: "UDP port 65536", edit: func(a *Attributes) { a.UDPPort = 65536 }, want: []string{"UDP port 65536"}},
		{name: "domain too large", edit: func(a *Attributes) { a.Domain = text(MaxPart + 1) }, want: []string{"domain of 61441 bytes: want at most 61440"}},
		{name: "command too large", edit: func(a *Attributes) { a.Command = text(MaxPart + 1) }, want: []string{"command of 61441 bytes"}},
		{name: "payload too large", edit: func(a *Attributes) { a.Payload = text(64 << 10) }, want: []string{"payload of 65536 bytes"}},
		{name: "image too large", edit: func(a *Attributes) { a.Payload, a.Domain = text(MaxPart), text(MaxImage-MinImage-MaxPart+1) },
			want: []string{"an image of 65508 bytes: want at most 65507"}},
		{name: "everything", edit: func(a *Attributes) {
			*a = Attributes{Port: -5, SecurePort: -6, UDPPort: 70000, Domain: text(MaxPart + 1)}
		},
			want: []string{"host: none", "port -5", "secure port -6", "UDP port 70000", "domain of 61441"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newMember(t, 1, nil).Attributes()
			tt.edit(&a)
			m, err := New(a)
			if len(tt.want) == 0 {
				if err != nil || m.Attributes() != a {
					t.Fatalf("New() = %v, %v, want a member with the same attributes", m, err)
				}
				checkDecode(t, []byte(m.Image()))
				return
			}
			if err == nil || m != nil {
				t.Fatalf("New() = %v, %v, want an error", m, err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("New() = %q, want %q in it", err, part)
				}
			}
		})
	}
}

func TestMemberFields(t *testing.T) {
	a := Attributes{
		Host: netip.MustParseAddr("10.1.2.3"), Port: 4001, SecurePort: 4002, UDPPort: 4003,
		Domain: "d", Payload: "p", Command: "c", ID: ID{9, 8, 7, 6}, Alive: 1500,
	}
	m, err := New(a)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{
		"Host": m.Host(), "Port": m.Port(), "SecurePort": m.SecurePort(), "UDPPort": m.UDPPort(), "Domain": m.Domain(),
		"Payload": m.Payload(), "Command": m.Command(), "ID": m.ID(), "Alive": m.Alive(), "Leaving": m.Leaving(),
		"Key": m.Key(), "AddrPort": m.AddrPort(), "Dialable": m.Dialable(), "Name": m.Name(), "String": m.String(),
		"LogValue": m.LogValue().String(),
	}
	want := map[string]any{
		"Host": a.Host, "Port": 4001, "SecurePort": 4002, "UDPPort": 4003, "Domain": "d",
		"Payload": "p", "Command": "c", "ID": a.ID, "Alive": 1500 * time.Millisecond, "Leaving": false,
		"Key": Key{a.Host, 4001, a.ID}, "AddrPort": netip.MustParseAddrPort("10.1.2.3:4001"), "Dialable": true,
		"Name": "tcp://{10, 1, 2, 3}:4001", "String": "10.1.2.3:4001/09080706", "LogValue": "10.1.2.3:4001/09080706",
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s() = %v, want %v", name, got[name], want[name])
		}
	}
}

// A member that is not there, such as Local before Start, can be printed and logged.
func TestNoMemberIsLogged(t *testing.T) {
	var none *Member
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "member", none)
	if text := fmt.Sprint(none); text != "none" || !strings.Contains(log.String(), "member=none\n") {
		t.Errorf("nil is %q, in the log %q, want none", text, &log)
	}
}

func TestWith(t *testing.T) {
	m := newMember(t, 1, nil)
	n, err := m.With(func(a *Attributes) { a.Payload = "new"; a.Alive = 7 })
	if err != nil || n.Payload() != "new" || n.Key() != m.Key() || n.Alive() != 7*time.Millisecond {
		t.Errorf("With() = %+v, %v, want the new payload and age", n, err)
	}
	if m.Payload() != "" || m.Alive() != 0 {
		t.Errorf("With() changed the old member to %+v", m.Attributes())
	}
	if n, err := m.With(func(a *Attributes) { a.Port = -1 }); err == nil {
		t.Errorf("With(port -1) = %v, want an error", n)
	}
}

func TestAliveIsClipped(t *testing.T) {
	const limit = math.MaxInt64 / int64(time.Millisecond)
	tests := []struct {
		ms   int64
		want time.Duration
	}{
		{0, 0},
		{-1, -time.Millisecond},
		{1234, 1234 * time.Millisecond},
		{limit, time.Duration(limit) * time.Millisecond},
		{math.MaxInt64, time.Duration(limit) * time.Millisecond},
		{math.MinInt64, -time.Duration(limit) * time.Millisecond},
	}
	for _, tt := range tests {
		m := newMember(t, 1, func(a *Attributes) { a.Alive = tt.ms })
		if got := m.Alive(); got != tt.want {
			t.Errorf("Alive() of %d ms = %v, want %v", tt.ms, got, tt.want)
		}
	}
}

func TestLeaving(t *testing.T) {
	for command, want := range map[string]bool{"": false, "BABY-ALEX": true, "baby-alex": false, "BABY-ALEX ": false} {
		m := newMember(t, 1, func(a *Attributes) { a.Command = command })
		if got := m.Leaving(); got != want {
			t.Errorf("Leaving() with the command %q = %v, want %v", command, got, want)
		}
	}
}

func TestDialable(t *testing.T) {
	tests := []struct {
		host string
		port int
		want bool
	}{
		{"10.0.0.1", 4000, true},
		{"127.0.0.1", 1, true},
		{"2001:db8::1", 4000, true},
		{"::ffff:10.0.0.1", 4000, true},
		{"10.0.0.1", 0, false},
		{"0.0.0.0", 4000, false},
		{"::", 4000, false},
		{"::ffff:0.0.0.0", 4000, false},
		{"228.0.0.4", 4000, false},
		{"::ffff:228.0.0.4", 4000, false},
		{"ff02::1", 4000, false},
		{"255.255.255.255", 4000, false},
	}
	for _, tt := range tests {
		m := newMember(t, 1, func(a *Attributes) { a.Host, a.Port = netip.MustParseAddr(tt.host), tt.port })
		if got := m.Dialable(); got != tt.want {
			t.Errorf("Dialable() of %s = %v, want %v", m.AddrPort(), got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	tests := []struct{ host, name, text string }{
		{"10.11.0.1", "tcp://{10, 11, 0, 1}:4000", "10.11.0.1:4000/01ab0000"},
		{"192.0.2.255", "tcp://{192, 0, 2, 255}:4000", "192.0.2.255:4000/01ab0000"},
		{"2001:db8::1", "tcp://{32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}:4000", "[2001:db8::1]:4000/01ab0000"},
	}
	for _, tt := range tests {
		m := newMember(t, 1, func(a *Attributes) { a.Host = netip.MustParseAddr(tt.host) })
		if m.Name() != tt.name || m.String() != tt.text {
			t.Errorf("Name(), String() of %s = %q, %q, want %q, %q", tt.host, m.Name(), m.String(), tt.name, tt.text)
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "member", m)
		if !strings.Contains(log.String(), tt.text) {
			t.Errorf("log line = %q, want %q in it", log.String(), tt.text)
		}
	}
}

// What a peer puts into its description must not reach a log line.
func TestStringShowsNoForeignText(t *testing.T) {
	m := newMember(t, 1, func(a *Attributes) { a.Domain, a.Payload, a.Command = "D\n", "P\x1b[0m", "C\x00" })
	if got, want := m.String(), newMember(t, 1, nil).String(); got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

func TestCompareAbsolute(t *testing.T) {
	// In this order, by host length, host, port and id, all unsigned.
	ordered := []*Member{
		absolute(t, "10.0.0.1", 4000, 1),
		absolute(t, "10.0.0.1", 4000, 0x7f),
		absolute(t, "10.0.0.1", 4000, 0x80),
		absolute(t, "10.0.0.1", 4001, 0),
		absolute(t, "10.0.0.1", 40000, 0),
		absolute(t, "10.0.0.2", 1, 0),
		absolute(t, "127.0.0.1", 1, 0),
		absolute(t, "128.0.0.1", 1, 0),
		absolute(t, "255.0.0.1", 1, 0),
		absolute(t, "::1", 1, 0),
		absolute(t, "::ffff:10.0.0.1", 1, 0),
		absolute(t, "ff02::1", 1, 0),
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := CompareAbsolute(a, b), cmpInt(i, j); got != want {
				t.Errorf("CompareAbsolute(%v, %v) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func absolute(t *testing.T, host string, port int, id byte) *Member {
	return newMember(t, 1, func(a *Attributes) { a.Host, a.Port, a.ID = netip.MustParseAddr(host), port, ID{id} })
}

func cmpInt(a, b int) int { return min(max(a-b, -1), 1) }

func TestCompareAge(t *testing.T) {
	aged := func(n byte, alive int64) *Member {
		return newMember(t, n, func(a *Attributes) { a.Alive = alive })
	}
	members := []*Member{aged(3, -1), aged(2, 100), aged(1, math.MaxInt64), aged(1, 100), aged(4, math.MinInt64), aged(5, 0)}
	slices.SortFunc(members, CompareAge)
	var got []string
	for _, m := range members {
		got = append(got, fmt.Sprintf("%v %d", m.Host(), m.Attributes().Alive))
	}
	want := []string{"10.0.0.1 9223372036854775807", "10.0.0.1 100", "10.0.0.2 100", "10.0.0.5 0", "10.0.0.3 -1", "10.0.0.4 -9223372036854775808"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order of age (-want +got):\n%s", diff)
	}
}

func TestKeyIsHostPortAndID(t *testing.T) {
	m := newMember(t, 1, nil)
	tests := []struct {
		name string
		edit func(a *Attributes)
		same bool
	}{
		{"nothing", func(*Attributes) {}, true},
		{"all but the identity", func(a *Attributes) {
			a.SecurePort, a.UDPPort, a.Domain, a.Payload, a.Command, a.Alive = 1, 2, "d", "p", "c", 3
		}, true},
		{"host", func(a *Attributes) { a.Host = a.Host.Next() }, false},
		{"form of the host", func(a *Attributes) { a.Host = netip.AddrFrom16(a.Host.As16()) }, false},
		{"port", func(a *Attributes) { a.Port++ }, false},
		{"id", func(a *Attributes) { a.ID[15]++ }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newMember(t, 1, tt.edit)
			if got := n.Key() == m.Key(); got != tt.same {
				t.Errorf("Key() == Key() after an edit of %s = %v, want %v", tt.name, got, tt.same)
			}
		})
	}
}

func TestID(t *testing.T) {
	seen := make(map[ID]bool)
	for range 100 {
		id := NewID()
		if id[6]>>4 != 4 || id[8]>>6 != 2 {
			t.Fatalf("NewID() = %s, want version 4 and variant 10", id)
		}
		if seen[id] || id.IsZero() {
			t.Fatalf("NewID() = %s twice or zero", id)
		}
		seen[id] = true
	}
	if !(ID{}).IsZero() || (ID{15: 1}).IsZero() {
		t.Errorf("IsZero() must hold for the zero ID alone")
	}
}

func TestParseID(t *testing.T) {
	want := ID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff}
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"lower case", "000102030405060708090a0b0c0d0eff", true},
		{"upper case", "000102030405060708090A0B0C0D0EFF", true},
		{"empty", "", false},
		{"short", "000102030405060708090a0b0c0d0ef", false},
		{"long", "000102030405060708090a0b0c0d0eff00", false},
		{"not hexadecimal", "000102030405060708090a0b0c0d0efg", false},
		{"with dashes", "00010203-0405-0607-0809-0a0b0c0d0eff", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseID(tt.in)
			byText := ID{1}
			textErr := byText.UnmarshalText([]byte(tt.in))
			if !tt.ok {
				if err == nil || got != (ID{}) {
					t.Errorf("ParseID(%q) = %s, %v, want an error", tt.in, got, err)
				}
				if textErr == nil || byText != (ID{1}) {
					t.Errorf("UnmarshalText(%q) = %v and set %s, want an error and no change", tt.in, textErr, byText)
				}
				return
			}
			if err := errors.Join(err, textErr); err != nil || got != want || byText != want {
				t.Errorf("ParseID, UnmarshalText(%q) = %s, %s, %v, want %s", tt.in, got, byText, err, want)
			}
		})
	}
	text, err := want.MarshalText()
	if err != nil || string(text) != "000102030405060708090a0b0c0d0eff" || want.String() != string(text) {
		t.Errorf("MarshalText() = %q, %v, want the digits", text, err)
	}
}
