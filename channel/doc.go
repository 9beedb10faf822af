// Package channel has the contract between the parts of a group member and the
// engine that joins them: a [Channel] is a stack of layers ([Interceptor]) over
// a [Sender], a [Receiver] and a membership.Service.
//
//	Send, Post, View                 Listen, Watch
//	      │                                ▲
//	 ┌────▼────────────────────────────────┴────┐
//	 │  interceptor 1                           │  nearest the application
//	 │  interceptor 2                           │
//	 │  ...                                     │
//	 └────┬────────────────────────────────▲────┘
//	   Sender                     Receiver, membership
//
// Package group assembles channels with good defaults; this package is for
// those who choose the parts themselves, or write one.
//
// # Sending
//
// Sends are asynchronous at heart. A [SendFunc] returns when the layer below
// has accepted the message; the outcome at each destination comes through a
// message.Receipt. Send waits for it, Post does not.
//
// # Members and views
//
// View has the members as this one sees them; others may see others. Agreed has the
// members on which all of them have agreed, if a layer of the stack provides that,
// else nothing: such views are a flow of their own, [Up].View.
//
// # Life cycle
//
//	New ── Start ── running ── Stop or Close ── stopped (Done is closed)
//
// One way: a channel is started once. Every goroutine of a channel is awaited
// before Done is closed.
//
// # Caveats
//
// A message given to a listener is borrowed: its bytes are another message's
// after the listener has returned. Clone what you keep.
//
// A listener that blocks stops the messages of the connection that its message
// came by, and nothing else; after Config.StuckAfter the log names it.
package channel
