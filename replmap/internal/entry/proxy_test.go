package entry

import (
	"errors"
	"testing"
	"time"
)

func proxyTable(resolve Resolver) *Table {
	return NewTable(ver(1, 'n').Node, Config{Resolve: resolve, Proxies: true, Keep: time.Hour, Now: func() time.Duration { return 0 }})
}

func merge(t *testing.T, table *Table, e Entry, news bool) Entry {
	t.Helper()
	if got, err := table.Merge(&e); got != news || err != nil {
		t.Errorf("Merge of %+v = %v, %v; want %v", e, got, err, news)
	}
	now, _ := table.Get(e.Key)
	return now
}

// A proxy and the value that it stands for are one state: sums are the same, and one is
// made of the other and back.
func TestProxy(t *testing.T) {
	a, b := proxyTable(nil), proxyTable(nil)
	e, _ := a.Write(Entry{Key: "k", Value: []byte("v"), Lifetime: Forever}, nil)
	proxy := e
	proxy.Strip()
	if !proxy.Proxy || !proxy.Placed || proxy.Value != nil || proxy.State() != e.State() || e.Compare(&proxy) != 0 {
		t.Errorf("proxy of %+v is %+v", e, proxy)
	}
	merge(t, b, proxy, true)
	check := func(here int) {
		t.Helper()
		x, n := a.Sums()
		y, m := b.Sums()
		if x != y || n != m || n != 1 {
			t.Errorf("a has %d entries, b %d, or other sums", n, m)
		}
		if b.Here() != here || b.Holds(e.State()) != (here > 0) {
			t.Errorf("%d values are here, want %d", b.Here(), here)
		}
	}
	check(0)
	if now := merge(t, b, e, false); string(now.Value) != "v" || now.Proxy || !now.Placed {
		t.Errorf("filled: %+v", now)
	}
	check(1)
	other := e.State()
	other.Sum++
	if b.Drop(other) || !b.Drop(e.State()) || b.Drop(e.State()) {
		t.Error("Drop takes a state for another")
	}
	check(0)
	if a.Place(other); a.States([]string{"k"})[0].Placed {
		t.Error("Place takes a state for another")
	}
	if a.Place(e.State()); !a.States([]string{"k"})[0].Placed {
		t.Error("not placed")
	}
	gone, _ := a.Write(Entry{Key: "k", Gone: true, Lifetime: Forever}, nil)
	merge(t, b, gone, true)
	if b.Here() != 0 || b.Len() != 0 || b.Drop(gone.State()) {
		t.Errorf("%d values of what is gone", b.Here())
	}
}

// A newer proxy takes the place of an older value, an older one does not.
func TestProxyIsNewer(t *testing.T) {
	table := proxyTable(nil)
	old := Entry{Key: "k", Value: []byte("v"), Version: ver(1, 'a'), Lifetime: Forever}
	newer := Entry{Key: "k", Proxy: true, Placed: true, Sum: 7, Version: ver(2, 'a'), Lifetime: Forever}
	merge(t, table, old, true)
	if now := merge(t, table, newer, true); !now.Proxy || now.Sum != 7 || table.Here() != 0 {
		t.Errorf("%+v", now)
	}
	if now := merge(t, table, old, false); !now.Proxy {
		t.Errorf("%+v", now)
	}
}

// States without knowledge of each other are one only when both values are there, or given
// up for lost.
func TestReconcile(t *testing.T) {
	state := func(value string, v Version) Entry {
		return Entry{Key: "k", Value: []byte(value), Version: v, Marks: []Version{v}, Lifetime: Forever}
	}
	a, b := state("1", ver(5, 'a')), state("2", ver(6, 'b'))
	var digest Table
	digest.cfg.Proxies = true
	digest.Digest(&a)
	digest.Digest(&b)
	pa, pb := a, b
	pa.Strip()
	pb.Strip()
	tests := []struct {
		name string
		a, b Entry
		want string // "-" is a proxy
	}{
		{"both", a, b, "12"}, {"older lost", pa, b, "2"}, {"newer lost", a, pb, "1"}, {"both lost", pa, pb, "-"},
	}
	for _, tt := range tests {
		table := proxyTable(union)
		merge(t, table, pa, true)
		if _, err := table.Merge(&b); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: Merge: %v", tt.name, err)
		}
		if err := table.Reconcile(&tt.b, &tt.a); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		now, there := table.Get("k")
		value := string(now.Value)
		if now.Proxy {
			value = "-"
		}
		if value != tt.want || !there || now.Version != b.Version || len(now.Marks) != 2 {
			t.Errorf("%s: %+v, want %s", tt.name, now, tt.want)
		}
		if _, err := table.Merge(&b); err != nil { // it is in it
			t.Errorf("%s: Merge again: %v", tt.name, err)
		}
	}
}
