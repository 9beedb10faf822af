package nio

import (
	"bytes"
	"strings"
)

// sniffed are beginnings of what comes to an open port by mistake.
var sniffed = []struct{ prefix, protocol string }{
	{"GET ", "HTTP"},
	{"POST ", "HTTP"},
	{"PUT ", "HTTP"},
	{"HEAD ", "HTTP"},
	{"DELETE ", "HTTP"},
	{"OPTIONS ", "HTTP"},
	{"CONNECT ", "HTTP"},
	{"PRI * HTTP/2", "HTTP/2"},
	{"HTTP/", "HTTP"},
	{"SSH-", "SSH"},
	{"PROXY ", "PROXY protocol"},
	{"\r\n\r\n\x00\r\nQUIT\n", "PROXY protocol"},
	{"JRMI", "Java RMI"},
	{"\xac\xed\x00\x05", "Java serialization"},
	{"\x12\x34", "AJP"},
	{"TRIBES-B", "a Tribes heartbeat"},
	{"EHLO ", "SMTP"},
	{"HELO ", "SMTP"},
}

// looksLike names the protocol that b seems to begin with; it is empty if it is
// none that is known.
func looksLike(b []byte) string {
	for _, s := range sniffed {
		if bytes.HasPrefix(b, []byte(s.prefix)) {
			return s.protocol
		}
	}
	if len(b) >= 3 && b[0] >= 0x14 && b[0] <= 0x17 && b[1] == 3 && b[2] <= 4 {
		return "TLS"
	}
	return ""
}

// quote returns the beginning of b for a log line.
func quote(b []byte) string {
	const most = 16
	var s strings.Builder
	for _, x := range b[:min(len(b), most)] {
		if x < 0x20 || x > 0x7e {
			x = '.'
		}
		s.WriteByte(x)
	}
	return s.String()
}
