package servers

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"time"
)

// says asks by a program.
func says(args ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
}

// answers asks by a connection, and wants an answer that begins with some text.
func answers(addr, question, want string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now()) }) // it is open
		defer stop()
		if _, err := io.WriteString(c, question); err != nil {
			return err
		}
		got := make([]byte, len(want))
		if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
			return fmt.Errorf("%s answers %q, want %q (%v)", addr, got[:n], want, err)
		}
		return nil
	}
}
