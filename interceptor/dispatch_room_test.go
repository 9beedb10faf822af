package interceptor

import "testing"

func TestRoomIsGivenInTheOrderOfAsking(t *testing.T) {
	r := room{maxBytes: 10, maxMessages: -1}
	if _, ok := r.take(8, 1, true); !ok {
		t.Fatal("take(8) of 10 = no room")
	}
	big, ok := r.take(9, 1, true)
	if ok {
		t.Fatal("take(9) of 2 = room")
	}
	small, ok := r.take(1, 1, true)
	if ok {
		t.Fatal("take(1) past one who waits = room")
	}
	if _, ok := r.take(1, 1, false); ok {
		t.Fatal("take(1) past those who wait = room")
	}
	r.give(8, 1)
	if len(big.ready) != 1 || len(small.ready) != 1 {
		t.Fatalf("given to the first: %d, to the second: %d, want both, since both fit", len(big.ready), len(small.ready))
	}
}

func TestRoomOfOneWhoGivesUpGoesToTheNext(t *testing.T) {
	r := room{maxBytes: 10, maxMessages: -1}
	r.take(8, 1, true)
	big, _ := r.take(9, 1, true)
	small, _ := r.take(1, 1, true)
	r.cancel(big)
	if len(small.ready) != 1 {
		t.Error("who waits behind one that gave up, and fits, got no room")
	}
}

func TestRoomThatCameTooLateIsGivenBack(t *testing.T) {
	r := room{maxBytes: 10, maxMessages: -1}
	r.take(10, 1, true)
	w, _ := r.take(5, 1, true)
	r.give(10, 1) // w has it now
	r.cancel(w)
	if bytes, messages := r.used(); bytes != 0 || messages != 0 {
		t.Errorf("used = %d bytes, %d messages, want none", bytes, messages)
	}
}

func TestRoomForAMessageThatIsTooLargeAlone(t *testing.T) {
	r := room{maxBytes: 10, maxMessages: 1}
	if _, ok := r.take(11, 3, false); !ok {
		t.Error("take(11) of 10 with nothing taken = no room")
	}
	if _, ok := r.take(1, 1, false); ok {
		t.Error("take(1) beside it = room")
	}
}
