//go:build !unix

package show

import "syscall"

func ownGroup() *syscall.SysProcAttr { return nil }
