// Package filestore keeps sessions in a directory, each in a file of its own: for one
// machine, whose processes may share the directory, and without a server.
//
//	st, err := filestore.Open(filestore.Config{Dir: "/var/lib/shop/sessions"})
//	...
//	defer st.Close()
//
// # What survives what
//
// A session is written to another file, that is synced, and renamed over the one before, and
// the directory is synced. So after a crash of the process or of the machine each session is
// there as it was before a save or as it is afterwards, and what Save and Delete have returned
// without an error remains. With [Config].NoSync that holds for crashes of processes; a crash
// of the machine may then lose the last seconds, or spoil files that were just written. An
// access that [Store.Touch] notes may always be lost with the machine.
//
// A file that is not whole is an error, a [*CorruptError], which names it; other sessions are
// not concerned. It stays until the session is deleted.
//
// # A disk that hangs
//
// Nothing ends a call of the file system, so each call runs on a goroutine of its own, some µs
// more, and is left behind when its ctx ends: the error is [ErrPending] then. What is left
// behind keeps the lock of its session, here and in other processes, until the file system
// answers. So a save that was given up never replaces a newer one, and unless it was at its
// very last steps it saves nothing any more. At most 64 calls that read and one that changes
// something for each of the 64 locks are left behind; the next ones wait for these until their
// ctx ends. [Store.Close] waits for them for 5 s.
//
// # Several processes
//
// Saves of one session are kept apart by locks on files (flock, LockFileEx), which end with
// the process that holds them. The directory belongs on a local disk. File systems of a
// network such as NFS may have locks that do not reach other machines, and caches that show
// old files: use a database there.
//
// # Files
//
// The directory has 64 files lock-NN, which stay, at most as many tmp-NN, and for each
// session one file, whose name says the id: s-ID.session in lower case, with ~ and which
// letters are upper case (base32, one bit each) if any are. docs/stores.md has the content. Do
// not remove the locks while processes run; the file of a session can be removed at any time.
package filestore
