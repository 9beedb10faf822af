package interceptor

import (
	"bytes"
	stdgzip "compress/gzip"
	"io"
	"testing"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/message"
)

// Whatever arrives is delivered as the standard library inflates it, or dropped
// with an error.
func FuzzGzipReceive(f *testing.F) {
	f.Add([]byte{})
	f.Add(members(f, nil))
	f.Add(members(f, []byte("some text")))
	f.Add(members(f, bytes.Repeat([]byte("some text "), 100)))
	f.Add(members(f, make([]byte, 10_000)))
	f.Add(members(f, []byte("one"), []byte("two")))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 16
		h := newGzip(t, &Gzip{MaxSize: limit}, interceptortest.Config{})
		err := h.Arrive(interceptortest.Member(2), b, message.Gzip)
		got := h.Top.Received()
		want, wantErr := oneMember(b, limit)
		switch {
		case (err == nil) != (wantErr == nil):
			t.Errorf("Receive = %v, and the standard library says %v", err, wantErr)
		case err == nil && (len(got) != 1 || !bytes.Equal(got[0].Payload(), want)):
			t.Error("what was delivered is not what the standard library inflates")
		case err != nil && len(got) != 0:
			t.Errorf("Receive = %v, and it was delivered", err)
		}
	})
}

// oneMember inflates b, which must be one gzip member of at most limit bytes.
// The standard library does not mind flags that RFC 1952 reserves.
func oneMember(b []byte, limit int64) ([]byte, error) {
	if len(b) > 3 && b[3]>>5 != 0 {
		return nil, stdgzip.ErrHeader
	}
	src := bytes.NewReader(b)
	r, err := stdgzip.NewReader(src)
	if err != nil {
		return nil, err
	}
	r.Multistream(false)
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(content)) > limit:
		return nil, errInflatesTooFar
	case src.Len() > 0:
		return nil, errBehindMember
	}
	return content, nil
}

// What is compressed comes back as it was.
func FuzzGzipRoundTrip(f *testing.F) {
	f.Add([]byte("a"), byte(1))
	f.Add(bytes.Repeat([]byte("some text "), 50), byte(5))
	f.Add(make([]byte, 5000), byte(9))
	var coders [10]*compressor // making one takes longer than using it
	for level := 1; level < len(coders); level++ {
		coders[level] = newCompressor(level)
	}
	f.Fuzz(func(t *testing.T, b []byte, level byte) {
		c := coders[1+int(level)%9]
		dst := make([]byte, 2*len(b)+100)
		n, ok := c.compress(dst, b)
		if !ok {
			t.Fatalf("compress of %d bytes into %d: no room", len(b), len(dst))
		}
		var pool message.Pool
		out, size, err := new(inflater).inflate(&pool, dst[:n], max(len(b), 1))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Release()
		if !bytes.Equal(out.Bytes()[:size], b) {
			t.Errorf("%d bytes came back as %d others", len(b), size)
		}
	})
}
