package nio

import "time"

// ackDelay is how long, in nanoseconds, the answer to a finished delivery may
// wait for others to be written with it.
const ackDelay = int64(200 * time.Microsecond)

// keepOut is the largest buffer for answers that a connection keeps.
const keepOut = 1 << 10

// flush writes the answers that are due, all in one write. If another goroutine
// is writing, that one writes them too.
func (c *rxConn) flush() {
	c.mu.Lock()
	if !c.writing {
		c.write()
	}
	c.unlock()
}

// unlock unlocks mu after a write and does what the write has brought about.
func (c *rxConn) unlock() {
	dead, ended := c.dead, c.readEnded
	c.mu.Unlock()
	if dead {
		c.sock.close()
	}
	if ended {
		c.tryFinish()
	}
}

// write writes answers until none are due. Called with mu held, which it lets
// go of while it writes.
func (c *rxConn) write() {
	for !c.dead {
		c.unwritten.Store(0)
		c.out = c.answers.append(c.out[:0])
		if len(c.out) == 0 {
			break
		}
		c.writing = true
		c.blocked.Store(c.r.now())
		c.mu.Unlock()
		n, err := c.sock.write(c.out)
		c.mu.Lock()
		if err == errWouldBlock {
			c.stall(n)
			return
		}
		c.wrote(err)
	}
	if cap(c.out) > keepOut {
		c.out = nil
	}
}

// wrote notes the end of a write. Called with mu held.
func (c *rxConn) wrote(err error) {
	c.blocked.Store(0)
	c.writing = false
	if err != nil {
		c.dead = true
		c.reset.Store(true)
	}
}

// stall keeps what could not be written for writable, which then has the right
// to write. Called with mu held.
func (c *rxConn) stall(n int) {
	c.rest = c.out[n:]
	c.hold.Or(holdWrite)
	c.mu.Unlock()
	c.sock.awaitWrite()
	c.mu.Lock()
}

// writable goes on with a write that has stalled. The reactor calls it, in line
// with fill; it returns whether there is more to write.
func (c *rxConn) writable() bool {
	c.mu.Lock()
	rest := c.rest
	c.mu.Unlock()
	if len(rest) == 0 {
		return false
	}
	n, err := c.sock.write(rest)
	c.mu.Lock()
	if err == errWouldBlock {
		c.rest = rest[n:]
		c.mu.Unlock()
		return true
	}
	c.rest = nil
	c.wrote(err)
	c.write()
	more := len(c.rest) > 0
	c.unlock()
	if !more {
		c.release(holdWrite)
	}
	return more
}

// closed says that the socket is closed. The reactor calls it, in line with fill
// and writable, which are not called afterwards.
func (c *rxConn) closed() {
	c.mu.Lock()
	c.dead = true
	if len(c.rest) > 0 {
		c.rest = nil
		c.writing = false
	}
	c.mu.Unlock()
	c.endRead()
	c.tryFinish()
}
