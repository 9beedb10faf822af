package replay

import (
	"fmt"
	"strings"
)

// edit is a change of one file of Go's runtime.
type edit struct {
	file string // in GOROOT/src/runtime
	old  string // text that occurs once, so that a release that differs is noticed
	new  string
}

var edits = []edit{
	// What a process draws when it starts: the keys of hashes, where the heap begins.
	{file: "rand.go", old: "\tglobalRand.state.Init(*seed)\n", new: "\t*seed = [32]byte{1}\n\tglobalRand.state.Init(*seed)\n"},
	// Maps, math/rand/v2, hash/maphash, and what sync.Pool drops under the race detector.
	{file: "rand.go", old: "func rand() uint64 {\n", new: "func rand() uint64 {\n\tif replayHere() {\n\t\treturn replayDraw()\n\t}\n"},
	// Which case of a select is tried first.
	{file: "select.go", old: "cheaprandn(uint32(norder + 1))", new: "replayDrawN(uint32(norder + 1))"},
	// Which of the timers of one time is first.
	{file: "time.go", old: "t.rand = cheaprand()", new: "t.rand = replayDrawN(1<<32 - 1)"},
	{file: "synctest.go", old: "\t\t\tgp.m.curg = nil\n", new: "\t\t\tgp.m.curg = nil\n\t\t\treplay.timers = true\n"},
	{file: "synctest.go", old: "\t\t\tgp.m.curg = curg\n", new: "\t\t\tgp.m.curg = curg\n\t\t\treplay.timers = false\n"},
	// The race detector lets the scheduler shuffle what it runs.
	{file: "proc.go", old: "j := cheaprandn(i + 1)\n\t\t\tbatch", new: "j := replayDrawN(i + 1)\n\t\t\tbatch"},
	{file: "proc.go", old: "j := cheaprandn(i + 1)\n\t\t\tpp.runq", new: "j := replayDrawN(i + 1)\n\t\t\tpp.runq"},
	// Who does not belong to the bubble, as the runtime's own goroutines, runs after those
	// that do. The queue of a processor has room for all, since which of them are moved to
	// the other queue would depend on how many strangers are in it.
	{file: "proc.go", old: "func runqput(pp *p, gp *g, next bool) {\n", new: "func runqput(pp *p, gp *g, next bool) {\n\tif replay.on && gp.bubble == nil {\n\t\tnext = false\n\t}\n"},
	{file: "runtime2.go", old: "[256]guintptr", new: "[1 << 14]guintptr"},
	{file: "proc.go", old: "[256]guintptr", new: "[1 << 14]guintptr"},
	{file: "proc.go", old: "\tif runqputslow(pp, gp, h, t) {\n", new: "\tif replay.on {\n\t\tlock(&sched.lock)\n\t\tglobrunqput(gp)\n\t\tunlock(&sched.lock)\n\t\treturn\n\t}\n\tif runqputslow(pp, gp, h, t) {\n"},
	// How often the scheduler prefers the queue for all processors depends on what ran before.
	{file: "proc.go", old: "if pp.schedtick%61 == 0 && ", new: "if pp.schedtick%61 == 0 && !replay.on && "},
	// Who runs for 10 ms is preempted, who is in a system call loses the processor.
	{file: "proc.go", old: "func retake(now int64) uint32 {\n", new: "func retake(now int64) uint32 {\n\tif replay.on {\n\t\treturn 0\n\t}\n"},
	// A mutex changes its ways when somebody has waited for 1 ms.
	{file: "sema.go", old: "func internal_sync_nanotime() int64 {\n", new: "func internal_sync_nanotime() int64 {\n\tif b := getg().bubble; replay.on && b != nil {\n\t\treturn b.now\n\t}\n"},
}

// chance is a file that is added to the runtime. Its state needs no lock, since a bubble
// that is given a seed has one processor.
const chance = `package runtime

import _ "unsafe"

var replay struct {
	on     bool // a bubble runs whose chance comes from a seed
	timers bool // and its timers do, for no goroutine
	state  uint64
	sum    uint64 // of all draws and when they were
}

//go:linkname replayBegin github.com/gotribes/tribes/internal/bubble.beginChance
func replayBegin(seed uint64) { replay.on, replay.state, replay.sum = true, seed, 0 }

//go:linkname replayEnd github.com/gotribes/tribes/internal/bubble.endChance
func replayEnd() uint64 {
	replay.on = false
	return replay.sum
}

// replayHere reports whether what runs belongs to the bubble.
//
//go:nosplit
func replayHere() bool {
	if !replay.on {
		return false
	}
	if gp := getg().m.curg; gp != nil {
		return gp.bubble != nil
	}
	return replay.timers
}

// replayDraw is the generator SplitMix64.
//
//go:nosplit
func replayDraw() uint64 {
	replay.state += 0x9e3779b97f4a7c15
	z := replay.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	replay.sum ^= z
	if gp := getg().m.curg; gp != nil {
		replay.sum += uint64(gp.bubble.now)
	}
	replay.sum *= 0x100000001b3
	return z
}

//go:nosplit
func replayDrawN(n uint32) uint32 {
	if !replayHere() {
		return cheaprandn(n)
	}
	return uint32((replayDraw() >> 32) * uint64(n) >> 32)
}
`

// change returns the text of a file of the runtime with the edits in it.
func change(file, text string) (string, error) {
	for _, e := range edits {
		if e.file != file {
			continue
		}
		if n := strings.Count(text, e.old); n != 1 {
			return "", fmt.Errorf("this Go release is not one that is known: its runtime/%s has %q %d times, want it once; Go 1.26 has it so", file, e.old, n)
		}
		text = strings.Replace(text, e.old, e.new, 1)
	}
	return text, nil
}
