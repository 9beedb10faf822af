package replmap

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// A member from which values are being fetched, one at a time, crashes: they come from
// another one, while writes go on, and none is lost.
func TestBackupsPullGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 1, func(c *Config[string, string]) { c.BlockEntries = 1 })
		all := f.start("a", "b", "c")
		for i := range 300 {
			all[i%3].put(fmt.Sprint("k", i), "old")
		}
		crashAll(all[0])
		b, c := all[1], all[2]
		for b.Stats().Relocated < 20 { // b and c give each other what a had
			time.Sleep(time.Millisecond)
		}
		if s := b.Stats(); s.Lacking == 0 {
			t.Errorf("nothing is lacking: %+v", s)
		}
		d := f.start("d")[0]
		for i := range 100 {
			d.put(fmt.Sprint("k", i), "new")
		}
		time.Sleep(10 * time.Second) // each value is on two of three again
		checkPlaced(t, 1, b, c, d)
		crashAll(c)
		for i := range 300 {
			want := "old"
			if i < 100 {
				want = "new"
			}
			if got := []*node{b, d}[i%2].get(fmt.Sprint("k", i)); got != want {
				t.Errorf("k%d is %s, want %s", i, got, want)
			}
		}
		time.Sleep(10 * time.Second)
		checkPlaced(t, 1, b, d)
		stopAll(b, d)
	})
}

// Values are fetched from another member when the one that was asked crashes on the way.
func TestBackupsAskAnother(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 1, func(c *Config[string, string]) { c.BlockEntries = 1 })
		all := f.start("a", "b", "c", "d")
		for i := range 200 {
			all[i%4].put(fmt.Sprint("k", i), fmt.Sprint(i))
		}
		e := f.boot("e")
		started := make(chan error, 1)
		go func() { started <- e.Start(t.Context()) }()
		for e.Stats().Relocated < 5 {
			time.Sleep(100 * time.Microsecond)
		}
		if e.Stats().Lacking == 0 {
			t.Fatal("all values are here already")
		}
		provider := asked(e)
		i := slices.IndexFunc(all, func(n *node) bool { return n.g.Local().ID() == provider })
		crashAll(all[i])
		must(t, <-started)
		rest := append(slices.Delete(slices.Clone(all), i, i+1), e)
		time.Sleep(10 * time.Second)
		checkPlaced(t, 1, rest...)
		for i := range 200 {
			if got := rest[i%4].get(fmt.Sprint("k", i)); got != fmt.Sprint(i) {
				t.Errorf("k%d is %s", i, got)
			}
		}
		stopAll(rest...)
	})
}
