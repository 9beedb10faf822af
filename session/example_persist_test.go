package session_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/gotribes/tribes/session"
	"github.com/gotribes/tribes/session/store/filestore"
)

// Sessions in files: a program that is started again goes on with them.
func ExamplePersist() {
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	cookie := ""
	for range 2 { // the program runs twice
		files, err := filestore.Open(filestore.Config{Dir: dir})
		if err != nil {
			log.Fatal(err)
		}
		sessions, err := session.New(session.Config{Persist: &session.Persist{Store: files, EachRequest: true}})
		if err != nil {
			log.Fatal(err)
		}
		if err := sessions.Start(context.Background()); err != nil {
			log.Fatal(err)
		}
		h := sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			n, err := session.From(r).Add("visits", 1)
			fmt.Println("visit", n, err)
		}))
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Cookie", cookie)
		h.ServeHTTP(w, r)
		cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
		if err := sessions.Close(); err != nil {
			log.Fatal(err)
		}
		if err := files.Close(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// visit 1 <nil>
	// visit 2 <nil>
}

// A form that is sent twice is accepted once.
func ExampleTokens() {
	sessions, err := session.New(session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer sessions.Close()
	const order = session.Tokens("order")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /order", func(w http.ResponseWriter, r *http.Request) {
		token, err := order.New(session.From(r))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "%s", token) // in a hidden field of the form
	})
	mux.HandleFunc("POST /order", func(w http.ResponseWriter, r *http.Request) {
		ok, err := order.Use(session.From(r), r.PostFormValue("token"))
		fmt.Println("accepted:", ok, err)
	})
	h := sessions.Handler(mux)

	page := httptest.NewRecorder()
	h.ServeHTTP(page, httptest.NewRequest("GET", "/order", nil))
	cookie, _, _ := strings.Cut(page.Header().Get("Set-Cookie"), ";")
	for range 2 {
		r := httptest.NewRequest("POST", "/order", strings.NewReader("token="+page.Body.String()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", cookie)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	// Output:
	// accepted: true <nil>
	// accepted: false <nil>
}
