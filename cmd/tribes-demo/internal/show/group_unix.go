//go:build unix

package show

import "syscall"

// ownGroup keeps a Ctrl-C in the terminal from reaching the member processes,
// which the demo ends itself.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
