package proctest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// Client is a browser as far as cookies go: it sends back what it got, to all ports of a
// host. Each request has a connection of its own, so none is repeated by itself.
type Client struct {
	Addr string // where requests go: HOST:PORT

	t    testing.TB
	http *http.Client
}

// NewClient returns a client without cookies.
func NewClient(t testing.TB, addr string) *Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{Addr: addr, t: t, http: &http.Client{
		Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Watchdog / 2,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// At returns a client with the same cookies that asks elsewhere.
func (c *Client) At(addr string) *Client {
	other := *c
	other.Addr = addr
	return &other
}

// Do sends a request such as "GET /", with the body of a form unless it is empty, and
// returns the status and the body of the answer; 0 and why, if there is none.
func (c *Client) Do(request, form string) (int, string) {
	c.t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(c.t.Context(), method, "http://"+c.Addr+path, strings.NewReader(form))
	if err != nil {
		c.t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := c.http.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

// Want fails the test unless the answer is 200 with all texts in it.
func (c *Client) Want(request string, texts ...string) {
	c.t.Helper()
	status, body := c.Do(request, "")
	for _, text := range texts {
		if status != http.StatusOK || !strings.Contains(body, text) {
			c.t.Errorf("%s: status %d, %s: want %s", request, status, body, text)
		}
	}
}

// Eventually asks until the answer has a text: for what comes without a request.
func (c *Client) Eventually(request, text string) {
	c.t.Helper()
	Until(c.t, request+" says "+text, func() bool {
		_, body := c.Do(request, "")
		return strings.Contains(body, text)
	})
}

// Cookie returns the value of a cookie, "" if there is none.
func (c *Client) Cookie(name string) string {
	for _, k := range c.http.Jar.Cookies(&url.URL{Scheme: "http", Host: c.Addr}) {
		if k.Name == name {
			return k.Value
		}
	}
	return ""
}
