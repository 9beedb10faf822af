// Package javaser reads and writes Java object streams as far as Tribes puts
// them on the wire. It handles data only, never behaviour: a class name in a
// stream is a string to compare, nothing is looked up, created or run by name.
//
// # The format
//
// A stream is the header ac ed 00 05 and contents. An object starts with a tag:
//
//	70                                null
//	71 handle                         what has this handle, see below
//	72 name uid flags fields          class description; then contents, 78,
//	                                  and the description of the super class
//	73 class data                     object
//	74 u16 text, 7c i64 text          string
//	75 class i32 elements             array
//	76 class                          class object
//	7d i32 names                      description of a proxy class; goes on like 72
//	7e class string                   enum constant
//
// Numbers are big endian and text is modified UTF-8. The data of an object are,
// for each class of its chain from the topmost super class down, the values of
// its fields and, if flag 01 is set, contents that end with 78. With flags 0c
// (externalizable in block data) there are only contents, of the class itself.
// Contents are objects and blocks: 77 u8 bytes or 7a i32 bytes. Java cuts what a
// class writes into blocks of 1024 bytes; blocks that follow each other are
// joined here.
//
// Class descriptions, objects, arrays, strings (also those that are the types
// of fields), enum constants and class objects get handles in the order in which
// they begin, from 7e0000 on. Java writes the second occurrence of each as a
// reference. The decoder resolves all of them, so that a pointer that occurs
// twice in a tree is one object; the encoder writes references by the same rule.
// A tree that was decoded from what Java wrote encodes to the same bytes.
//
// Between top level contents a 79 (reset) makes the stream forget its handles.
// docs/wire.md, section Java objects, has the layouts of the classes of Tribes.
//
// # What is here
//
// Decode and DecodeStream give a neutral tree of Values. Typed turns the trees
// of known classes into RPC, ByteMessage, Member and MemberMessage. IsRPC and
// IsMemberMessage look at a message's first bytes; DecodeRPC and
// DecodeMemberMessage read it. Append writes any Value, AppendRPC and
// AppendRPCBytes are made for messages of every day and for many bytes.
//
// # Limits
//
// The decoder is made for bytes from strangers. It never panics, and errors are
// of one type, *FormatError. No announced length takes memory before the rest of
// the input is known to hold it. Limits bounds nesting, values, handles, the
// length of the input, and the memory of the tree as a multiple of that; its zero
// value is fit for use.
//
// # Caveats
//
//   - Decoded bytes and strings alias the input, except block data that was cut.
//     Keep the input unchanged as long as the result is in use, or copy.
//   - Trees can have cycles, since Java objects can.
//   - Any serialVersionUID is read, but Java does not do that: Member.UID must
//     fit the peers' release.
//   - Externalizable classes without block data (flag 08) are refused. Nothing
//     says where they end. So is the mark 7b with which a writer says that it
//     failed half-way, and a description that has itself as a super class.
//   - Blocks, type codes and text are checked. The order of fields, names and
//     type strings are not; they are for whoever uses the tree.
//   - A bool that was written as a byte other than 0 and 1 is written as 1, and
//     a string of less than 64 KiB is written with a short length whatever it
//     had. Java writes neither.
package javaser
