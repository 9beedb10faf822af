//go:build !unix

package serve

import "syscall"

func dependent() *syscall.SysProcAttr { return nil }
