package membership

import (
	"net/netip"
	"testing"
	"time"
)

func refreshMember(t *testing.T, change func(*Attributes)) *Member {
	t.Helper()
	a := Attributes{Host: netip.MustParseAddr("10.11.0.1"), Port: 4000, SecurePort: NoPort, UDPPort: NoPort,
		Domain: "staging", Payload: "payload", ID: ID{1, 2, 3}, Alive: 1000}
	if change != nil {
		change(&a)
	}
	m, err := New(a)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestKeyOf(t *testing.T) {
	m := refreshMember(t, nil)
	image := m.Image()
	if k, ok := KeyOf([]byte(image)); !ok || k != m.Key() {
		t.Errorf("KeyOf(image) = %v, %v, want %v, true", k, ok, m.Key())
	}
	short := len(image) - len(endMagic) - 4 - len(m.Payload())
	for n := range image {
		if _, ok := KeyOf([]byte(image[:n])); ok != (n >= short) {
			t.Errorf("KeyOf(first %d bytes) = %v, want %v", n, ok, n >= short)
		}
	}
	for i := range image {
		for bit := range 8 {
			b := []byte(image)
			b[i] ^= 1 << bit
			KeyOf(b) // must not panic
		}
	}
}

func TestAnnounces(t *testing.T) {
	m := refreshMember(t, nil)
	beat := m.AppendImage(nil, 4242)
	for _, c := range []struct {
		name  string
		b     []byte
		alive int64
		ok    bool
	}{
		{"same", []byte(m.Image()), 1000, true},
		{"later", beat, 4242, true},
		{"with bytes behind", append(beat[:len(beat):len(beat)], 1, 2, 3), 4242, true},
		{"cut", beat[:len(beat)-1], 0, false},
		{"empty", nil, 0, false},
		{"other payload", []byte(refreshMember(t, func(a *Attributes) { a.Payload = "Payload" }).Image()), 0, false},
		{"longer payload", []byte(refreshMember(t, func(a *Attributes) { a.Payload += "!" }).Image()), 0, false},
		{"other id", []byte(refreshMember(t, func(a *Attributes) { a.ID[15] = 1 }).Image()), 0, false},
	} {
		if alive, ok := m.Announces(c.b); alive != c.alive || ok != c.ok {
			t.Errorf("%s: Announces() = %d, %v, want %d, %v", c.name, alive, ok, c.alive, c.ok)
		}
	}
}

func TestTableRefresh(t *testing.T) {
	var table Table
	m := refreshMember(t, nil)
	start := time.Now()
	if got := table.Refresh([]byte(m.Image()), start); got != nil {
		t.Errorf("Refresh() of a stranger = %v, want nil", got)
	}
	if _, _, err := table.Heard(m, start); err != nil {
		t.Fatal(err)
	}
	now := start.Add(time.Minute)
	if got := table.Refresh(m.AppendImage(nil, 7000), now); got != m {
		t.Errorf("Refresh() = %v, want the member of the table", got)
	}
	if heard, _ := table.LastHeard(m.Key()); !heard.Equal(now) {
		t.Errorf("LastHeard() = %v, want %v", heard, now)
	}
	if alive, ok := table.AliveAt(m.Key(), now.Add(time.Second)); alive != 8000 || !ok {
		t.Errorf("AliveAt() = %d, %v, want 8000, true", alive, ok)
	}
	changed := refreshMember(t, func(a *Attributes) { a.Payload = "new" })
	if got := table.Refresh([]byte(changed.Image()), now.Add(time.Hour)); got != nil {
		t.Errorf("Refresh() of a changed member = %v, want nil", got)
	}
	if heard, _ := table.LastHeard(m.Key()); !heard.Equal(now) {
		t.Errorf("LastHeard() after a changed image = %v, want %v", heard, now)
	}
	if _, ok := table.AliveAt(changed.Key(), now); !ok {
		t.Error("AliveAt() of the same key = false, want true")
	}
	if _, ok := table.AliveAt(Key{}, now); ok {
		t.Error("AliveAt() of a stranger = true, want false")
	}
	if got := table.Refresh(m.AppendImage(nil, 1)[:50], now); got != nil {
		t.Errorf("Refresh() of half an image = %v, want nil", got)
	}
}
