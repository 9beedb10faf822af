package place

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gotribes/tribes/bench/internal/proc"
)

// Process is a process on a host.
type Process struct {
	*proc.Process
	log string
}

// Start runs args on a host, in a folder of the name that Folder got; its output
// goes to the file log there. env is added to the environment.
func (p *Place) Start(host int, folder string, args, env []string) (*Process, error) {
	argv := p.net.argv(host, args)
	out, err := os.OpenFile(filepath.Join(p.dir, folder, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the process has its own
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = filepath.Dir(out.Name())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), env...)
	started, err := proc.Start(cmd)
	if err != nil {
		return nil, err
	}
	return &Process{started, out.Name()}, nil
}

// grace is how long a process may take to end when it is asked to.
const grace = 20 * time.Second

// Stop asks the process to end and waits; it is killed when it takes too long.
func (r *Process) Stop() error { return r.Process.Stop(grace) }

// Complaint is an error with the end of the log.
func (r *Process) Complaint(what string) error {
	b, err := os.ReadFile(r.log)
	if err != nil {
		return fmt.Errorf("%s; its log: %w", what, err)
	}
	lines := strings.Split(string(bytes.TrimSpace(b)), "\n")
	return fmt.Errorf("%s: %s", what, strings.Join(lines[max(0, len(lines)-3):], " / "))
}
