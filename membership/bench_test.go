package membership

import (
	"testing"
	"time"
)

func BenchmarkDecode(b *testing.B) {
	image := []byte(newMember(b, 1, func(a *Attributes) { a.Domain, a.Payload = "domain", "some payload" }).Image())
	b.ReportAllocs()
	b.SetBytes(int64(len(image)))
	for b.Loop() {
		if _, _, err := Decode(image); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTableHeard(b *testing.B) {
	var table Table
	now := time.Now()
	members := make([]*Member, 32)
	for i := range members {
		members[i] = aged(b, byte(i), time.Minute)
		table.Heard(members[i], now)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		table.Heard(members[i%len(members)], now)
	}
}

// BenchmarkTableRefresh is what a heartbeat costs that tells nothing new.
func BenchmarkTableRefresh(b *testing.B) {
	var table Table
	now := time.Now()
	m := aged(b, 1, time.Minute)
	table.Heard(m, now)
	beat := m.AppendImage(nil, 70000)
	b.ReportAllocs()
	for b.Loop() {
		if table.Refresh(beat, now) == nil {
			b.Fatal("not refreshed")
		}
	}
}

// BenchmarkTableChange is a change of a group of 64 and the view after it.
func BenchmarkTableChange(b *testing.B) {
	var table Table
	now := time.Now()
	for i := range 64 {
		table.Heard(aged(b, byte(i), time.Duration(i)*time.Second), now)
	}
	m := aged(b, 100, time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		table.Heard(m, now)
		table.View()
		table.Remove(Left, m, now)
	}
}
