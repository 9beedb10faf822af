//go:build browser

package serve

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/proctest"
)

// browser is chromium without a window, told what to do through pipes.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	session string
	last    int
}

var none = map[string]any{}

// message is what goes through the pipes, with a 0 at its end.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	in, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir())
	cmd.ExtraFiles = []*os.File{in, out} // 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	b := &browser{t: t, to: to, from: bufio.NewReader(from)}
	t.Cleanup(func() {
		b.call("Browser.close", none, nil)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		to.Close()
		from.Close()
	})
	if err := from.SetReadDeadline(time.Now().Add(proctest.Watchdog)); err != nil {
		t.Fatal(err)
	}
	var page struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &page)
	b.call("Target.attachToTarget", map[string]any{"targetId": page.TargetID, "flatten": true}, &page)
	b.session = page.SessionID
	for _, domain := range []string{"Page", "Log", "Runtime"} {
		b.call(domain+".enable", none, nil)
	}
	b.call("Page.setLifecycleEventsEnabled", map[string]any{"enabled": true}, nil)
	return b
}

// send sends a command and returns its number.
func (b *browser) send(method string, params any) int {
	b.t.Helper()
	b.last++
	with, err := json.Marshal(params)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := json.Marshal(message{ID: b.last, Session: b.session, Method: method, Params: with})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatal(err)
	}
	return b.last
}

// until reads what the browser says until ok. What it complains about fails the test.
func (b *browser) until(ok func(m *message) bool) {
	b.t.Helper()
	for {
		text, err := b.from.ReadBytes(0)
		if err != nil {
			b.t.Fatal(err)
		}
		var m message
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			b.t.Fatal(err)
		}
		complaint := m.Method == "Log.entryAdded" || m.Method == "Runtime.exceptionThrown"
		if m.Error != nil || complaint && !strings.Contains(string(text), "favicon.ico") {
			b.t.Errorf("browser: %s", text)
		}
		if ok(&m) {
			return
		}
	}
}

// call carries out a command.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	id := b.send(method, params)
	b.until(func(m *message) bool {
		if m.ID == id && result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Error(err)
			}
		}
		return m.ID == id
	})
}

// open loads a page.
func (b *browser) open(url string) {
	b.t.Helper()
	var page struct{ LoaderID string }
	b.call("Page.navigate", map[string]any{"url": url}, &page)
	b.loaded(page.LoaderID)
}

// click clicks on a button, as soon as it is there, and returns when the page behind it is.
func (b *browser) click(label string) {
	b.t.Helper()
	button := `document.querySelector('button[aria-label="` + label + `"]')`
	for b.text("!!"+button+" && ("+button+".click(), true)") != "true" {
		b.loaded("") // the page reloads just now
	}
	b.loaded("")
}

// loaded waits until a page is there, any if it is not said which.
func (b *browser) loaded(page string) {
	b.t.Helper()
	b.until(func(m *message) bool {
		var event struct{ Name, LoaderID string }
		return m.Method == "Page.lifecycleEvent" && json.Unmarshal(m.Params, &event) == nil &&
			event.Name == "load" && (page == "" || page == event.LoaderID)
	})
}

// press clicks on a button of the status page and looks at that until it shows a text:
// patiently, since it reloads by itself, or not.
func (b *browser) press(label, text string, patient bool) {
	b.t.Helper()
	for b.click(label); !strings.Contains(b.text("document.body.innerText"), text); {
		if patient {
			b.loaded("")
		} else {
			b.open(b.text("location.href"))
		}
	}
}

// text is what an expression of the page says.
func (b *browser) text(expression string) string {
	b.t.Helper()
	var r struct{ Result struct{ Value string } }
	b.call("Runtime.evaluate", map[string]any{"expression": "String(" + expression + ")"}, &r)
	return r.Result.Value
}

// shows fails the test unless the page has all texts.
func (b *browser) shows(texts ...string) {
	b.t.Helper()
	page := b.text("document.body.innerText")
	for _, text := range texts {
		if !strings.Contains(page, text) {
			b.t.Errorf("no %q on the page:\n%s", text, page)
		}
	}
}

// picture keeps what the page looks like, if TRIBES_PICTURES names a directory.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("TRIBES_PICTURES")
	if dir == "" {
		return
	}
	var r struct{ Data []byte }
	b.call("Page.captureScreenshot", none, &r)
	if err := os.WriteFile(filepath.Join(dir, name+".png"), r.Data, 0o644); err != nil {
		b.t.Error(err)
	}
}

// TestCartInBrowser: somebody puts things in the cart, the node that serves is killed by
// the button, and shopping goes on with the cart as it was, also on a narrow screen: with
// each manager, and with one that keeps sessions in its own process the cart is gone.
func TestCartInBrowser(t *testing.T) {
	b := startBrowser(t)
	for _, tt := range []struct{ name, args, where string }{
		{"delta", "-cluster 3", "memory of all nodes (-manager delta, -wait all)"},
		{"backup", "-cluster 3 -manager backup", "memory of a primary and 1 backup (-wait all)"},
		{"client", "-cluster 2 -manager client", "memory of 2 store nodes"},
		{"persistent", "-cluster 2 -manager persistent -store file:" + t.TempDir(), "file:"},
		{"local", "-cluster 2 -manager local", "memory of this process alone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b.t = t
			shopInBrowser(t, b, tt.name, tt.args, tt.where)
		})
	}
	b.t = t
}

func shopInBrowser(t *testing.T, b *browser, name, args, where string) {
	p := startProgram(t, "-listen 127.0.0.1:0 "+args)
	cart := "http://" + p.serving("the cart is at") + "/"
	for b.open(cart); !strings.Contains(b.text("document.body.innerText"), where); {
		b.open(cart) // a node may be ready before it has met all store nodes
	}
	b.shows("No session yet")
	b.click("add bread")
	b.shows("It is new.")
	b.click("add bread")
	b.click("add coffee")
	b.shows("bread\t2", "coffee\t1", "together\t3")
	b.picture(name + "-cart")
	node := b.text("document.querySelector('.node b').innerText")

	b.open(cart + "_cluster")
	b.picture(name + "-nodes")
	all := b.text("document.querySelectorAll('tbody tr').length")
	b.shows(all + " of " + all + " nodes are up")
	b.press("kill -9 "+node, "no process", name == "delta")
	b.picture(name + "-killed")
	b.open(cart)
	if name == "local" {
		b.shows("No session yet", "together\t0")
		b.click("add cheese")
		b.shows("together\t1")
	} else {
		b.shows("It was on "+node+" before", "has taken over", "bread\t2", "together\t3")
		b.picture(name + "-after")
		b.click("remove bread")
		b.click("add cheese")
		b.shows("bread\t1", "cheese\t1", "coffee\t1", "together\t3")
	}
	b.open(cart + "_cluster")
	b.press("start "+node, all+" of "+all+" nodes are up", name == "delta")
	if name == "client" {
		store := b.text("document.querySelector('td[colspan]').previousElementSibling.firstChild.href")
		b.open(store)
		b.shows("store1", "which serves clients", "on all store nodes\t1")
		b.picture("store")
		narrow(t, b, store)
		b.open(cart + "_cluster")
		b.press("kill -9 store1", "no process", false)
		b.open(cart)
		b.click("add apples")
		b.shows("apples\t1", "together\t4")
	}
	if name != "delta" {
		p.Kill() // faster than an orderly end, for which connections of the browser are waited for
		return
	}
	narrow(t, b, cart, cart+"_cluster")
	p.terminate()
	p.Out.Line("all nodes have ended")
	p.Ended()
}

// narrow looks at pages on the screen of a telephone.
func narrow(t *testing.T, b *browser, pages ...string) {
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true}, nil)
	for _, page := range pages {
		b.open(page)
		if wide := b.text("document.documentElement.scrollWidth"); wide != "390" {
			t.Errorf("%s is %s wide on a screen of 390", page, wide)
		}
	}
	b.call("Emulation.clearDeviceMetricsOverride", none, nil)
}
