//go:build unix && !linux

package serve

import "syscall"

// dependent keeps a Ctrl-C in the terminal from reaching the nodes, which the
// cluster ends itself.
func dependent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
