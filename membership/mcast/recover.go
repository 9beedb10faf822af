package mcast

import (
	"context"
	"errors"
	"time"
)

const (
	minPause = 50 * time.Millisecond // before the second try, then longer
	steady   = 5 * time.Second       // a socket that lived that long is tried again at once
)

// recover opens a socket in place of one that failed, trying until it works or
// ctx ends, which gives nil. No goodbye is said: to the others a short outage is
// a few lost heartbeats.
func (l *listener) recover(ctx context.Context, failed *socket) *socket {
	if errors.Is(failed.cause, errDeaf) {
		l.env.Logger.Debug("multicast socket hears nothing, opening another", "interface", failed.iface)
	} else if leftOut, ok := l.quiet.may("recover", failed.group.Addr()); ok {
		l.env.Logger.Warn("multicast socket failed, opening another", "interface", failed.iface, "err", failed.cause, "before", leftOut)
	}
	if time.Since(failed.opened) > steady {
		l.pause = 0
	}
	for {
		if !l.wait(ctx, l.pause) {
			return nil
		}
		l.pause = min(max(2*l.pause, minPause), l.cfg.RecoveryPause)
		sock, err := l.reopen(ctx, failed.iface)
		if err != nil {
			if leftOut, ok := l.quiet.may("reopen", failed.group.Addr()); ok && ctx.Err() == nil {
				l.env.Logger.Warn("multicast socket cannot be opened, trying again", "err", err, "before", leftOut)
			}
			continue
		}
		return l.adopt(ctx, sock)
	}
}

// adopt makes sock the socket of the service, unless Stop is about to close it.
func (l *listener) adopt(ctx context.Context, sock *socket) *socket {
	l.counts.opened.Add(1)
	l.sock.Store(sock)
	if ctx.Err() != nil { // Stop may have looked for a socket before there was this one
		sock.giveUp(context.Cause(ctx))
		l.sock.CompareAndSwap(sock, nil)
		return nil
	}
	signal(l.changed) // the others have missed some heartbeats
	return sock
}

// wait lets d pass and does meanwhile what is due without a socket. It reports
// whether ctx is still alive.
func (l *listener) wait(ctx context.Context, d time.Duration) bool {
	end := time.Now().Add(d)
	for {
		now := time.Now()
		if l.env.Listen && !now.Before(l.deadline) {
			_ = l.check(now, nil) // without a socket nothing can fail
		}
		next := end
		if l.env.Listen && l.deadline.Before(end) {
			next = l.deadline
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
		if !time.Now().Before(end) {
			return true
		}
	}
}
