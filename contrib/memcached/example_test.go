package memcached_test

import (
	"context"
	"log"

	"github.com/gotribes/tribes/contrib/memcached"
	"github.com/gotribes/tribes/session/store"
)

// Sessions on two servers, half of them on each.
func Example() {
	sessions, err := memcached.New(memcached.Config{
		Servers: []string{"10.0.0.1:11211", "10.0.0.2:11211"}, Prefix: "shop:",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	var s store.Store = sessions
	if _, err := s.Load(context.Background(), "BZbRyUONAaI3Od6fQ4tWCA0S"); err != nil {
		log.Print(err)
	}
}

// Sessions in the map hz_memcache_shop of a Hazelcast cluster.
func Example_hazelcast() {
	sessions, err := memcached.New(memcached.Config{
		Servers: []string{"10.0.0.1:5701", "10.0.0.2:5701", "10.0.0.3:5701"}, Prefix: "shop:",
		MaxData: 8 << 20, Hazelcast: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
}
