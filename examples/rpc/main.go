// Command rpc asks all members of a group the same question and shows what each says,
// or why it says nothing: which files they have that match a pattern. Start it several
// times, in different folders; each asks once for every line that it is given.
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
	"path/filepath"
	"time"

	"github.com/gotribes/tribes/group"
)

// patience is how long an answer may take.
const patience = 2 * time.Second

// Question and Answer travel as JSON; other codecs are a matter of two methods.
type (
	Question struct{ Pattern string }
	Answer   struct{ Files []string }
)

func main() {
	dir := flag.String("dir", ".", "folder to search")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *dir, os.Stdin, os.Stdout, group.WithBind("127.0.0.1")); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string, in io.Reader, out io.Writer, options ...group.Option) error {
	g, err := group.New(options...)
	if err != nil {
		return err
	}
	r, err := g.RPC("find")
	if err != nil {
		return err
	}
	find := group.NewTypedRPC[Question, Answer](r, group.JSON)
	search := func(_ context.Context, _ *group.Member, q Question) (Answer, error) {
		files, err := filepath.Glob(filepath.Join(dir, q.Pattern))
		for i, f := range files {
			files[i] = filepath.Base(f)
		}
		return Answer{files}, err // a bad pattern: the asker sees why
	}
	if _, err := find.Handle(search, group.HandlerConfig{Concurrency: 4}); err != nil {
		return err
	}
	if err := g.Start(ctx); err != nil {
		return err
	}
	defer g.Stop(context.Background())

	lines := bufio.NewScanner(in)
	for lines.Scan() && ctx.Err() == nil {
		if err := ask(ctx, g, find, lines.Text(), out); err != nil {
			return err
		}
	}
	return lines.Err()
}

// ask asks this member and all others. Those that do not answer are no reason to fail.
func ask(ctx context.Context, g *group.Group, find *group.TypedRPC[Question, Answer], pattern string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	to := append([]*group.Member{g.Local()}, g.View().Members...)
	answers, err := find.Call(ctx, to, Question{pattern}, group.AllReplies)
	if answers == nil {
		return err // nothing was asked
	}
	for _, a := range answers {
		if a.Outcome == group.CallReplied {
			fmt.Fprintf(out, "%s: %q\n", a.Member, a.Value.Files)
		} else {
			fmt.Fprintf(out, "%s: %s: %v\n", a.Member, a.Outcome, a.Err)
		}
	}
	return nil
}
