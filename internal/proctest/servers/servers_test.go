//go:build databases

package servers

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/gotribes/tribes/internal/proctest"
)

// Each engine starts, ends when it is asked to, starts again, is killed, and starts again.
func TestStart(t *testing.T) {
	for _, e := range All {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			var dir string
			t.Run("life", func(t *testing.T) {
				s := Start(t, e)
				dir = s.Dir
				s.End()
				s.Start()
				s.Kill()
				s.Start()
			})
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("the directory is left: %v", err)
			}
		})
	}
}

// orphan is a process that starts a server and is killed.
func orphan() {
	dir, err := os.MkdirTemp("", "tribes-")
	if err != nil {
		panic(err)
	}
	plan, err := Memcached.Plan(Config{Host: "127.0.0.1", Port: os.Getenv("SERVERS_CHILD"), Dir: dir, Leash: true})
	if err != nil {
		panic(err)
	}
	if err := exec.Command(plan.Run[0], plan.Run[1:]...).Start(); err != nil {
		panic(err)
	}
	fmt.Println(dir)
	select {}
}

func init() { child = orphan }

// A server on a leash does not outlive the test that has started it.
func TestLeash(t *testing.T) {
	port := proctest.Ports(t, 1)[0]
	p := proctest.Start(t, []string{"SERVERS_CHILD=" + port}, os.Args[0])
	dir := p.Out.Line("tribes-")
	ready := answers("127.0.0.1:"+port, "version\r\n", "VERSION ")
	proctest.Until(t, "it answers", func() bool { return ready(t.Context()) == nil }, p)
	p.Kill()
	proctest.Until(t, "it has gone", func() bool { return ready(t.Context()) != nil })
	if err := os.Remove(dir); err != nil {
		t.Error(err)
	}
}
