package membership

import (
	"bytes"
	"testing"
)

func TestViewIDTerm(t *testing.T) {
	for _, term := range []uint64{1, 2, 0xffff, 1 << 40, MaxTerm} {
		id := NewViewID(term)
		if got := id.Term(); got != term {
			t.Errorf("NewViewID(%d).Term() = %d", term, got)
		}
		other := id.WithTerm(term ^ 3)
		if got := other.Term(); got != term^3 {
			t.Errorf("WithTerm(%d).Term() = %d", term^3, got)
		}
		if term^3 != 0 && !id.SameElection(other) {
			t.Errorf("SameElection(%s, %s) = false, want true", id, other)
		}
		if id.SameElection(NewViewID(term)) {
			t.Errorf("SameElection of two fresh ids = true, want false")
		}
	}
}

// The ids of later views are greater, as bytes.
func TestViewIDsCompareByTerm(t *testing.T) {
	for term := uint64(1); term < 1<<47; term = term*3 + 1 {
		a, b := NewViewID(term), NewViewID(term+1)
		if bytes.Compare(a[:], b[:]) >= 0 {
			t.Fatalf("%s (term %d) is not below %s", a, term, b)
		}
	}
}

// An id of Java has no term and cannot get one.
func TestViewIDOfJavaHasNoTerm(t *testing.T) {
	java := ViewID(NewID()) // a random UUID, as Java makes them
	if got := java.Term(); got != 0 {
		t.Errorf("Term() = %d, want 0", got)
	}
	if got := java.WithTerm(7); got != java {
		t.Errorf("WithTerm(7) = %s, want %s", got, java)
	}
	if !java.SameElection(java) || java.SameElection(ViewID(NewID())) {
		t.Error("SameElection of ids without a term: want equality")
	}
}

func TestAgreed(t *testing.T) {
	a, b := newMember(t, 1, nil), newMember(t, 2, nil)
	v := &Agreed{Seq: 1, ID: NewViewID(9), Members: []*Member{a, b}}
	if v.Coordinator() != a || v.Len() != 2 || v.Term() != 9 || v.Find(b.Key()) != b || v.Find(Key{}) != nil {
		t.Errorf("Coordinator %v, Len %d, Term %d, Find %v: want %v, 2, 9, %v", v.Coordinator(), v.Len(), v.Term(), v.Find(b.Key()), a, b)
	}
}
