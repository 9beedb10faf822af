package place

import "testing"

// On loopback no two services of all hosts have one port, but for multicast, which is common.
func TestPorts(t *testing.T) {
	p, err := New(t.Context(), Config{Hosts: 3, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[int]bool)
	for host := range 3 {
		for s := HTTP; s <= Memcached; s++ {
			if port := p.Port(host, s); s != Multicast {
				if seen[port] {
					t.Errorf("port %d of service %d on host %d is another one's", port, s, host)
				}
				seen[port] = true
			}
		}
	}
	if seen[p.Port(0, Multicast)] || p.Port(0, Multicast) != p.Port(2, Multicast) {
		t.Error("the port of multicast is not the common one")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
