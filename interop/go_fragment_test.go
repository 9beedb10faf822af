//go:build interop

package interop

import (
	"strconv"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
)

// Messages of up to 16 KiB in parts of 4 KiB. The mix, with its few messages of megabytes, goes in the parts of the
// default size: Java keeps each part in a buffer of its pool, and in that of a megabyte if it was last used for a large
// message, so that thousands of small parts beside large messages need more memory than it has.
const (
	fragmentSize    = 4 << 10
	fragmentProfile = 16 << 10
)

// fragmentJava are settings of Java nodes that get messages in parts. Such a message is put together in the object of the
// part that came first, whose buffer the receiver's thread for that part gives back to a pool after it has answered: if
// it is late, the message is delivered empty, or fails. It happened to one of 10 000 messages. Without the pool it does
// not.
var fragmentJava = append([]string{"--buffer-pool", "false"}, patientJava...)

// TestFragmentation sends a series both ways in parts. Both sides send the parts of a message one after the other: with
// several on their way at a time Java delivered one of 10 000 messages twice, or failed on it.
func TestFragmentation(t *testing.T) {
	for _, v := range longOr(v101) {
		t.Run(string(v), func(t *testing.T) {
			ctx := testContext(t)
			address := freeGroup(t)
			f := &interceptor.Fragmentation{MaxSize: fragmentSize}
			n := startNode(ctx, t, goConfig{
				Group:   address,
				Layers:  []channel.Interceptor{new(interceptor.Dispatch), f, new(interceptor.TCPFailureDetector)},
				Options: []group.Option{patientGo},
			})
			p := startPeer(ctx, t, v, peerConfig{
				Group: address, Stack: "dispatch,frag,tcpfd", Heap: "1g",
				Flags: append([]string{"--frag-size", strconv.Itoa(fragmentSize)}, fragmentJava...),
			})
			meet(ctx, t, n, p)
			trade(ctx, t, n, p, bulkSend{Options: optSync, Series: series{profile: fragmentProfile}, Count: greatCount}, inOrder)
			checkFragmented(t, f, greatCount)
		})
	}
}

// checkFragmented looks whether messages came and went in parts, and nothing was lost or is kept.
func checkFragmented(t *testing.T, f *interceptor.Fragmentation, count int) {
	t.Helper()
	st := f.Stats()
	t.Logf("%+v", st)
	if st.Split < uint64(count/2) || st.Assembled < uint64(count/2) || st.Assembled+st.Whole < uint64(count) {
		t.Errorf("Fragmentation.Stats = %+v, want at least half of %d messages in parts, each way", st, count)
	}
	if st.Refused+st.Expired != 0 || st.Gathering != 0 || st.HeldBytes != 0 {
		t.Errorf("Fragmentation.Stats = %+v, want nothing refused, expired or kept", st)
	}
}

// TestLayerStack sends one sequence each way through all the layers that change messages: order, gzip, fragmentation,
// encryption, over the failure detector, with the queue on top. Java does not use its queue: the threads of that number messages in
// an order of their own.
func TestLayerStack(t *testing.T) {
	for _, v := range longOr(v101) {
		t.Run(string(v), func(t *testing.T) {
			ctx := testContext(t)
			address := freeGroup(t)
			order := &interceptor.Order{Expire: patience, MaxBytes: -1}
			f := &interceptor.Fragmentation{MaxSize: fragmentSize}
			key, err := interceptor.ParseKey(encryptKey)
			if err != nil {
				t.Fatal(err)
			}
			n := startNode(ctx, t, goConfig{
				Group: address,
				Layers: []channel.Interceptor{
					new(interceptor.Dispatch), order, new(interceptor.Gzip), f,
					&interceptor.Encrypt{Key: key, OldForm: v != v101, Window: patience}, new(interceptor.TCPFailureDetector),
				},
				Options: []group.Option{patientGo},
			})
			p := startPeer(ctx, t, v, peerConfig{
				Group: address, Stack: "dispatch,order,gzip,frag,encrypt,tcpfd", Heap: "1g",
				Flags: append([]string{"--key", encryptKey, "--alg", interceptor.AESGCM.String(), "--frag-size", strconv.Itoa(fragmentSize), "--order-expire", "120000"}, fragmentJava...),
			})
			meet(ctx, t, n, p)
			b := bulkSend{Options: optAsync | optAck, Series: series{profile: fragmentProfile}, Count: greatCount}
			back := b
			back.Options = optAck
			tradeWays(ctx, t, n, p, b, back, inOrder)
			checkFragmented(t, f, greatCount)
			stats := order.Stats()
			t.Logf("%d messages of %s came in order, %d had to wait", stats.InOrder, p, stats.Early)
			if stats.Missing+stats.Late+stats.Recounts+stats.Overflows != 0 {
				t.Errorf("Order.Stats = %+v, want nothing missing, late, counted anew or overflowing", stats)
			}
		})
	}
}
