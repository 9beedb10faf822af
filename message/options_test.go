package message

import (
	"strings"
	"testing"
)

func TestParseOptions(t *testing.T) {
	tests := []struct {
		in   string
		want Options
	}{
		// The words of Tribes.
		{"byte", 0x01},
		{"byte_message", 0x01},
		{"use_ack", 0x02},
		{"sync", 0x04},
		{"synchronized_ack", 0x04},
		{"async", 0x08},
		{"asynchronous", 0x08},
		{"secure", 0x10},
		{"udp", 0x20},
		{"multicast", 0x40},
		{"async,use_ack", 0x0a},
		{"use_ack,sync,byte", 0x07},
		{" Async , USE_ACK ", 0x0a},
		{"sync,sync", 0x04},
		// Numbers.
		{"0", 0},
		{"6", Sync},
		{" 8 ", Async},
		{"010", 10}, // decimal, as in Java
		{"2147418113", 0x7fff0001},
		{"4294967295", 0xffffffff},
		{"-1", 0xffffffff},
		{"-2147483648", 0x80000000},
		{"0x100", Gzip},
		{"0XFFFFFFFF", 0xffffffff},
		// Mixed, as String writes them.
		{"use_ack|0x100", UseAck | Gzip},
		{"async,256", Async | Gzip},
	}
	for _, tt := range tests {
		if got, err := ParseOptions(tt.in); err != nil || got != tt.want {
			t.Errorf("ParseOptions(%q) = %#x, %v, want %#x", tt.in, uint32(got), err, uint32(tt.want))
		}
	}
}

func TestParseOptionsErrors(t *testing.T) {
	for _, in := range []string{
		"", " ", ",", "async,", ",async", "async,,sync", "ack", "use ack", "async;sync", "4294967296", "-2147483649",
		"0x", "0x100000000", "0xg", "-0x1", "0b1", "1_0", "1.0", "99999999999999999999",
	} {
		got, err := ParseOptions(in)
		if err == nil || got != 0 {
			t.Errorf("ParseOptions(%q) = %v, %v, want an error", in, got, err)
			continue
		}
		if !strings.HasPrefix(err.Error(), "tribes: message options ") {
			t.Errorf("ParseOptions(%q) = %q, want the prefix of the package", in, err)
		}
	}
}

func TestOptionsString(t *testing.T) {
	tests := []struct {
		in   Options
		want string
	}{
		{0, "0"},
		{ByteMessage, "byte"},
		{Sync, "use_ack|sync"},
		{Async | UseAck, "use_ack|async"},
		{0x7f, "byte|use_ack|sync|async|secure|udp|multicast"},
		{Gzip, "0x100"},
		{UseAck | NumberedAcks | 0x80, "use_ack|0x40000080"},
		{0xffffffff, "byte|use_ack|sync|async|secure|udp|multicast|0xffffff80"},
	}
	for _, tt := range tests {
		got := tt.in.String()
		if got != tt.want {
			t.Errorf("Options(%#x).String() = %q, want %q", uint32(tt.in), got, tt.want)
		}
		if back, err := ParseOptions(got); err != nil || back != tt.in {
			t.Errorf("ParseOptions(%q) = %#x, %v, want %#x", got, uint32(back), err, uint32(tt.in))
		}
	}
	for bit := range 32 {
		o := Options(1) << bit
		if back, err := ParseOptions(o.String()); err != nil || back != o {
			t.Errorf("ParseOptions(%q) = %#x, %v, want %#x", o, uint32(back), err, uint32(o))
		}
	}
}

func TestOptionsAcks(t *testing.T) {
	tests := []struct {
		in          Options
		acked, sync bool
	}{
		{0, false, false},
		{SyncAck, false, false},
		{UseAck, true, false},
		{UseAck | SyncAck, true, true},
		{ByteMessage | Async | UseAck, true, false},
	}
	for _, tt := range tests {
		if tt.in.Acked() != tt.acked || tt.in.SyncAcked() != tt.sync {
			t.Errorf("%v: Acked(), SyncAcked() = %v, %v, want %v, %v", tt.in, tt.in.Acked(), tt.in.SyncAcked(), tt.acked, tt.sync)
		}
	}
	if !Sync.Has(UseAck) || UseAck.Has(Sync) || !UseAck.Has(0) {
		t.Error("Has must hold if all bits are set, and only then")
	}
}

func TestID(t *testing.T) {
	seen := make(map[ID]bool)
	for range 1000 {
		id := NewID()
		if id[6]>>4 != 4 || id[8]>>6 != 2 || seen[id] {
			t.Fatalf("NewID() = %s, want a new one of version 4 and variant 10", id)
		}
		seen[id] = true
	}
	if got, want := (ID{0: 0xab, 15: 1}).String(), "ab000000000000000000000000000001"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
