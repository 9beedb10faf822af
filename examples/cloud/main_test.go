package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestMembersFindEachOther(t *testing.T) {
	const loopback = "127.0.0.1"
	ports := []int{freePort(t), freePort(t)}
	tests := []struct {
		name         string
		members, dns [2]string // of each member
	}{
		{"list", [2]string{fmt.Sprintf("%s:%d,localhost:%d", loopback, ports[0], ports[1]), fmt.Sprintf("%s:%d", loopback, ports[0])}, [2]string{}},
		{"one by a list, the other by a name", [2]string{fmt.Sprintf("%s:%d", loopback, ports[1]), ""}, [2]string{"", "localhost"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var members sync.WaitGroup
			defer members.Wait()
			defer cancel()
			var met sync.WaitGroup
			for i, port := range ports {
				r, w := io.Pipe()
				members.Go(func() { // ends with ctx
					w.CloseWithError(run(ctx, w, loopback, port, tt.members[i], tt.dns[i]))
				})
				met.Add(1)
				done := sync.OnceFunc(met.Done)
				want := fmt.Sprintf("joined %s:%d", loopback, ports[1-i])
				members.Go(func() { // ends with the output
					defer done()
					for in := bufio.NewScanner(r); in.Scan(); {
						if strings.EqualFold(in.Text(), want) {
							done()
						}
					}
					if ctx.Err() == nil {
						t.Errorf("member %d ended by itself", i)
					}
				})
			}
			met.Wait()
		})
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
