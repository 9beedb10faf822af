package session

import (
	"net/http"
	"testing"
)

func FuzzParseID(f *testing.F) {
	for _, tt := range idTests {
		if len(tt.in) < 1000 {
			f.Add(tt.in)
		}
	}
	f.Fuzz(func(t *testing.T, in string) {
		id, ok := parseID(in)
		if !ok {
			return
		}
		if string(id) != in || len(id.Random()) != randomChars || len(in) > randomChars+1+maxRoute {
			t.Fatalf("parseID(%q) = %q", in, id)
		}
		if k := (&http.Cookie{Name: "sid", Value: in}); k.Valid() != nil || k.String() != "sid="+in {
			t.Fatalf("%q is no plain value of a cookie", in)
		}
	})
}

// What we find is what net/http finds, as far as it can be an id.
func FuzzCookieValues(f *testing.F) {
	f.Add("sid=" + someID + "; a=b")
	f.Add(`a=b;sid="` + someID + `.r";sid=x`)
	f.Add(";;=; sid")
	f.Add("sid=a=b; sid =c")
	f.Add(`sid ="` + someID + `"`)
	f.Fuzz(func(t *testing.T, header string) {
		var values [maxCookies]string
		n, excess := cookieValues([]string{header}, "sid", &values)
		if n < 0 || n > maxCookies || n > 1 && !excess {
			t.Fatalf("%d values, excess %v", n, excess)
		}
		ours := make(map[ID]bool)
		for _, v := range values[:n] {
			if id, ok := parseID(v); ok {
				ours[id] = true
			}
		}
		if len(header) > maxHeader || n == maxCookies {
			return
		}
		r := http.Request{Header: http.Header{"Cookie": {header}}}
		for _, k := range r.CookiesNamed("sid") {
			if id, ok := parseID(k.Value); ok && !ours[id] {
				t.Fatalf("%q: net/http finds %q, we find %v", header, id, ours)
			}
		}
	})
}

func FuzzCBOR(f *testing.F) { fuzzCodec(f, CBOR()) }
func FuzzGob(f *testing.F)  { fuzzCodec(f, Gob()) }
func FuzzJSON(f *testing.F) { fuzzCodec(f, JSON()) }

// fuzzCodec decodes anything: without a panic, and what was decoded can be encoded and
// comes back.
func fuzzCodec(f *testing.F, c Codec) {
	for _, v := range []any{someProfile(), "text", []int{1, 2}, list{Value: "x", Next: &list{}}, true} {
		b, err := c.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			return
		}
		var p profile
		if err := c.Unmarshal(data, &p); err == nil {
			if _, err := encode(c, p); err != nil {
				t.Logf("decoded, but not encoded: %v", err)
			}
		}
		var l list
		if err := c.Unmarshal(data, &l); err == nil {
			again(t, c, l)
		}
		var m map[string]string
		if err := c.Unmarshal(data, &m); err == nil {
			b, err := c.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			var back map[string]string
			if err := c.Unmarshal(b, &back); err != nil || len(back) != len(m) {
				t.Fatalf("%v came back as %v, %v", m, back, err)
			}
		}
		if c.Name() != "gob" { // gob decodes into no bare interface
			var v any
			_ = c.Unmarshal(data, &v) // must not panic
		}
	})
}

func again(t *testing.T, c Codec, l list) {
	v, err := encode(c, l)
	if err != nil {
		return // deeper than may be set
	}
	if _, _, err := As[list](Value{codec: c, rec: v}); err != nil {
		t.Fatalf("what was encoded is not decoded: %v", err)
	}
}
