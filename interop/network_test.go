//go:build interop

package interop

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// patience bounds a whole test. It is long because it only ends tests that hang.
const patience = 2 * time.Minute

// testContext is the context of one test, with an end.
func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("test took longer than %v", patience))
	t.Cleanup(cancel)
	return ctx
}

// freePort finds a port of the loopback interface that neither TCP nor UDP uses. It looks below the range from which
// systems take the ports of outgoing connections, so that nobody is given it by chance before the node binds it. Tests
// run side by side, so none gets one that another has got.
func freePort(t *testing.T) int {
	t.Helper()
	const lowest, highest, tries = 20000, 32000, 100
	for range tries {
		port := lowest + mathrand.IntN(highest-lowest)
		if _, taken := givenPorts.LoadOrStore(port, true); !taken && free(port) {
			return port
		}
	}
	t.Fatalf("no free port between %d and %d in %d tries", lowest, highest, tries)
	return 0
}

// givenPorts are the ports that freePort has found.
var givenPorts sync.Map

// free tells if port can be bound on all addresses, for TCP and UDP, which also excludes multicast groups on it.
func free(port int) bool {
	forking.Lock()
	defer forking.Unlock()
	address := fmt.Sprintf(":%d", port)
	l, err := net.Listen("tcp4", address)
	if err != nil {
		return false
	}
	defer l.Close()
	c, err := net.ListenPacket("udp4", address)
	if err != nil {
		return false
	}
	defer c.Close()
	return true
}

// freeGroup is a multicast group that no other test uses, as group:port.
func freeGroup(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("228.0.0.4:%d", freePort(t))
}

// newID is a fresh unique id for a static member.
func newID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails, as documented
	return hex.EncodeToString(id[:])
}

// staticConfigs makes n configurations like base that list each other, with ports and ids of their own.
func staticConfigs(t *testing.T, n int, base peerConfig) []peerConfig {
	t.Helper()
	configs := make([]peerConfig, n)
	for i := range configs {
		configs[i] = base
		configs[i].Port = freePort(t)
		configs[i].ID = newID()
	}
	for i := range configs {
		for j, other := range configs {
			if i != j {
				configs[i].Static = append(configs[i].Static, fmt.Sprintf("127.0.0.1:%d:%s", other.Port, other.ID))
			}
		}
	}
	return configs
}
