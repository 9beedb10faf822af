package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/transport/mem"
)

// A member that acknowledges everything and never introduces itself, as Java members and
// those of other domains do, keeps no node from serving.
func TestReadyBesideStrangers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFarm(t, nil)
		stranger, err := channel.New(f.net.Node("stranger").Config())
		must(t, err)
		must(t, stranger.Start(context.Background()))
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		a, b := f.boot("a"), f.boot("b")
		must(t, a.Start(ctx))
		ids := fill(t, a, 10)
		must(t, b.Start(ctx))
		alike(t, []*server{a, b}, len(ids))
		if s := b.ClusterStats(); s.Peers != 1 || s.Incomplete != 0 {
			t.Errorf("%+v", s)
		}
		a.stop()
		b.stop()
		must(t, stranger.Stop(context.Background()))
	})
}

// A node does not serve without the sessions because the only one that has them was hung
// before the two could greet each other.
func TestHungBeforeGreeting(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFarm(t, func(c *Config) { c.Cluster.StateTimeout = 20 * time.Second })
		f.net = mem.NewNetwork(mem.Config{Seed: 1, DropTime: time.Hour, Link: mem.Link{Delay: time.Millisecond}})
		a := f.start("a")[0]
		ids := fill(t, a, 10)
		b := f.boot("b")
		must(t, b.g.WaitMembers(context.Background(), 1))
		f.net.Isolate("a")
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := b.Start(ctx); !errors.Is(err, ErrNotReady) || b.ClusterStats().Incomplete != 1 {
			t.Errorf("Start = %v, %+v", err, b.ClusterStats())
		}
		f.net.Heal()
		must(t, b.Start(context.Background()))
		alike(t, []*server{a, b}, len(ids))
		a.stop()
		b.stop()
	})
}
