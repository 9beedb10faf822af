package filestore_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/gotribes/tribes/session"
	"github.com/gotribes/tribes/session/store/filestore"
)

// serve is a program that counts visits, from its start to its end. It returns the cookie.
func serve(dir string, cookie *http.Cookie) *http.Cookie {
	st, err := filestore.Open(filestore.Config{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	sessions, err := session.New(session.Config{Persist: &session.Persist{Store: st, EachRequest: true}})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	if err := sessions.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	app := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := session.From(r).Add("visits", 1)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "visit %d", n)
	}))
	r := httptest.NewRequest("GET", "/", nil)
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println(w.Body)
	if made := w.Result().Cookies(); len(made) > 0 {
		cookie = made[0]
	}
	return cookie
}

// A session outlives the process.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	cookie := serve(dir, nil)
	serve(dir, cookie)
	// Output:
	// visit 1
	// visit 2
}
