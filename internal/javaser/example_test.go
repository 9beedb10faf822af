package javaser_test

import (
	"errors"
	"fmt"

	"github.com/gotribes/tribes/internal/javaser"
)

// A request with plain bytes, and what the other side makes of it.
func ExampleDecodeRPC() {
	b := javaser.AppendRPCBytes(nil, false, []byte("0123456789abcdef"), []byte("prices"), []byte("gold?"))
	fmt.Println(len(b), javaser.IsRPC(b))

	r, err := javaser.DecodeRPC(b, javaser.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	switch m := r.Message.(type) {
	case nil:
		fmt.Println("no message")
	case *javaser.ByteMessage:
		fmt.Printf("%s: bytes %q\n", r.ID, m.Data)
	case *javaser.String:
		fmt.Printf("%s: string %q\n", r.ID, m)
	default:
		fmt.Printf("%s: %T\n", r.ID, m)
	}
	// Output:
	// 165 true
	// prices: bytes "gold?"
}

// Any object is a tree that can be looked into without its class.
func ExampleDecode() {
	// new Integer(42)
	b := []byte("\xac\xed\x00\x05" +
		"sr\x00\x11java.lang.Integer\x12\xe2\xa0\xa4\xf7\x81\x878\x02\x00\x01I\x00\x05valuex" +
		"r\x00\x10java.lang.Number\x86\xac\x95\x1d\x0b\x94\xe0\x8b\x02\x00\x00xp" +
		"\x00\x00\x00\x2a")
	v, err := javaser.Decode(b, javaser.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	o := v.(*javaser.Object)
	n, _ := o.Field("value")
	fmt.Println(o.Class.Name, n)
	// Output: java.lang.Integer 42
}

// A member's class has another serialVersionUID in each line of releases.
func ExampleMember() {
	b, err := javaser.Append(nil, &javaser.MemberMessage{
		Type:         javaser.MemberStart,
		Member:       &javaser.Member{Image: []byte("…"), UID: javaser.MemberUID85},
		MembershipID: []byte("shop-StaticMembership"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := javaser.DecodeMemberMessage(b, javaser.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %d %d\n", m.MembershipID, m.Type, m.Member.UID)
	// Output: shop-StaticMembership 1 3323947316117794076
}

// Errors say where, and whether it was a limit.
func ExampleFormatError() {
	_, err := javaser.Decode([]byte("\xac\xed\x00\x05t\x00\x05abc"), javaser.Limits{})
	fmt.Println(err)
	_, err = javaser.Decode([]byte("\xac\xed\x00\x05t\x00\x03abc"), javaser.Limits{Bytes: 8})
	var e *javaser.FormatError
	fmt.Println(errors.As(err, &e) && e.Limit)
	// Output:
	// tribes: decode java object: offset 10: ends inside a string
	// true
}
