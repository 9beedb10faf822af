package balance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// watch asks a node again and again whether it is ready.
func (p *Proxy) watch(ctx context.Context, name string) {
	t := time.NewTicker(p.config.Every)
	defer t.Stop()
	for {
		p.check(ctx, name)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// check asks once.
func (p *Proxy) check(ctx context.Context, name string) {
	var addr string
	p.change(name, func(n *node) {
		if !n.draining {
			addr = n.addr
		}
	})
	if addr == "" {
		return
	}
	err := p.probe(ctx, addr)
	if ctx.Err() != nil {
		return
	}
	p.change(name, func(n *node) {
		if n.addr == addr && !n.draining { // still the process that was asked
			p.mark(n, err)
		}
	})
}

func (p *Proxy) probe(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/ready", nil)
	if err != nil {
		return err
	}
	response, err := p.probes.RoundTrip(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.CopyN(io.Discard, response.Body, 64<<10); err != nil && err != io.EOF {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: status %d", response.StatusCode)
	}
	return nil
}

// mark notes whether a node can take requests. The caller holds p.mu.
func (p *Proxy) mark(n *node, err error) {
	switch {
	case err == nil && !n.up:
		p.config.Log.Info("node is up", "node", n.Name, "addr", n.addr)
		n.why = ""
	case err != nil && n.up:
		p.config.Log.Warn("node is down", "node", n.Name, "addr", n.addr, "err", err)
	}
	if n.up = err == nil; err != nil {
		n.why = err.Error()
	}
}

// lost notes that a request has found a node gone, which no check has yet.
func (p *Proxy) lost(t target, err error) {
	p.change(t.name, func(n *node) {
		if n.addr == t.addr && n.up {
			p.mark(n, err)
		}
	})
}
