package filestore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// A file is a header and the data. All numbers are big endian.
//
//	 0  8  magic
//	 8  8  version
//	16  8  accessed when it was saved, ms since 1970, signed
//	24  8  timeout in ms, 0 for ever
//	32  4  length of the data
//	36  4  sum of the data
//	40  4  sum of the 40 bytes before and of the id
//	44 12  a touch: accessed, and a sum; two, so that a torn write leaves one
//	56 12  the other touch
//	68     data
//
// Sums are CRC-32 with the polynomial of Castagnoli.
const (
	magic      = "tribesS\x01"
	summed     = 40
	headSize   = 68
	touchAt    = 44
	touchSize  = 12
	touchCount = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CorruptError is the error of a file that is not what was saved.
type CorruptError struct {
	Path   string
	Reason string
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("tribes: filestore: %s is corrupt: %s", e.Path, e.Reason)
}

// head is the part of a session that the first bytes of its file hold.
type head struct {
	version  uint64
	accessed int64 // ms
	timeout  int64 // ms
	length   uint32
	sum      uint32
	touches  [touchCount]int64 // noTouch if there is none
}

const noTouch = -1 << 63

// encode returns the content of the file of s.
func encode(s *store.Session) []byte {
	b := make([]byte, headSize, headSize+len(s.Data))
	copy(b, magic)
	binary.BigEndian.PutUint64(b[8:], s.Version)
	binary.BigEndian.PutUint64(b[16:], uint64(s.Accessed.UnixMilli()))
	binary.BigEndian.PutUint64(b[24:], uint64(max(0, s.Timeout.Milliseconds())))
	binary.BigEndian.PutUint32(b[32:], uint32(len(s.Data)))
	binary.BigEndian.PutUint32(b[36:], crc32.Checksum(s.Data, castagnoli))
	binary.BigEndian.PutUint32(b[40:], headSum(b, s.ID))
	return append(b, s.Data...)
}

func headSum(b []byte, id string) uint32 {
	return crc32.Update(crc32.Checksum(b[:summed], castagnoli), castagnoli, []byte(id))
}

// decodeHead decodes the first bytes of the file of a session.
func decodeHead(b []byte, id string) (h head, reason string) {
	switch {
	case len(b) < headSize:
		return h, fmt.Sprintf("it has %d bytes, the header alone %d", len(b), headSize)
	case string(b[:8]) != magic:
		return h, "it does not begin as a session does"
	case binary.BigEndian.Uint32(b[40:]) != headSum(b, id):
		return h, "the sum of its header is wrong, or it belongs to another id"
	}
	h = head{
		version:  binary.BigEndian.Uint64(b[8:]),
		accessed: int64(binary.BigEndian.Uint64(b[16:])),
		timeout:  int64(binary.BigEndian.Uint64(b[24:])),
		length:   binary.BigEndian.Uint32(b[32:]),
		sum:      binary.BigEndian.Uint32(b[36:]),
	}
	for i := range h.touches {
		t := b[touchAt+i*touchSize:]
		h.touches[i] = noTouch
		if binary.BigEndian.Uint32(t[8:]) == touchSum(t, id) {
			h.touches[i] = int64(binary.BigEndian.Uint64(t))
		}
	}
	return h, ""
}

// encodeTouch returns the bytes of a touch.
func encodeTouch(accessed int64, id string) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, touchSize), uint64(accessed))
	return binary.BigEndian.AppendUint32(b, touchSum(b, id))
}

// touchSum is that of an access; it is inverted so that zeros are none.
func touchSum(b []byte, id string) uint32 {
	return ^crc32.Update(crc32.Checksum(b[:8], castagnoli), castagnoli, []byte(id))
}

// last is the last access that the file knows of.
func (h *head) last() int64 { return max(h.accessed, h.touches[0], h.touches[1]) }

// free is the number of the touch to be overwritten: the one that says less.
func (h *head) free() int {
	if h.touches[1] < h.touches[0] {
		return 1
	}
	return 0
}

func (h *head) session(id string, data []byte) *store.Session {
	return &store.Session{
		ID: id, Data: data, Version: h.version,
		Accessed: time.UnixMilli(h.last()), Timeout: time.Duration(h.timeout) * time.Millisecond,
	}
}

// decode decodes the file of a session. The result has a part of b as its data.
func decode(b []byte, id string) (s *store.Session, reason string) {
	h, reason := decodeHead(b, id)
	if reason != "" {
		return nil, reason
	}
	data := b[headSize:]
	switch {
	case len(data) != int(h.length):
		return nil, fmt.Sprintf("it has %d bytes of data, and its header says %d", len(data), h.length)
	case crc32.Checksum(data, castagnoli) != h.sum:
		return nil, "the sum of its data is wrong"
	}
	return h.session(id, data[:len(data):len(data)]), ""
}
