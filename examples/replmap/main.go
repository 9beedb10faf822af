// Command replmap is a map that several processes share, with a line for each thing that
// happens to it. Start it twice and type: put NAME VALUE, put NAME VALUE SECONDS,
// add NAME (counts), delete NAME, all. Kill one, start it again, cut the network: all end up with the
// same. With -backups 1, the same for all, each value is on two of them only; get NAME asks
// one of those.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/replmap"
)

func main() {
	backups := flag.Int("backups", 0, "how many have a value beside its primary; 0 is all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdin, os.Stdout, *backups, group.WithBind("127.0.0.1")); err != nil {
		log.Fatal(err)
	}
}

// run ends with its input, or when ctx does and the input has one more line.
func run(ctx context.Context, in io.Reader, out io.Writer, backups int, options ...group.Option) error {
	g, err := group.New(options...)
	if err != nil {
		return err
	}
	if err := g.Start(ctx); err != nil {
		return err
	}
	defer g.Stop(context.Background())
	m, err := replmap.New(replmap.Config[string, string]{
		Group: g, Name: "example", Keys: replmap.String(), Values: replmap.String(),
		Backups: backups,
	})
	if err != nil {
		return err
	}
	defer m.Close(context.Background())
	if err := m.Start(ctx); err != nil { // the entries of the others are here then
		return err
	}
	m.Watch(func(_ context.Context, e replmap.Event[string, string]) {
		fmt.Fprintf(out, "%s: %s %q, was %q\n", e.Kind, e.Key, e.New, e.Old)
	})
	lines := bufio.NewScanner(in)
	for lines.Scan() && ctx.Err() == nil {
		if err := do(ctx, m, out, strings.Fields(lines.Text())); err != nil {
			fmt.Fprintln(out, "error:", err)
		}
	}
	return lines.Err()
}

// do carries out one line.
func do(ctx context.Context, m *replmap.Map[string, string], out io.Writer, words []string) error {
	switch {
	case len(words) == 3 && words[0] == "put":
		return m.Put(ctx, words[1], words[2]) // returns when the others have it
	case len(words) == 4 && words[0] == "put":
		seconds, err := strconv.Atoi(words[3])
		if err != nil {
			return err
		}
		return m.PutFor(ctx, words[1], words[2], time.Duration(seconds)*time.Second)
	case len(words) == 2 && words[0] == "add":
		_, err := m.Update(ctx, words[1], func(old string, there bool) (string, bool, error) {
			n := 0
			if there {
				var err error
				if n, err = strconv.Atoi(old); err != nil {
					return "", false, err
				}
			}
			return strconv.Itoa(n + 1), true, nil
		})
		return err
	case len(words) == 2 && words[0] == "get":
		v, there, err := m.Get(ctx, words[1])
		if there {
			fmt.Fprintf(out, "%s is %q, kept by %v\n", words[1], v, m.Holders(words[1]))
		}
		return err
	case len(words) == 2 && words[0] == "delete":
		_, err := m.Delete(ctx, words[1])
		return err
	case len(words) == 1 && words[0] == "all":
		for k, v := range m.All() {
			fmt.Fprintf(out, "%s is %q, decided by %v\n", k, v, m.Primary(k))
		}
		return nil
	}
	return fmt.Errorf("want put NAME VALUE [SECONDS], add NAME, get NAME, delete NAME or all")
}
