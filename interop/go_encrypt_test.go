//go:build interop

package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/message"
)

// encryptKey is the key of the tests, as Java takes it.
const encryptKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// encrypting is a layer with that key and layers to stand among: one of them would compress for members of this module.
func encrypting(t *testing.T, c interceptor.Cipher, old bool) (*interceptor.Encrypt, *interceptor.Compress, []channel.Interceptor) {
	t.Helper()
	key, err := interceptor.ParseKey(encryptKey)
	if err != nil {
		t.Fatal(err)
	}
	e := &interceptor.Encrypt{Key: key, Cipher: c, OldForm: old}
	compress := &interceptor.Compress{MinSize: -1}
	return e, compress, []channel.Interceptor{new(interceptor.Dispatch), compress, e, new(interceptor.TCPFailureDetector)}
}

// TestEncrypt sends short messages both ways, encrypted as each line does it: the releases that are used of 9.0 and
// 11.0 without a stamp, that of 10.1 with one. Then a member without the layer tries to take part.
func TestEncrypt(t *testing.T) {
	const count, longest = 10_000, 300
	for _, test := range []struct {
		version version
		cipher  interceptor.Cipher
		old     bool
	}{
		{v90, interceptor.AESCBC, true},
		{v101, interceptor.AESGCM, false},
		{v110, interceptor.AESGCM, true},
		{v110, interceptor.AESCBC, true},
	} {
		t.Run(fmt.Sprintf("%s %s", test.version, test.cipher), func(t *testing.T) {
			ctx := testContext(t)
			address := freeGroup(t)
			encrypt, compress, layers := encrypting(t, test.cipher, test.old)
			n := startNode(ctx, t, goConfig{Group: address, Layers: layers, Options: []group.Option{patientGo}})
			p := startPeer(ctx, t, test.version, peerConfig{
				Group: address, Stack: "dispatch,encrypt,tcpfd",
				Flags: append([]string{"--key", encryptKey, "--alg", test.cipher.String()}, patientJava...),
			})
			meet(ctx, t, n, p)
			trade(ctx, t, n, p, bulkSend{Options: optSync, Series: series{profile: longest}, Count: count}, inOrder)
			if s := encrypt.Stats(); s.Sent != count || s.Received != count || s.Undecryptable+s.Replayed+s.TooOld+s.TooNew+s.Forgotten != 0 {
				t.Errorf("Encrypt.Stats = %+v, want %d each way and nothing dropped", s, count)
			}
			plainText(ctx, t, n, p, compress)
			keepOut(ctx, t, address, n, p, encrypt)
		})
	}
}

// plainText sends what compresses well to Java, which is not told to be able to expand it.
func plainText(ctx context.Context, t *testing.T, n *node, p *peer, compress *interceptor.Compress) {
	t.Helper()
	text := bytes.Repeat([]byte("all work and no play makes jack a dull boy. "), 1000)
	p.call(ctx, "forget", "ok")
	for range 2 {
		if _, err := n.group.Send(ctx, []*group.Member{n.seen(p)}, text, message.Sync); err != nil {
			t.Errorf("Send of text = %v", err)
		}
	}
	if got := p.received(ctx, n.id); len(got) != 2 || got[0].sha256 != hashOf(text) || got[1].sha256 != hashOf(text) {
		t.Errorf("Java has received %v, want the text twice", got)
	}
	if s := compress.Stats().Sent; s.Compressed != 0 {
		t.Errorf("%d messages to Java were compressed, want none", s.Compressed)
	}
}

// clearText is what has not seen a key. It is of whole blocks, and not shorter than an iv, on which Java fails.
var clearText = []byte("this message of sixty-four bytes was never encrypted by anybody.")

// keepOut lets a member without the key send to both nodes in the clear: neither delivers it.
func keepOut(ctx context.Context, t *testing.T, address string, n *node, p *peer, encrypt *interceptor.Encrypt) {
	t.Helper()
	outside := startNode(ctx, t, goConfig{Group: address})
	meet(ctx, t, outside, n)
	meet(ctx, t, outside, p)
	n.recorder.forget()
	p.call(ctx, "forget", "ok")
	before := encrypt.Stats()
	_, err := outside.group.Send(ctx, []*group.Member{outside.seen(n)}, clearText, message.Sync)
	var remote *message.RemoteError
	if refused := errors.As(err, &remote); refused != (encrypt.Cipher == interceptor.AESGCM) {
		t.Errorf("Send in the clear to us = %v; want it refused with %s alone", err, interceptor.AESGCM)
	}
	if _, err := outside.group.Send(ctx, []*group.Member{outside.seen(p)}, clearText, message.Sync); err != nil {
		t.Errorf("Send in the clear to Java = %v; it drops such messages and says nothing", err)
	}
	if s := encrypt.Stats(); s.Undecryptable != before.Undecryptable+1 || s.Received != before.Received {
		t.Errorf("Encrypt.Stats = %+v after %+v, want one message more that cannot be decrypted", s, before)
	}
	if got := append(n.recorder.from("all"), p.received(ctx, "all")...); len(got) != 0 {
		t.Errorf("delivered %v, want nothing", got)
	}
}

// TestEncryptJavaOutside has the Java node without the layer: it is told that its messages were refused, after the
// second attempt that it always makes, and does not hear what we say.
func TestEncryptJavaOutside(t *testing.T) {
	ctx := testContext(t)
	address := freeGroup(t)
	encrypt, _, layers := encrypting(t, interceptor.AESGCM, false)
	n := startNode(ctx, t, goConfig{Group: address, Layers: layers})
	p := startPeer(ctx, t, v101, peerConfig{Group: address})
	meet(ctx, t, n, p)
	for _, command := range []string{"send %s %d 0102", "sendobj %s %d text"} {
		e := p.call(ctx, fmt.Sprintf(command, n.id, optSync), "sent", "sendFailed")
		if e.Name != "sendFailed" || !slices.ContainsFunc(e.Faulty, isRemote) {
			t.Errorf("%s: %s, faulty %v; want sendFailed with RemoteProcessException", command, e.Name, e.Faulty)
		}
	}
	if s := encrypt.Stats(); s.Undecryptable != 2 || s.Received != 0 {
		t.Errorf("Encrypt.Stats = %+v, want 2 messages that cannot be decrypted", s)
	}
	if got := n.recorder.from("all"); len(got) != 0 {
		t.Errorf("delivered %v, want nothing", got)
	}
}
