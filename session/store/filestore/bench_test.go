package filestore

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkLoad loads a session of 1 KiB.
func BenchmarkLoad(b *testing.B) {
	s := opened(b, Config{Dir: b.TempDir(), NoSync: true})
	must(b, s.Save(b.Context(), session("s", 1, strings.Repeat("x", 1024)), 0))
	for b.Loop() {
		if _, err := s.Load(b.Context(), "s"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoadParallel has as many that load as there are processors.
func BenchmarkLoadParallel(b *testing.B) {
	s := opened(b, Config{Dir: b.TempDir(), NoSync: true})
	for i := range 64 {
		must(b, s.Save(b.Context(), session(fmt.Sprintf("s%d", i), 1, strings.Repeat("x", 1024)), 0))
	}
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			if _, err := s.Load(b.Context(), fmt.Sprintf("s%d", i%64)); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkTouch notes accesses of one session.
func BenchmarkTouch(b *testing.B) {
	s := opened(b, Config{Dir: b.TempDir(), NoSync: true})
	must(b, s.Save(b.Context(), session("s", 1, "x"), 0))
	at := time.Now()
	for b.Loop() {
		at = at.Add(time.Millisecond)
		must(b, s.Touch(b.Context(), "s", at))
	}
}
