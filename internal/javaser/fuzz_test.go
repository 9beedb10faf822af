package javaser

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzDecode: any input gives a value or a *FormatError; a value can be
// written, and what is written is stable.
func FuzzDecode(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		decodeAll(t, b, Limits{})
		decodeAll(t, b, Limits{Depth: 3, Values: 30, Handles: 5, Bytes: 4096})
		if !bytes.Equal(in, b) {
			t.Fatal("the input has changed")
		}
		v, err := Decode(b, Limits{})
		if err != nil {
			return
		}
		once := mustAppend(t, v)
		again, err := Decode(once, Limits{})
		if err != nil {
			t.Fatalf("Decode(Append(Decode)): %v\n%x", err, once)
		}
		checkSame(t, "Append after two ways", mustAppend(t, again), once)
	})
}

// FuzzStream is FuzzDecode for streams of several contents.
func FuzzStream(f *testing.F) {
	f.Add(stream(f, "770161"+"70"+"79"+"74000161"+"71007e0000"))
	for _, b := range samples(f) {
		f.Add(append(b, b[len(streamHeader):]...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := DecodeStream(b, Limits{})
		checkTyped(t, err, len(b))
		if err != nil {
			return
		}
		once, err := AppendStream(nil, list)
		if err != nil {
			t.Fatal(err)
		}
		list, err = DecodeStream(once, Limits{})
		if err != nil {
			t.Fatalf("DecodeStream(AppendStream(DecodeStream)): %v\n%x", err, once)
		}
		again, err := AppendStream(nil, list)
		if err != nil {
			t.Fatal(err)
		}
		checkSame(t, "AppendStream after two ways", again, once)
	})
}

// FuzzRPC: the short way and the long way agree on any input, and an RPC that
// decodes can be sent on.
func FuzzRPC(f *testing.F) {
	for _, b := range samples(f) {
		if IsRPC(b) {
			f.Add(b)
		} else {
			f.Add(append([]byte(rpcHead+"\x77\x09\x01\x00\x00\x00\x00\x00\x00\x00\x00"), b[len(streamHeader):]...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkLongWay(t, b)
		r, err := DecodeRPC(b, Limits{})
		checkTyped(t, err, len(b))
		if err != nil {
			return
		}
		once, err := AppendRPC(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		r, err = DecodeRPC(once, Limits{})
		if err != nil {
			t.Fatalf("DecodeRPC(AppendRPC(DecodeRPC)): %v\n%x", err, once)
		}
		again, err := AppendRPC(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		checkSame(t, "AppendRPC after two ways", again, once)
	})
}

// FuzzTyped: typed objects of any content come back equal, alone and in an RPC.
func FuzzTyped(f *testing.F) {
	f.Add(true, []byte("0123456789abcdef"), []byte("id"), []byte("payload"), "text", int64(MemberUID85), int32(MemberStart))
	f.Add(false, []byte{}, bytes.Repeat([]byte{1}, 1030), bytes.Repeat([]byte{2}, 1021), "\x00😀", int64(0), int32(-1))
	f.Fuzz(func(t *testing.T, flag bool, uuid, id, data []byte, text string, uid int64, kind int32) {
		if uid == 0 {
			uid = MemberUID101 // what 0 stands for, and what comes back
		}
		uuid, id, data = append([]byte{}, uuid...), append([]byte{}, id...), append([]byte{}, data...)
		member := &Member{Image: data, UID: uid, Static: flag}
		messages := []Value{
			nil,
			NewString(text),
			&ByteMessage{Data: data},
			member,
			&MemberMessage{Type: kind, Member: member, MembershipID: id},
			&MemberMessage{Type: kind},
		}
		for _, m := range messages {
			want := &RPC{Reply: flag, UUID: uuid, ID: id, Message: m}
			checkTypedPath(t, want)
			if m != nil {
				checkTypedPath(t, m)
			}
		}
		checkTypedPath(t, &RPC{Reply: true, NoChannel: true, UUID: uuid, ID: id})
		b := AppendRPCBytes(nil, flag, uuid, id, data)
		got, err := DecodeRPC(b, Limits{})
		want := &RPC{Reply: flag, UUID: uuid, ID: id, Message: &ByteMessage{Data: data}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("DecodeRPC(AppendRPCBytes) = %+v, %v, want %+v", got, err, want)
		}
	})
}

// checkTypedPath wants a typed object to come back equal.
func checkTypedPath(t *testing.T, want Value) {
	t.Helper()
	b := mustAppend(t, want)
	got, err := decodeTyped(b, Limits{})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("decodeTyped(%x) = %+v, %v, want %+v", b, got, err, want)
	}
	r, ok := want.(*RPC)
	if !ok {
		return
	}
	fast, err := AppendRPC(nil, r)
	if err != nil || !bytes.Equal(fast, b) {
		t.Fatalf("AppendRPC = %x, %v, Append = %x", fast, err, b)
	}
	short, err := DecodeRPC(b, Limits{})
	if err != nil || !reflect.DeepEqual(short, r) {
		t.Fatalf("DecodeRPC(%x) = %+v, %v, want %+v", b, short, err, r)
	}
}
