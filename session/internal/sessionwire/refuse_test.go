package sessionwire

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/gotribes/tribes/internal/wire"
)

// Parts of messages, in hex.
const (
	keyHex     = "00000000000000070000000000000000"
	nodeA      = "0061000000000000000000000000000001"
	changeHead = "0103" + keyHex + nodeA + "0001" // origin a, (0,1]
)

func refused(r wire.Reason, at int) error { return &FormatError{Reason: r, Offset: at} }

var refusals = []struct {
	name string
	hex  string
	want error
}{
	{"nothing", "", refused(wire.Truncated, 0)},
	{"version alone", "01", refused(wire.Truncated, 1)},
	{"hello: version 0", "0101000100000000", refused(wire.BadNumber, 2)},
	{"hello: highest below lowest", "010102010000", refused(wire.BadNumber, 2)},
	{"hello: state of 3", "0101010103000000", refused(wire.BadNumber, 4)},
	{"change: node out of turn", "0103" + keyHex + "01", refused(wire.BadNumber, 18)},
	{"change: node none", "0103" + keyHex + "0000000000000000000000000000000000" + "000100", refused(wire.NotCanonical, 18)},
	{"change: number too long", "0103" + keyHex + nodeA + "8000", refused(wire.NotCanonical, 35)},
	{"change: end past 64 bits", "0103" + keyHex + nodeA + "ffffffffffffffffff0101", refused(wire.BadNumber, 45)},
	{"unknown part", changeHead + "40", refused(wire.NotCanonical, 37)},
	{"end and more", changeHead + "2100", refused(wire.NotCanonical, 37)},
	{"end without a version", changeHead + "200001", refused(wire.BadNumber, 38)},
	{"end without a reason", changeHead + "20010000", refused(wire.BadNumber, 40)},
	{"no attributes", changeHead + "0100", refused(wire.NotCanonical, 38)},
	{"more attributes than bytes", changeHead + "01020161010100", refused(wire.LengthPastEnd, 38)},
	{"attribute without a name", changeHead + "0101000101000000", refused(wire.BadLength, 39)},
	{"names out of order", changeHead + "010201620001000161000100", refused(wire.NotCanonical, 44)},
	{"name twice", changeHead + "010201610001000161000100", refused(wire.NotCanonical, 44)},
	{"name past the end", changeHead + "01010561000100", refused(wire.LengthPastEnd, 39)},
	{"kind of attribute", changeHead + "01010161080100", refused(wire.NotCanonical, 41)},
	{"bytes with shares", changeHead + "010101610501000001000102", refused(wire.NotCanonical, 41)},
	{"never set and removed", changeHead + "0101016100000000", refused(wire.BadNumber, 41)},
	{"never set with a value", changeHead + "0101016101000161", refused(wire.BadNumber, 41)},
	{"no shares", changeHead + "01010161040000", refused(wire.NotCanonical, 43)},
	{"share at 0", changeHead + "0101016104000100" + "0002", refused(wire.BadNumber, 45)},
	{"share of a node twice", changeHead + "01010161040002000102000202", refused(wire.NotCanonical, 47)},
	{"shares out of order", "0103" + keyHex + "0062000000000000000000000000000001" + "0001" +
		"01010161040002" + "000102" + "0161000000000000000000000000000001" + "0202", refused(wire.NotCanonical, 47)},
	{"node named twice", changeHead + "01010161040002" + "000102" + "0161000000000000000000000000000001" + "0202", refused(wire.NotCanonical, 47)},
	{"difference from nothing", changeHead + "0101016103010000" + "05" + "00000000" + "00", refused(wire.BadNumber, 44)},
	{"no ids", changeHead + "0200", refused(wire.NotCanonical, 38)},
	{"id without a text", changeHead + "020101000000", refused(wire.BadLength, 41)},
	{"ids out of order", changeHead + "02020100016102000162", refused(wire.NotCanonical, 43)},
	{"timeout without a version", changeHead + "040000", refused(wire.BadNumber, 38)},
	{"timeout too long", changeHead + "040100ffffffffffffffff7f", refused(wire.BadNumber, 40)},
	{"touch without a version", changeHead + "100000", refused(wire.BadNumber, 38)},
	{"touches out of order", "010402" + keyHex + "01" + nodeA + "01" + "0000000000000006" + "0000000000000000" + "010001", refused(wire.NotCanonical, 38)},
	{"snapshot: marks out of order", "010700000001" + keyHex + "02" + "0062000000000000000000000000000001" + "01" +
		"0161000000000000000000000000000001" + "01" + "00", refused(wire.NotCanonical, 41)},
	{"snapshot: mark of 0", "010700000001" + keyHex + "01" + nodeA + "0000", refused(wire.BadNumber, 40)},
	{"snapshot: difference", "010700000001" + keyHex + "01" + nodeA + "05" + "01" + "01" + "0161" + "03" + "0200" + "0100" + "00" + "00000000" + "00",
		refused(wire.BadNumber, 43)},
	{"digest of another bucket", "0109" + "00" + "01" + "01" + keyHex + "0000000000000001", refused(wire.BadNumber, 5)},
	{"fetch out of order", "010a0002" + keyHex + keyHex, refused(wire.NotCanonical, 20)},
	{"fetch of more than there is", "010a0003" + keyHex + keyHex, refused(wire.LengthPastEnd, 3)},
	{"request: block above 32 bits", "010600" + keyHex + "808080801000", refused(wire.BadNumber, 19)},
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			in, err := hex.DecodeString(tt.hex)
			must(t, err)
			if m, err := Decode(in); !errors.Is(err, tt.want) {
				t.Errorf("Decode = %v, %v, want %v", m, err, tt.want)
			}
		})
	}
}
