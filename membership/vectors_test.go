package membership

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gotribes/tribes/internal/golden"
	"github.com/gotribes/tribes/internal/wire"
)

type vector struct {
	Name   string
	Kind   string
	Hex    golden.Hex
	Fields struct {
		memberFields
		Accepted *bool         // nil where nothing is damaged
		Member   *memberFields // of an accepted one
	}
}

type memberFields struct {
	Host       golden.Hex
	Port       int
	SecurePort int
	UDPPort    int
	AliveTime  int64
	UniqueID   golden.Hex
	Domain     golden.Hex
	Command    golden.Hex
	Payload    golden.Hex
	Name       string
	DataLength int
}

func (f *memberFields) attributes() Attributes {
	host, _ := netip.AddrFromSlice(f.Host)
	return Attributes{
		Host: host, Port: f.Port, SecurePort: f.SecurePort, UDPPort: f.UDPPort, Alive: f.AliveTime,
		ID: ID(f.UniqueID), Domain: string(f.Domain), Command: string(f.Command), Payload: string(f.Payload),
	}
}

// memberVectors are those that begin with a good member image, heartbeats too.
func memberVectors(t testing.TB) []vector {
	t.Helper()
	var good []vector
	for _, v := range append(golden.Read[vector](t, "members.json"), golden.Read[vector](t, "mcast.json")...) {
		switch {
		case v.Fields.Member != nil:
			v.Fields.memberFields = *v.Fields.Member
		case v.Fields.Accepted != nil || !HasImagePrefix(v.Hex):
			continue
		}
		good = append(good, v)
	}
	if len(good) != 12 {
		t.Fatalf("there are %d vectors of good members, want 12", len(good))
	}
	return good
}

var addrs = cmpopts.EquateComparable(netip.Addr{})

func TestDecodeVectors(t *testing.T) {
	for _, v := range memberVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			m, n, err := Decode(v.Hex)
			if err != nil {
				t.Fatalf("Decode() = %v, want nil", err)
			}
			want := v.Fields.attributes()
			if diff := cmp.Diff(want, m.Attributes(), addrs); diff != "" {
				t.Errorf("Attributes() differ (-want +got):\n%s", diff)
			}
			if n != v.Fields.DataLength {
				t.Errorf("Decode() size = %d, want %d", n, v.Fields.DataLength)
			}
			if m.Name() != v.Fields.Name {
				t.Errorf("Name() = %q, want %q", m.Name(), v.Fields.Name)
			}
			image := string(v.Hex[:n])
			if m.Image() != image || m.ImageSize() != n {
				t.Errorf("Image() of the decoded member = %x, want %x", m.Image(), image)
			}
			made, err := New(want)
			if err != nil {
				t.Fatalf("New(%+v) = %v, want nil", want, err)
			}
			if made.Image() != image {
				t.Errorf("Image() of a new member = %x, want %x", made.Image(), image)
			}
		})
	}
}

func TestDecodeDamagedVectors(t *testing.T) {
	want := map[string]FormatError{
		"member-bad-begin":            {Reason: wire.BadMagic, Offset: 0},
		"member-bad-end":              {Reason: wire.BadEnd, Offset: 67},
		"member-truncated":            {Reason: wire.Truncated, Offset: 67},
		"member-host-length-negative": {Reason: wire.BadHost, Offset: 34},
	}
	for _, v := range golden.Read[vector](t, "members.json") {
		if v.Fields.Accepted == nil || *v.Fields.Accepted {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			_, _, err := Decode(v.Hex)
			if got, ok := err.(*FormatError); !ok || *got != want[v.Name] {
				t.Errorf("Decode() = %v, want %v", err, want[v.Name])
			}
			delete(want, v.Name)
		})
	}
	for name := range want {
		t.Errorf("there is no vector %s", name)
	}
}

func TestDecodeTruncatedAnywhere(t *testing.T) {
	for _, v := range memberVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			for n := range v.Fields.DataLength {
				m, size, err := Decode(v.Hex[:n:n])
				want := FormatError{Reason: wire.Truncated, Offset: n}
				if got, ok := err.(*FormatError); !ok || *got != want || m != nil || size != 0 {
					t.Fatalf("Decode of the first %d bytes = %v, %d, %v, want %v", n, m, size, err, want)
				}
			}
		})
	}
}

func TestDecodeBitFlips(t *testing.T) {
	for _, v := range memberVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			for bit := range 8 * len(v.Hex) {
				b := append([]byte(nil), v.Hex...)
				b[bit/8] ^= 1 << (bit % 8)
				checkDecode(t, b)
			}
		})
	}
}

// checkDecode fails the test if Decode of b gives anything but a *FormatError
// within b or a member that encodes to the same bytes.
func checkDecode(t *testing.T, b []byte) {
	t.Helper()
	m, n, err := Decode(b)
	if err != nil {
		KeyOf(b) // may find a key, must not panic
		fe, ok := err.(*FormatError)
		if !ok || fe.Offset < 0 || fe.Offset > len(b) || fe.Reason == 0 || fe.Reason >= wire.NumReasons {
			t.Fatalf("Decode(%x) = %#v, want a *FormatError inside of the input", b, err)
		}
		if m != nil || n != 0 {
			t.Fatalf("Decode(%x) = %v, %d with the error %v, want no member", b, m, n, err)
		}
		return
	}
	if n < MinImage || n > len(b) || !m.Is(b[:n]) || m.Image() != string(b[:n]) {
		t.Fatalf("Decode(%x) = %v, %d, whose image is %x", b, m, n, m.Image())
	}
	again, err := New(m.Attributes())
	if err != nil || again.Image() != string(b[:n]) || again.Key() != m.Key() {
		t.Fatalf("New of the attributes in %x = %v, %v, want a member of the same image", b[:n], again, err)
	}
	if k, ok := KeyOf(b); !ok || k != m.Key() {
		t.Fatalf("KeyOf(%x) = %v, %v, want %v", b, k, ok, m.Key())
	}
	if alive, ok := m.Announces(b); !ok || alive != m.Attributes().Alive {
		t.Fatalf("Announces(%x) = %d, %v, want %d", b, alive, ok, m.Attributes().Alive)
	}
	if beat := m.AppendImage(nil, m.Attributes().Alive); string(beat) != m.Image() {
		t.Fatalf("AppendImage of %x = %x, want the same", b[:n], beat)
	}
}
