package static

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gotribes/tribes/membership"
)

func TestConfigDefaults(t *testing.T) {
	members := []Peer{{Addr: "10.0.0.1:4000"}}
	got, err := Config{Members: members}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Members: []Peer{{Addr: "10.0.0.1:4000"}}, Refresh: 10 * time.Second, Ping: time.Second,
		Expiration: 5 * time.Second, Timeout: 3 * time.Second, MaxPause: 10 * time.Second, JavaUID: Java101,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("WithDefaults (-want +got):\n%s", diff)
	}
	members[0].Addr = "changed"
	if got.Members[0].Addr != "10.0.0.1:4000" {
		t.Error("WithDefaults keeps the caller's slice")
	}
	again, err := got.WithDefaults()
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Errorf("WithDefaults of its own result (-want +got):\n%s, %v", diff, err)
	}
}

func TestConfigProblems(t *testing.T) {
	id := membership.NewID()
	for _, test := range []struct {
		name   string
		config Config
		want   []string // one for each line of the error
	}{
		{"nothing", Config{}, []string{"Members: want at least one address, or a Resolver"}},
		{"resolver alone", Config{Resolver: new(book)}, nil},
		{"durations", Config{Members: list(1, 1), Ping: -1, Expiration: time.Microsecond, Timeout: -time.Second, MaxPause: 1, Refresh: -1},
			[]string{"Refresh -1ns", "Ping -1ns", "Expiration 1µs", "Timeout -1s", "MaxPause 1ns"}},
		{"expiration", Config{Members: list(1, 1), Ping: 2 * time.Second}, []string{"Expiration 5s: want at least three times Ping, which is 2s"}},
		{"absurd ping", Config{Members: list(1, 1), Ping: 1<<63 - 1, Expiration: 1<<63 - 1}, []string{"at least three times Ping"}},
		{"many", Config{Members: []Peer{{Addr: "x"}, {Addr: "10.0.0.1:0"}}, Ping: -1},
			[]string{"Ping -1ns", `Members[0] "x": want HOST:PORT`, `Members[1] "10.0.0.1:0": port "0"`}},
		{"one address, two ids", Config{Members: []Peer{{Addr: "10.0.0.1:1", ID: id}, {Addr: "10.0.0.1:1"}}}, []string{"Members[1]"}},
		{"listed twice", Config{Members: []Peer{{Addr: "10.0.0.1:1", ID: id}, {Addr: "10.0.0.1:1", ID: id}}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.config)
			var lines []string
			if err != nil {
				lines = strings.Split(err.Error(), "\n")
			}
			if len(lines) != len(test.want) {
				t.Fatalf("New() = %v, want %d problems", err, len(test.want))
			}
			for i, want := range test.want {
				if !strings.Contains(lines[i], want) || !strings.HasPrefix(lines[i], "tribes: static config: ") {
					t.Errorf("problem %d = %q, want %q in it", i, lines[i], want)
				}
			}
		})
	}
}

func TestPeerAddresses(t *testing.T) {
	for _, test := range []struct {
		addr string
		want string // address, or name and port; empty if it is refused
	}{
		{"10.0.0.1:4000", "10.0.0.1:4000"},
		{"[2001:db8::1]:65535", "[2001:db8::1]:65535"},
		{"[::ffff:10.0.0.1]:4000", "10.0.0.1:4000"},
		{"localhost:4000", "localhost 4000"},
		{"a-b_c.example.com.:1", "a-b_c.example.com. 1"},
		{strings.Repeat("a", 253) + ":1", strings.Repeat("a", 253) + " 1"},
		{"", ""},
		{":4000", ""},
		{"10.0.0.1", ""},
		{"10.0.0.1:", ""},
		{"10.0.0.1:0", ""},
		{"10.0.0.1:65536", ""},
		{"10.0.0.1:-1", ""},
		{"10.0.0.1:http", ""},
		{"2001:db8::1:4000", ""},
		{"0.0.0.0:4000", ""},
		{"[::]:4000", ""},
		{"224.0.0.1:4000", ""},
		{"[ff02::1]:4000", ""},
		{"255.255.255.255:4000", ""},
		{"[fe80::1%eth0]:4000", ""},
		{strings.Repeat("a", 254) + ":1", ""},
		{".example.com:1", ""},
		{"a b:1", ""},
		{"a\nb:1", ""},
		{"h\u00f6st:1", ""},
		{"http://host:1", ""},
	} {
		t.Run(test.addr, func(t *testing.T) {
			e, err := Peer{Addr: test.addr}.entry()
			got := ""
			switch {
			case err != nil:
			case e.name != "":
				got = e.name + " " + test.addr[strings.LastIndex(test.addr, ":")+1:]
			default:
				got = e.addr.String()
			}
			if got != test.want {
				t.Errorf("entry of %q = %q, %v, want %q", test.addr, got, err, test.want)
			}
			if diff := cmp.Diff(membership.ID{}, e.id, cmpopts.EquateComparable()); diff != "" {
				t.Errorf("id: %s", diff)
			}
		})
	}
}
