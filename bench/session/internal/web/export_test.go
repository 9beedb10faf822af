package web

// ParseReply is how replies are read.
func ParseReply(b []byte) (Reply, error) {
	var r Reply
	err := r.parse(b)
	return r, err
}
