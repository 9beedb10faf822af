package gorilla_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/gorilla/sessions"

	"github.com/gotribes/tribes/contrib/gorilla"
	"github.com/gotribes/tribes/session"
)

// A program for gorilla/sessions whose sessions a manager holds.
func Example() {
	manager, err := session.New(session.Config{}) // with Config.Cluster: on all nodes
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close()
	var store sessions.Store = gorilla.New(manager) // was sessions.NewCookieStore(key)

	http.HandleFunc("/buy", func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, "cart")
		if err == nil {
			n, _ := s.Values["items"].(int)
			s.Values["items"] = n + 1
			err = s.Save(r, w)
		}
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, s.Values["items"], "items")
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
