package redis_test

import (
	"context"
	"log"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gotribes/tribes/contrib/redis"
	"github.com/gotribes/tribes/session/store"
)

// Sessions behind Sentinel, saved when two replicas have them.
func Example() {
	client := goredis.NewFailoverClient(&goredis.FailoverOptions{
		MasterName: "sessions", SentinelAddrs: []string{"10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379"},
		DialerRetries: 1, // a server that is down is an error at once
	})
	defer client.Close()
	sessions, err := redis.New(client, redis.Config{Prefix: "shop:", Replicas: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	var s store.Store = sessions
	if _, err := s.Load(context.Background(), "BZbRyUONAaI3Od6fQ4tWCA0S"); err != nil {
		log.Print(err)
	}
}
