//go:build unix

package command

import (
	"context"
	"os"
	"syscall"
	"testing"
)

func TestInterrupt(t *testing.T) {
	status := Run("do", os.Stderr, func(ctx context.Context) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
	if status != ExitOK {
		t.Errorf("status %d", status)
	}
}
