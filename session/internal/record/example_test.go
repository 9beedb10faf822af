package record_test

import (
	"fmt"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
)

// Two nodes write to a session at the same time and tell each other.
func Example() {
	key := record.Key{1}
	a := record.New(record.NewSite(membership.NewID(), record.Limits{}, false), key)
	b := record.New(record.NewSite(membership.NewID(), record.Limits{}, false), key)
	now := time.Duration(0)

	check := func(_ any, err error) {
		if err != nil {
			fmt.Println(err)
		}
	}
	check(nil, a.Set("user", []byte("alice")))
	check(a.Add("visits", 1))
	check(b.Add("visits", 1))

	fromA, fromB := a.Take(now), b.Take(now)
	check(b.Merge(fromA, now))
	check(a.Merge(fromB, now))

	for name, v := range b.All() {
		if v.Kind == record.Number {
			fmt.Println(name, v.Number)
		} else {
			fmt.Printf("%s %q\n", name, v.Bytes)
		}
	}
	fmt.Println("same on both:", a.Digest() == b.Digest())
	// Output:
	// user "alice"
	// visits 2
	// same on both: true
}
