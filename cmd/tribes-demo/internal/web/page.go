package web

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/gotribes/tribes/session"
)

//go:embed *.html
var files embed.FS

var pages = template.Must(template.ParseFS(files, "*.html"))

// goods are what the shop has.
var goods = []string{"apples", "bread", "cheese", "coffee"}

const (
	cartPrefix = "cart/" // of the attributes that count goods
	maxForm    = 4 << 10 // bytes
	maxUser    = 40      // characters
)

// A change is what a button does.
type change func(s *session.Session, form url.Values) error

func addItem(s *session.Session, form url.Values) error {
	item, err := itemIn(form)
	if err == nil {
		_, err = s.Add(cartPrefix+item, 1)
	}
	return err
}

func removeItem(s *session.Session, form url.Values) error {
	item, err := itemIn(form)
	if err != nil || !s.Has(cartPrefix+item) {
		return err
	}
	return session.Update(s, cartPrefix+item, func(n *int64) error {
		*n = max(*n-1, 0)
		return nil
	})
}

func emptyCart(s *session.Session, _ url.Values) error {
	for _, item := range goods {
		if _, err := s.Delete(cartPrefix + item); err != nil {
			return err
		}
	}
	return nil
}

func login(s *session.Session, form url.Values) error {
	user := form.Get("user")
	if n := utf8.RuneCountInString(user); n == 0 || n > maxUser || !printable(user) {
		return bad("a name has 1 to %d characters that can be printed", maxUser)
	}
	return s.Login(user)
}

func logout(s *session.Session, _ url.Values) error {
	s.Invalidate()
	return nil
}

func itemIn(form url.Values) (string, error) {
	for _, item := range goods {
		if item == form.Get("item") {
			return item, nil
		}
	}
	return "", bad("the shop does not have %.40q", form.Get("item"))
}

func printable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// form serves a button: it makes the change and leads back to the page, so that
// a reload repeats nothing.
func (a *app) form(f change) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			a.show(w, r, http.StatusBadRequest, "This form cannot be read.")
			return
		}
		s := session.From(r)
		if err := f(s, r.PostForm); err != nil {
			a.show(w, r, statusOf(err), "Nothing has changed: "+err.Error())
			return
		}
		http.Redirect(w, r, "/"+whatHappened(s), http.StatusSeeOther)
	})
}

// whatHappened is a query that tells the page what only this request knows.
func whatHappened(s *session.Session) string {
	switch {
	case s.IsNew():
		return "?new=1"
	case s.OriginalID() != "":
		return "?from=" + url.QueryEscape(s.OriginalID().Route())
	}
	return ""
}

// view is what the page shows.
type view struct {
	Node, Store string
	Peers       int
	Grouped     bool   // there can be peers
	ID, Route   string // of the session, "" if there is none
	Here        bool   // the route is this node
	New         bool
	From        string // the node that the session was on before, if it has just moved
	User        string
	Lines       []cartLine
	Total       int64
	Error       string
}

type cartLine struct {
	Item  string
	Count int64
}

func (a *app) page(w http.ResponseWriter, r *http.Request) {
	a.show(w, r, http.StatusOK, "")
}

func (a *app) show(w http.ResponseWriter, r *http.Request, status int, problem string) {
	v, err := a.view(r, problem)
	if err != nil {
		a.Log.Warn("cart not read", "err", err)
		http.Error(w, "the cart could not be read; the log says why", http.StatusInternalServerError)
		return
	}
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "page.html", v); err != nil {
		a.Log.Error("page not made", "err", err)
		http.Error(w, "the page could not be made; the log says why", http.StatusInternalServerError)
		return
	}
	a.html(w, status, b.Bytes())
}

// html sends a page that loads nothing and runs nothing.
func (a *app) html(w http.ResponseWriter, status int, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(page); err != nil {
		a.Log.Debug("page not sent", "err", err)
	}
}

func (a *app) view(r *http.Request, problem string) (*view, error) {
	s := session.From(r)
	id := s.ID()
	peers, grouped := a.Sessions.Peers()
	v := &view{Node: a.Name, Store: a.Sessions.Store(), Peers: peers, Grouped: grouped,
		ID: shortID(id), Route: id.Route(), Here: id.Route() == a.Name,
		New: r.URL.Query().Get("new") == "1" && id != "", User: s.User(), Error: problem}
	if from := cmp.Or(s.OriginalID().Route(), r.URL.Query().Get("from")); id != "" && isRoute(from) {
		v.From = from
	}
	for _, item := range goods {
		n, _, err := session.Get[int64](s, cartPrefix+item)
		if errors.Is(err, session.ErrType) { // PUT /attr can do that
			v.Error, err = cmp.Or(v.Error, "What is stored for "+item+" is no number: empty the cart."), nil
		}
		if err != nil {
			return nil, err
		}
		v.Lines = append(v.Lines, cartLine{item, n})
		v.Total += n
	}
	return v, nil
}

// isRoute is for what comes from outside: a link must not put any text on the page.
var isRoute = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString

// shortID is enough to see whether an id is still the same, and too little to use it.
func shortID(id session.ID) string {
	random := id.Random()
	return random[:min(len(random), 6)]
}
