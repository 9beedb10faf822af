package tasks

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// What is asked for early runs from Open on, and nothing from Close on.
func TestTasks(t *testing.T) {
	var all Tasks
	var begun, ended atomic.Int32
	task := func(ctx context.Context) {
		begun.Add(1)
		<-ctx.Done()
		ended.Add(1)
	}
	all.Start(task)
	if begun.Load() != 0 {
		t.Error("it runs before Open")
	}
	ctx, cancel := context.WithCancel(context.Background())
	all.Open(ctx)
	all.Start(task)
	cancel()
	all.Close()
	all.Start(task)
	if b, e := begun.Load(), ended.Load(); b != 2 || e != 2 {
		t.Errorf("%d have begun and %d ended, want 2", b, e)
	}
}

// What never had a context does not run at the end.
func TestCloseBeforeOpen(t *testing.T) {
	var all Tasks
	all.Start(func(context.Context) { t.Error("it runs") })
	all.Close()
	all.Open(context.Background())
	all.Close()
}
