// Package transporttest is the list of checks that every transport passes: a
// pair of a channel.Sender and a channel.Receiver that fit each other.
//
// A transport's own test has one call:
//
//	func TestConformance(t *testing.T) {
//		transporttest.Run(t, func(t *testing.T) transporttest.Maker {
//			return func(s transporttest.Settings) transporttest.Node {
//				return transporttest.Node{Sender: …, Receiver: …}
//			}
//		})
//	}
//
// The suite starts and stops the parts itself, gives them their channel.Env,
// and counts what they settle and deliver. After each check it looks for
// goroutines and, in builds that count them, for buffers left behind.
//
// # Caveats
//
// The checks wait in real time, a few seconds in all, unless [RunVirtual] runs
// them. They do not run in parallel, because the count of buffers is one for
// the process.
package transporttest
