package membership

import (
	"net/netip"
	"testing"
)

func TestViewFindAndAt(t *testing.T) {
	a, b := newMember(t, 1, nil), newMember(t, 2, nil)
	again := newMember(t, 1, func(at *Attributes) { at.ID = ID{77} }) // restarted on the same address
	v := &View{Seq: 1, Members: []*Member{a, b, again}}
	tests := []struct {
		name string
		key  Key
		want *Member
	}{
		{"first", a.Key(), a},
		{"second", b.Key(), b},
		{"same address", again.Key(), again},
		{"other id", Key{a.Host(), a.Port(), ID{78}}, nil},
		{"other port", Key{a.Host(), a.Port() + 1, a.ID()}, nil},
		{"nobody", Key{}, nil},
	}
	for _, tt := range tests {
		if got := v.Find(tt.key); got != tt.want {
			t.Errorf("%s: Find(%v) = %v, want %v", tt.name, tt.key, got, tt.want)
		}
	}
	if got := v.At(a.AddrPort()); len(got) != 2 || got[0] != a || got[1] != again {
		t.Errorf("At(%v) = %v, want %v and %v", a.AddrPort(), got, a, again)
	}
	if got := v.At(netip.MustParseAddrPort("10.0.0.1:4001")); len(got) != 0 {
		t.Errorf("At of an unknown address = %v, want nobody", got)
	}
	if v.Len() != 3 || new(View).Len() != 0 || new(View).Find(a.Key()) != nil {
		t.Errorf("Len() = %d and %d, want 3 and 0", v.Len(), new(View).Len())
	}
}

func TestKindString(t *testing.T) {
	for k, want := range map[Kind]string{
		Joined: "joined", Left: "left", Failed: "failed", Updated: "updated", 0: "unknown", 5: "unknown", 255: "unknown",
	} {
		if got := k.String(); got != want {
			t.Errorf("Kind(%d).String() = %q, want %q", uint8(k), got, want)
		}
	}
}
