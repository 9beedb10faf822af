package webtest

import "strconv"

func (c *Cluster) whoami(_ *node, q *call) {
	q.say(`"store":"test","pid":0,"peers":%d`, len(c.nodes)-1)
}

func (c *Cluster) get(own *node, q *call) {
	var v []byte
	if s := own.sessions[q.id]; s != nil {
		v = s.attrs[q.r.FormValue("name")]
	}
	q.attr(v)
}

func (q *call) attr(v []byte) { q.say(`"found":%t,"size":%d,"tag":%q`, v != nil, len(v), tagOf(v)) }

func (c *Cluster) incr(own *node, q *call) {
	c.adds++
	s, made := c.open(own, q)
	name := q.r.FormValue("name")
	n, _ := strconv.Atoi(tagOf(s.attrs[name])) // none is 0
	n++
	q.say(`"new":%t,"value":%d`, made, n)
	if !is(c.Faults.LoseAdd, c.adds) {
		c.set(own, q.id, name, []byte(strconv.Itoa(n)+"|"), false)
	}
}

func (c *Cluster) invalidate(own *node, q *call) {
	q.say(`"found":%t`, own.sessions[q.id] != nil)
	for _, n := range c.nodes {
		delete(n.sessions, q.id)
	}
}

func (c *Cluster) lookup(own *node, q *call) {
	s, name := own.sessions[q.r.FormValue("id")], q.r.FormValue("name")
	switch {
	case s == nil && name == "":
		q.say(`"found":false,"attrs":0`)
	case s == nil:
		q.attr(nil)
	case name == "":
		q.say(`"found":true,"attrs":%d`, len(s.attrs))
	default:
		q.attr(s.attrs[name])
		if v, ok := s.later[name]; ok {
			s.attrs[name] = v
			delete(s.later, name)
		}
	}
}

func (c *Cluster) stats(own *node, q *call) {
	q.say(`"sessions":%d,"known":%d,"heap":%d,"rss":1,"cpu_us":%d`,
		len(own.sessions), len(own.sessions), 1000*len(own.sessions), 10*(c.puts+c.adds))
}

// Sessions is how many sessions node i holds.
func (c *Cluster) Sessions(i int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.nodes[i].sessions)
}
