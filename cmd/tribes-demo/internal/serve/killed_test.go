package serve

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/proctest"
)

// seat is where a node of a test runs: the process changes, the address too.
type seat struct {
	name string
	addr atomic.Pointer[string]
	now  program
}

// account is what became of the requests of all users.
type account struct {
	acked, refused, failed atomic.Int64 // writes; failed is without an answer
	lost, updates          atomic.Int64 // sessions, and acknowledged updates
}

// user writes one number after the other into its session, each on the next node, and
// checks that the one before is there.
type user struct {
	t      *testing.T
	client http.Client
	cookie string
	acked  int // the last tag of a write that was acknowledged
	sent   int // the last tag that was sent
}

// write sends the next number to a node.
func (u *user) write(addr string, n *account) {
	u.sent++
	r, err := http.NewRequest("PUT", fmt.Sprintf("http://%s/attr?name=k&size=100&tag=%d", addr, u.sent), nil)
	if err != nil {
		u.t.Error(err)
		return
	}
	if u.cookie != "" {
		r.Header.Set("Cookie", u.cookie)
	}
	res, err := u.client.Do(r)
	if err != nil {
		n.failed.Add(1)
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	var reply struct {
		New  bool
		Prev string
	}
	switch {
	case err != nil:
		n.failed.Add(1)
		return
	case res.StatusCode != http.StatusOK:
		n.refused.Add(1)
		return
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		u.t.Error(err)
	}
	prev := 0
	if reply.Prev != "" {
		if _, err := fmt.Sscan(reply.Prev, &prev); err != nil {
			u.t.Error(err)
		}
	}
	switch {
	case reply.New && u.cookie != "":
		n.lost.Add(1)
		u.t.Errorf("a session is lost whose last write was %d", u.acked)
	case prev < u.acked:
		n.updates.Add(int64(u.acked - prev))
		u.t.Errorf("%s has %d, acknowledged was %d", addr, prev, u.acked)
	}
	u.acked = u.sent
	n.acked.Add(1)
	for _, c := range res.Cookies() {
		if c.Name == "sid" {
			u.cookie = c.Name + "=" + c.Value
		}
	}
}

// TestKilledNodes kills nodes with SIGKILL one after the other and starts them again, while
// users write through all of them in turn: no session is lost, and no update that was
// acknowledged, also with each database. TRIBES_KILLS=n kills as many nodes; otherwise it is two.
func TestKilledNodes(t *testing.T) {
	kills := 2
	if raced { // the nodes are, too
		kills = 1
	}
	if text := os.Getenv("TRIBES_KILLS"); text != "" {
		if _, err := fmt.Sscan(text, &kills); err != nil {
			t.Fatal(err)
		}
	}
	type row struct {
		name, args string
		stores     int
	}
	rows := []row{
		{name: "backup, all", args: "-manager backup -wait all"},
		{name: "backup, one", args: "-manager backup -wait one"},
		{name: "store nodes", args: "-manager client", stores: 3},
		{name: "file", args: "-manager persistent -sticky=false -store file:" + t.TempDir()},
	}
	for i, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			runKills(t, tt.args, tt.stores, anyPort()+i, kills)
		})
	}
	withDatabases(t, func(t *testing.T, i int, store string) {
		runKills(t, "-manager persistent -sticky=false -store "+store, 0, anyPort()+len(rows)+i, kills)
	})
}

func runKills(t *testing.T, args string, stores, port, kills int) {
	var web, holding []*seat
	boot := func(s *seat) {
		// Whom a busy machine makes silent is not dead.
		flags := fmt.Sprintf("-name %s -bind 127.0.0.1 -port 0 -mcast-addr 239.255.17.94 -mcast-port %d -budget 10s ", s.name, port)
		if strings.HasPrefix(s.name, "store") {
			s.now = startCommand(t, "store "+flags)
			s.now.Out.Line("holds sessions")
			return
		}
		s.now = startProgram(t, flags+"-listen 127.0.0.1:0 -linger 0 "+args)
		addr := s.now.serving(s.name + " serves")
		s.now.Err.Line("msg=ready")
		s.addr.Store(&addr)
	}
	for i := range stores {
		holding = append(holding, &seat{name: fmt.Sprint("store", i)})
		boot(holding[i])
	}
	for i := range 3 {
		web = append(web, &seat{name: fmt.Sprint("web", i)})
		boot(web[i])
	}
	var n account
	stop := make(chan struct{})
	var users sync.WaitGroup
	for i := range 20 {
		u := &user{t: t, client: http.Client{Timeout: 5 * time.Second, Transport: new(http.Transport)}}
		users.Go(func() {
			defer u.client.CloseIdleConnections()
			for k := i; ; k++ {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				u.write(*web[k%3].addr.Load(), &n)
			}
		})
	}
	progress := func() { // until the users have gone on
		until := n.acked.Load() + 400
		proctest.Until(t, "the users go on", func() bool { return n.acked.Load() >= until })
	}
	victims := append(web, holding...)
	for range kills {
		progress()
		s := victims[rand.IntN(len(victims))]
		s.now.Kill()
		progress()
		boot(s)
	}
	progress()
	close(stop)
	users.Wait()
	t.Logf("%s, %d kills: %d writes acknowledged, %d refused with 503, %d without an answer, %d sessions lost, %d acknowledged updates lost",
		t.Name(), kills, n.acked.Load(), n.refused.Load(), n.failed.Load(), n.lost.Load(), n.updates.Load())
}
