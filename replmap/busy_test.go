package replmap

import (
	"context"
	"sync"
	"testing"
	"time"
)

// A member that has asked a primary as much as that may do at a time, and then hears no answers,
// holds up the questions of others for the budget and not for the time that an answer may take.
func TestAnswersToTheSilent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, func(c *Config[string, string]) { c.Stall = 20 * time.Second })
		all := f.start("a", "b", "c")
		a, b, c := all[0], all[1], all[2]
		time.Sleep(10 * time.Second)
		keys := absentKeys(b, maxBusy+1)
		ctx, cancel := context.WithCancel(t.Context())
		var questions sync.WaitGroup
		for _, turn := range b.r.writing { // nothing is decided before a hears no more
			turn <- struct{}{}
		}
		for _, key := range keys[1:] {
			questions.Go(func() { _, _, _ = a.PutIfAbsent(ctx, key, "v") })
		}
		time.Sleep(50 * time.Millisecond)
		f.net.Cut("b", "a")
		f.net.Cut("c", "a")
		for _, turn := range b.r.writing {
			<-turn
		}
		time.Sleep(10 * time.Millisecond)
		begun := time.Now()
		_, put, err := c.PutIfAbsent(t.Context(), keys[0], "v")
		if !put || err != nil {
			t.Errorf("put %v, %v", put, err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		cancel()
		questions.Wait()
		f.net.Heal()
		stopAll(all...)
	})
}
