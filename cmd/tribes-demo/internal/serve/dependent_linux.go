package serve

import "syscall"

// dependent keeps a Ctrl-C in the terminal from reaching the nodes, which the
// cluster ends itself, and ends them when it is killed.
func dependent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
