package interceptor

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/message"
)

// A script says what a track is given, in words:
//
//	7       the message with number 7
//	7'      another message with that number; 7'' is a third one
//	1..9    one after the other
//	+3s     that much later
//	left    the sender leaves or fails
//
// What it answers is written behind each word: the messages that are delivered,
// "-" if one is dropped as repeated, "late" before one that is, "drop" before
// those that are dropped, "." if there is nothing. Of ranges that pass in order
// nothing is written.
func play(t *testing.T, set *orderSettings, script string) string {
	t.Helper()
	var counts orderCounts
	tr := newTrack(set, &counts)
	now := time.Unix(1000, 0)
	var out []string
	for word := range strings.FieldsSeq(script) {
		switch {
		case word == "left":
			tr.depart(now)
			out = append(out, word+"="+heard(&tr))
		case word[0] == '+':
			d, err := time.ParseDuration(word[1:])
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(d)
			tr.expire(now)
			out = append(out, word+"="+heard(&tr))
		case strings.Contains(word, ".."):
			first, last, _ := strings.Cut(word, "..")
			for n := number(t, first); ; n++ {
				got, want := give(t, &tr, set, strconv.FormatUint(uint64(n), 10), now), strconv.FormatUint(uint64(n), 10)
				if got != want {
					out = append(out, want+"="+got)
				}
				if n == number(t, last) {
					break
				}
			}
		default:
			out = append(out, word+"="+give(t, &tr, set, word, now))
		}
	}
	return strings.Join(out, " ")
}

func number(t *testing.T, word string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(word, 0, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// give does what an Order does with a message.
func give(t *testing.T, tr *track, set *orderSettings, word string, now time.Time) string {
	t.Helper()
	plain := strings.TrimRight(word, "'")
	nr := number(t, plain)
	version := len(word) - len(plain)
	mark := uint64(nr) | uint64(version)<<40
	id := message.ID{8: byte(version), 9: 1}
	h := held{m: &message.Message{ID: id, Sent: int64(nr)}, nr: nr, mark: mark}
	switch tr.place(nr, mark) {
	case repeated:
		return "-"
	case tooLate:
		if set.drop {
			return "drop late " + word
		}
		return "late " + word
	case tooEarly:
		full := len(tr.early) >= set.maxQueue
		tr.wait(h, now)
		if full {
			tr.flush(always)
		}
	default:
		tr.ready.push(h)
		tr.follow()
	}
	return heard(tr)
}

func heard(tr *track) string {
	var words []string
	for tr.ready.len() > 0 {
		words = append(words, spell(tr.ready.first()))
		tr.ready.pop()
	}
	if len(tr.expired) > 0 {
		words = append(words, "drop")
	}
	for _, h := range tr.expired {
		words = append(words, spell(h))
	}
	tr.expired = nil
	if words == nil {
		return "."
	}
	return strings.Join(words, ",")
}

func spell(h held) string {
	return fmt.Sprint(uint32(h.m.Sent)) + strings.Repeat("'", int(h.m.ID[8]))
}

var trackTests = []struct {
	name   string
	order  *Order
	script string
	want   string
}{
	{name: "in order", script: "1 2 3", want: "1=1 2=2 3=3"},
	{name: "swapped", script: "1 3 2 4", want: "1=1 3=. 2=2,3 4=4"},
	{name: "backward", script: "4 3 2 1", want: "4=. 3=. 2=. 1=1,2,3,4"},
	{name: "two gaps", script: "1 3 5 2 4", want: "1=1 3=. 5=. 2=2,3 4=4,5"},

	{name: "gap expires", script: "1 3 +2999ms +1ms 4", want: "1=1 3=. +2999ms=. +1ms=3 4=4"},
	{name: "what is before the expired goes too", script: "1 5 +2s 3 +1s 6", want: "1=1 5=. +2s=. 3=. +1s=3,5 6=6"},
	{name: "what follows the expired goes too", script: "1 3 +2s 4 6 +1s +2s", want: "1=1 3=. +2s=. 4=. 6=. +1s=3,4 +2s=6"},
	{name: "what waits less stays", script: "1 3 +2s 5 +1s +2s", want: "1=1 3=. +2s=. 5=. +1s=3 +2s=5"},
	{name: "begins anew where numbers were given up", script: "25 +3s 26 1 2 3", want: "25=. +3s=25 26=26 1=1 2=2 3=3"},
	{name: "begins anew there and the first is lost", script: "25 +3s 26 2 3 4 +300ms 5", want: "25=. +3s=25 26=26 2=late 2 3=. 4=. +300ms=3,4 5=5"},
	{name: "begins anew below where it began", script: "1 70000 +300ms 70001 69500 69501 +300ms 69502", want: "1=1 70000=. +300ms=70000 70001=70001 69500=. 69501=. +300ms=69500,69501 69502=69502"},
	{name: "repeated when another count has begun", script: "1 2 3 1' 2' 3 2 4'", want: "1=1 2=2 3=3 1'=1' 2'=2' 3=- 2=- 4'=."},
	{name: "the first was lost", script: "2 3 +3s 4", want: "2=. 3=. +3s=2,3 4=4"},

	{name: "repeated", script: "1 2 1 2 3", want: "1=1 2=2 1=- 2=- 3=3"},
	{name: "repeated while it waits", script: "1 3 3 2 3", want: "1=1 3=. 3=- 2=2,3 3=-"},
	{name: "repeated after it expired", script: "1 3 +3s 3", want: "1=1 3=. +3s=3 3=-"},
	{name: "late, and repeated late", script: "1 3 +3s 2 2 4", want: "1=1 3=. +3s=3 2=late 2 2=- 4=4"},
	{name: "repeated at the end of memory", script: "1..1025 2", want: "2=-"},

	{name: "too many wait", order: &Order{MaxQueue: 2}, script: "1 3 5 7 8", want: "1=1 3=. 5=. 7=3,5,7 8=8"},
	{name: "too many wait in front of one", order: &Order{MaxQueue: 2}, script: "1 7 5 3 8", want: "1=1 7=. 5=. 3=3,5,7 8=8"},
	{name: "expired are dropped", order: &Order{DropExpired: true}, script: "1 3 +2s 4 6 +1s 2 5 7",
		want: "1=1 3=. +2s=. 4=. 6=. +1s=4,drop,3 2=drop late 2 5=5,6 7=7"},
	{name: "late are dropped each time", order: &Order{DropExpired: true}, script: "1 3 +3s 2 2 4",
		want: "1=1 3=. +3s=drop,3 2=drop late 2 2=drop late 2 4=4"},
	{name: "too many are dropped", order: &Order{DropExpired: true, MaxQueue: 1}, script: "1 3 5 6", want: "1=1 3=. 5=drop,3,5 6=6"},

	{name: "the sender begins anew", script: "1 2 3 1' 2' 3'", want: "1=1 2=2 3=3 1'=1' 2'=2' 3'=3'"},
	{name: "it begins anew with the second message", script: "1 2 3 2' 1' 3'", want: "1=1 2=2 3=3 2'=. 1'=1',2' 3'=3'"},
	{name: "it begins anew and the first is lost", script: "1 2 3 2' 3' +300ms 4'",
		want: "1=1 2=2 3=3 2'=. 3'=. +300ms=2',3' 4'=4'"},
	{name: "it begins anew while others wait", script: "1 2 4 1' 2'", want: "1=1 2=2 4=. 1'=4,1' 2'=2'"},
	{name: "it begins anew with a number that waits", script: "1 3 3' 1' 2'", want: "1=1 3=. 3'=3 1'=1' 2'=2',3'"},
	{name: "it begins anew after many", script: "1..3000 2' 1' 3'", want: "2'=. 1'=1',2' 3'=3'"},
	{name: "repeated after it began anew", script: "1 2 1' 1' 2'", want: "1=1 2=2 1'=1' 1'=- 2'=2'"},
	{name: "it begins anew twice", script: "1 2 1' 2' 1'' 2''", want: "1=1 2=2 1'=1' 2'=2' 1''=1'' 2''=2''"},
	{name: "two begin in one place", script: "1 2 2' 2'' 1''", want: "1=1 2=2 2'=. 2''=2' 1''=1'',2''"},

	{name: "heard from the middle", script: "5001 5003 +299ms 5002 +1ms 5004",
		want: "5001=. 5003=. +299ms=. 5002=. +1ms=5001,5002,5003 5004=5004"},
	{name: "heard from the middle, then as usual", script: "5001 +300ms 5003 +300ms 5002",
		want: "5001=. +300ms=5001 5003=. +300ms=. 5002=5002,5003"},
	{name: "what came just before the end waits as usual", script: "5001 +200ms 5003 +100ms +200ms +2699ms +1ms",
		want: "5001=. +200ms=. 5003=. +100ms=5001 +200ms=. +2699ms=. +1ms=5003"},
	{name: "a high first number", script: "1024 +300ms +2700ms 1025", want: "1024=. +300ms=. +2700ms=1024 1025=1025"},
	{name: "a higher first number", script: "1025 +300ms 1026", want: "1025=. +300ms=1025 1026=1026"},
	{name: "many before the first", script: "2 3 1030 1", want: "2=. 3=. 1030=. 1=1,2,3"},

	{name: "it left and goes on", script: "1 2 left 3 4", want: "1=1 2=2 left=. 3=3 4=4"},
	{name: "it left and begins anew", script: "1 2 left 1' 2'", want: "1=1 2=2 left=. 1'=1' 2'=2'"},
	{name: "it left while some waited and begins anew", script: "1 2 3 5 left 1' 2' 3' 4' 5' 6'",
		want: "1=1 2=2 3=3 5=. left=. 1'=5,1' 2'=2' 3'=3' 4'=4' 5'=5' 6'=6'"},
	{name: "it left while some waited and begins anew with the second message", script: "1 2 3 5 left 2' 1' 3' 4' 5'",
		want: "1=1 2=2 3=3 5=. left=. 2'=5 1'=1',2' 3'=3' 4'=4' 5'=5'"},
	{name: "it left while some waited far ahead and begins anew", script: "1 2 50 left +200ms 1' +100ms 2' 3' +3s 4'",
		want: "1=1 2=2 50=. left=. +200ms=. 1'=50,1' +100ms=. 2'=2' 3'=3' +3s=. 4'=4'"},
	{name: "it left, began anew, and its first was never here", script: "2 +3s left 1 2' 3",
		want: "2=. +3s=2 left=. 1=1 2'=2' 3=3"},
	{name: "it left and lost some", script: "1 2 left 5 6 +300ms 7", want: "1=1 2=2 left=. 5=. 6=. +300ms=5,6 7=7"},
	{name: "its last messages come behind the goodbye", script: "1 4 left 3 2 5", want: "1=1 4=. left=. 3=. 2=2,3,4 5=5"},
	{name: "it left and something is missing", script: "1 3 left +299ms +1ms", want: "1=1 3=. left=. +299ms=. +1ms=3"},
	{name: "a late one behind the goodbye", script: "1 3 +3s left 2 4", want: "1=1 3=. +3s=3 left=. 2=late 2 4=4"},
	{name: "a repeated one behind the goodbye", script: "1 2 left 2 1 3", want: "1=1 2=2 left=. 2=- 1=- 3=3"},

	{name: "far ahead", script: "1 2 100000 100001 +300ms 100002",
		want: "1=1 2=2 100000=. 100001=. +300ms=100000,100001 100002=100002"},
	{name: "far ahead once", script: "1 2 100000 3 4 +300ms 5 6 +300ms 7",
		want: "1=1 2=2 100000=. 3=. 4=. +300ms=3,4,100000 5=. 6=. +300ms=5,6 7=7"},
	{name: "half way round", script: "1 0x80000001 0x80000002 +300ms 0x80000003",
		want: "1=1 0x80000001=. 0x80000002=. +300ms=2147483649,2147483650 0x80000003=2147483651"},
	{name: "far behind", script: "1..5000 3000' +300ms 3001'", want: "3000'=. +300ms=3000' 3001'=3001'"},
	{name: "far behind once", script: "1..5000 3000' 5001 +300ms 5002", want: "3000'=. 5001=. +300ms=3000',5001 5002=5002"},

	{name: "the sign changes", script: "0x7ffffffe +300ms 0x80000000 0x7fffffff 0x80000001",
		want: "0x7ffffffe=. +300ms=2147483646 0x80000000=. 0x7fffffff=2147483647,2147483648 0x80000001=2147483649"},
	{name: "the numbers go round", script: "0xfffffffe +300ms 0 0xffffffff 2 1 0xffffffff",
		want: "0xfffffffe=. +300ms=4294967294 0=. 0xffffffff=4294967295,0 2=. 1=1,2 0xffffffff=-"},
	{name: "a gap at the turn", script: "0xfffffffe +300ms 1 +3s 0 2",
		want: "0xfffffffe=. +300ms=4294967294 1=. +3s=1 0=late 0 2=2"},
	{name: "it begins anew before the turn", script: "0xfffffffe +300ms 1' +3s 2'",
		want: "0xfffffffe=. +300ms=4294967294 1'=. +3s=1' 2'=2'"},
}

func TestTrack(t *testing.T) {
	for _, tt := range trackTests {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.order
			if o == nil {
				o = new(Order)
			}
			set, err := o.settings()
			if err != nil {
				t.Fatal(err)
			}
			if got := play(t, &set, tt.script); got != tt.want {
				t.Errorf("after %q\n got %s\nwant %s", tt.script, got, tt.want)
			}
		})
	}
}
