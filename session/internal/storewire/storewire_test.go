package storewire

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/store"
)

var session = store.Session{ID: "s", Data: []byte("data"), Version: 300, Accessed: time.UnixMilli(1000), Timeout: time.Second}

// vectors are messages and their bytes, see docs/wire.md.
var vectors = []struct {
	name  string
	m     any
	bytes string
}{
	{"hello", &Request{Op: Hello}, "01 00"},
	{"load", &Request{Op: Load, Session: store.Session{ID: "s"}}, "01 01 0173"},
	{"save", &Request{Op: Save, Session: session, Base: 299, Once: [8]byte{0xaa, 7: 0xbb}, Age: -time.Millisecond},
		"01 02 0173 d00f 01 aa000000000000bb ab02 ac02 e807 64617461"},
	{"touch", &Request{Op: Touch, Session: store.Session{ID: "s", Accessed: time.UnixMilli(-1)}, Age: time.Millisecond}, "01 03 0173 01 02"},
	{"delete", &Request{Op: Delete, Session: store.Session{ID: "s"}}, "01 04 0173"},
	{"here", &Answer{MaxData: 1000}, "01 00 e807 00"},
	{"loaded", &Answer{Session: store.Session{Data: []byte("data"), Version: 300, Accessed: time.UnixMilli(1000), Timeout: time.Second}},
		"01 00 00 ac02 d00f e807 64617461"},
	{"conflict", &Answer{Status: Conflict}, "01 02"},
	{"failed", &Answer{Status: Failed, Text: "why"}, "01 06 776879"},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		b, err := Codec{}.Marshal(v.m)
		want, _ := hex.DecodeString(strings.ReplaceAll(v.bytes, " ", ""))
		if err != nil || string(b) != string(want) {
			t.Errorf("%s: %x, %v, want %x", v.name, b, err, want)
		}
		got := reflect.New(reflect.TypeOf(v.m))
		if err := (Codec{}).Unmarshal(want, got.Interface()); err != nil {
			t.Errorf("%s: %v", v.name, err)
		}
		if !reflect.DeepEqual(got.Elem().Interface(), v.m) {
			t.Errorf("%s: read as %+v, want %+v", v.name, got.Elem().Elem(), v.m)
		}
		for n := range len(want) { // one that is cut off is no message, or another one
			_ = Codec{}.Unmarshal(want[:n], got.Interface())
		}
	}
}

func TestNoMessages(t *testing.T) {
	for _, text := range []string{
		"", "00", "02 00", "01", "01 05", "01 00 00", "01 01", "01 01 02 73", "01 01 c901", "01 01 0173 00",
		"01 03 0173 01", "01 02 0173 d00f 01 aa", "01 02 0173 d00f 01 aa000000000000bb ab02 ac02 ffffffffffffffffff01",
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		var r *Request
		if err := (Codec{}).Unmarshal(b, &r); !errors.Is(err, ErrFormat) {
			t.Errorf("request %s: %v", text, err)
		}
	}
	for _, text := range []string{"", "01", "01 07", "01 00", "01 00 00", "01 00 00 01", "01 00 00 00 00"} {
		b, _ := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		var a *Answer
		if err := (Codec{}).Unmarshal(b, &a); !errors.Is(err, ErrFormat) {
			t.Errorf("answer %s: %v", text, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range vectors {
		b, err := Codec{}.Marshal(v.m)
		if err != nil {
			f.Fatal(err)
		}
		_, isRequest := v.m.(*Request)
		f.Add(b, isRequest)
	}
	f.Fuzz(func(t *testing.T, b []byte, isRequest bool) {
		if isRequest {
			again[*Request](t, b)
		} else {
			again[*Answer](t, b)
		}
	})
}

// again checks that what can be read is written and read again as the same.
func again[M any](t *testing.T, b []byte) {
	var m, n M
	if (Codec{}).Unmarshal(b, &m) != nil {
		return
	}
	c, err := Codec{}.Marshal(m)
	if err != nil || len(c) > len(b) {
		t.Fatalf("%+v: written as %x, %v", m, c, err)
	}
	if err := (Codec{}).Unmarshal(c, &n); err != nil || !reflect.DeepEqual(m, n) {
		t.Fatalf("%+v became %+v, %v", m, n, err)
	}
}
