package interceptor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/transport/nio"
)

// nioConfig is a channel over sockets with these layers and limits of frames.
func nioConfig(t *testing.T, maxFrame int, layers ...channel.Interceptor) channel.Config {
	t.Helper()
	sender, err := nio.NewSender(nio.SenderConfig{MaxFrame: maxFrame})
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := nio.NewReceiver(nio.ReceiverConfig{Address: "127.0.0.1", Port: nio.AnyPort, MaxFrame: maxFrame})
	if err != nil {
		t.Fatal(err)
	}
	return channel.Config{Sender: sender, Receiver: receiver, Interceptors: layers}
}

// Every pair of layers that cannot work is refused, and the stacks of the
// documentation are not.
func TestStacksOfTheseLayers(t *testing.T) {
	for _, tt := range stackTests(t) {
		t.Run(tt.name, func(t *testing.T) {
			c, err := channel.New(nioConfig(t, tt.maxFrame, tt.layers...))
			if (err != nil) != (len(tt.want) > 0) {
				t.Fatalf("New() = %v, want problems with %q", err, tt.want)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("New() = %v, want it to tell of %q", err, w)
				}
			}
			if err == nil {
				c.Close()
				<-c.Done()
			}
		})
	}
}

type stackTest struct {
	name     string
	maxFrame int
	layers   []channel.Interceptor
	want     []string
}

func stackTests(t *testing.T) []stackTest {
	key := testKey(t, 1)
	d, listed := new(TCPFailureDetector), &StaticMembers{Members: one(peer)}
	return []stackTest{
		{"ping with all that it works with", 0, []channel.Interceptor{&TCPPing{Detector: d, Only: listed}, d, listed}, nil},
		{"ping below its detector", 0, []channel.Interceptor{d, &TCPPing{Detector: d}}, []string{"TCPPing works with a TCPFailureDetector that does not stand below it"}},
		{"ping without its list", 0, []channel.Interceptor{&TCPPing{Only: listed}}, []string{"TCPPing works with a StaticMembers that does not stand below it"}},
		{"default", 0, []channel.Interceptor{new(Dispatch), new(TCPFailureDetector)}, nil},
		{"all", 0, []channel.Interceptor{new(Dispatch), new(Throughput), new(Order), new(Gzip),
			new(Fragmentation), new(DomainFilter), new(TCPFailureDetector)}, nil},
		{"all that change bytes, a coordinator and a domain", 0, []channel.Interceptor{new(TwoPhaseCommit), new(Dispatch), new(Order), new(Compress),
			new(Gzip), new(Fragmentation), new(NonBlockingCoordinator), &Encrypt{Key: key},
			new(DomainFilter), new(TCPFailureDetector)}, nil},
		{"encryption below the detector", 0, []channel.Interceptor{new(TCPFailureDetector), &Encrypt{Key: key}},
			[]string{"Encrypt stands below TCPFailureDetector"}},
		{"coordinator below encryption", 0, []channel.Interceptor{&Encrypt{Key: key}, new(NonBlockingCoordinator)},
			[]string{"NonBlockingCoordinator stands below Encrypt, so what it sends by itself would go in the clear"}},
		{"coordinator in the clear, as it was asked for", 0, []channel.Interceptor{&Encrypt{Key: key}, &NonBlockingCoordinator{ClearTokens: true}}, nil},
		{"what keeps messages below the coordinator", 0, []channel.Interceptor{new(NonBlockingCoordinator), new(Order), new(TwoPhaseCommit)},
			[]string{"Order stands below NonBlockingCoordinator, whose own messages", "TwoPhaseCommit stands below NonBlockingCoordinator, whose own messages"}},
		{"commit below encryption", 0, []channel.Interceptor{&Encrypt{Key: key}, new(TwoPhaseCommit)},
			[]string{"TwoPhaseCommit stands below Encrypt, so what it sends by itself would go in the clear"}},
		{"encryption twice", 0, []channel.Interceptor{&Encrypt{Key: key}, &Encrypt{Key: key}},
			[]string{"Encrypt stands above another Encrypt"}},
		{"compression twice", 0, []channel.Interceptor{new(Compress), new(Compress)}, []string{"Compress and Compress both mark"}},
		{"encrypted parts larger than frames", 64 << 10, []channel.Interceptor{&Fragmentation{MaxSize: 65_341}, &Encrypt{Key: key, Cipher: AESCBC}},
			[]string{"Fragmentation sends up to"}},
		{"queue below order", 0, []channel.Interceptor{new(Order), new(Dispatch), new(TCPFailureDetector)}, nil},
		{"parts are compressed", 0, []channel.Interceptor{new(Fragmentation), new(Gzip), new(TCPFailureDetector)}, nil},
		{"parts are numbered", 0, []channel.Interceptor{new(Fragmentation), new(Order), new(TCPFailureDetector)}, nil},
		{"order of async messages", 0, []channel.Interceptor{new(Dispatch), &Order{OptionFlag: 8}}, nil},
		{"gzip below the detector", 0, []channel.Interceptor{new(TCPFailureDetector), new(Gzip)},
			[]string{"Gzip stands below TCPFailureDetector"}},
		{"order and fragmentation below the detector", 0, []channel.Interceptor{new(TCPFailureDetector), new(Order), new(Fragmentation)},
			[]string{"Order stands below TCPFailureDetector", "Fragmentation stands below TCPFailureDetector"}},
		{"two detectors", 0, []channel.Interceptor{new(TCPFailureDetector), new(TCPFailureDetector)},
			[]string{"TCPFailureDetector stands above another"}},
		{"gzip twice", 0, []channel.Interceptor{new(Gzip), new(Gzip)}, []string{"Gzip and Gzip both mark"}},
		{"gzip twice, with other flags", 0, []channel.Interceptor{new(Gzip), &Gzip{OptionFlag: 0x200}}, nil},
		{"order by the flag of gzip", 0, []channel.Interceptor{&Order{OptionFlag: 0x100}, new(Gzip)},
			[]string{"Gzip marks messages with the option 0x100, by which Order"}},
		{"fragmentation twice", 0, []channel.Interceptor{new(Fragmentation), new(Fragmentation)},
			[]string{"Fragmentation stands below Fragmentation"}},
		{"commit above fragmentation", 0, []channel.Interceptor{new(TwoPhaseCommit), new(Fragmentation), new(TCPFailureDetector)}, nil},
		{"commit below fragmentation", 0, []channel.Interceptor{new(Fragmentation), new(TwoPhaseCommit)},
			[]string{"TwoPhaseCommit stands below Fragmentation"}},
		{"commit below the detector", 0, []channel.Interceptor{new(TCPFailureDetector), new(TwoPhaseCommit)},
			[]string{"TwoPhaseCommit stands below TCPFailureDetector"}},
		{"commit expires too soon", 0, []channel.Interceptor{&TwoPhaseCommit{Expire: 2 * time.Second}},
			[]string{"TwoPhaseCommit keeps messages for 2s, and the sender waits for acks for 5s"}},
		{"parts larger than frames", 64 << 10, []channel.Interceptor{new(Fragmentation), new(TCPFailureDetector)},
			[]string{"Fragmentation sends up to 102409 bytes at a time", "MaxFrame is 65536"}},
		{"parts of a fitting size", 64 << 10, []channel.Interceptor{&Fragmentation{MaxSize: 65_000}, new(Order)}, nil},
	}
}

func TestNewLayersServeOneChannel(t *testing.T) {
	for _, layer := range []channel.Interceptor{new(Fragmentation), new(TwoPhaseCommit), new(TCPPing), new(StaticMembers)} {
		interceptortest.New(t, interceptortest.Config{}, layer)
		if _, err := layer.BindDown(nil, channel.Down{}); !errors.Is(err, errBound) {
			t.Errorf("%T: second BindDown = %v, want %v", layer, err, errBound)
		}
	}
}
