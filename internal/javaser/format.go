package javaser

// The stream starts with a magic number and a version. Handles are numbers
// that stand for things already seen; the first one is baseHandle.
const (
	streamHeader = "\xac\xed\x00\x05"
	baseHandle   = 0x7e0000
)

// Tags: each content starts with one of these bytes.
const (
	tagNull       = 0x70
	tagReference  = 0x71
	tagClassDesc  = 0x72
	tagObject     = 0x73
	tagString     = 0x74
	tagArray      = 0x75
	tagClass      = 0x76
	tagBlock      = 0x77
	tagEndBlock   = 0x78
	tagReset      = 0x79
	tagBlockLong  = 0x7a
	tagException  = 0x7b
	tagLongString = 0x7c
	tagProxyDesc  = 0x7d
	tagEnum       = 0x7e
)

// maxBlock is where Java cuts block data. A reader accepts any size; the
// writer cuts at the same place so that its bytes equal those of Java.
const maxBlock = 1024

// primitiveSize returns the number of bytes that a primitive value with this
// type code has in the stream, or 0 if the code is not that of a primitive.
func primitiveSize(code byte) int {
	switch code {
	case 'B', 'Z':
		return 1
	case 'C', 'S':
		return 2
	case 'I', 'F':
		return 4
	case 'J', 'D':
		return 8
	}
	return 0
}

// isObjectCode reports whether a type code is that of a class or an array.
func isObjectCode(code byte) bool { return code == 'L' || code == '[' }
