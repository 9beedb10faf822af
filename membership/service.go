package membership

import (
	"context"
	"log/slog"
)

// Env is what a [Service] gets to work with.
type Env struct {
	// Local is the member to announce.
	Local *Member
	// Notify takes the service's events. The service calls it serially, in the
	// order of its own table's changes, and never after Stop has returned or
	// Start has failed. When it is called, View shows the change already, or a
	// later state. It does not block; it may call View.
	Notify func(Event)
	// Listen tells the service to look for members, Announce to make the local
	// member known.
	Listen, Announce bool
	// Logger is never nil.
	Logger *slog.Logger
}

// Service finds members. A service is started once and stopped once; all
// methods are safe for concurrent use.
type Service interface {
	// Start begins to look and announce and returns without waiting for other
	// members. ctx bounds the start alone. After an error nothing is running.
	Start(ctx context.Context, env Env) error
	// View returns the members known now, without the local one.
	View() *View
	// Update announces a new description of the local member at once. Its key
	// must be that of Env.Local. Before Start and after Stop it does nothing.
	Update(local *Member)
	// Stop says goodbye if the service can, ends everything it started and
	// waits for it; ctx bounds the goodbye, for which a service may take a moment if
	// ctx has ended before. Stopping twice, before Start or
	// during it does no harm; a service that was stopped need not start.
	Stop(ctx context.Context) error
}
