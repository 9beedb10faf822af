package settings

import (
	"flag"
	"io"
	"strings"
)

// Help returns a writer that puts intro in front of the flags that Parse writes
// to it.
func Help(w io.Writer, intro string) io.Writer { return &helpWriter{w, intro} }

type helpWriter struct {
	w     io.Writer
	intro string
}

func (h *helpWriter) Write(p []byte) (int, error) {
	intro := h.intro
	h.intro = ""
	if _, err := io.WriteString(h.w, intro); err != nil {
		return 0, err
	}
	return h.w.Write(p)
}

// printFlags writes the flags of a subcommand, if it has some, and then those that all share.
func printFlags(to io.Writer, shared, own func(*flag.FlagSet)) error {
	parts := []func(*flag.FlagSet){shared}
	if own != nil {
		parts = []func(*flag.FlagSet){own, shared}
	}
	for i, part := range parts {
		if i > 0 {
			if _, err := io.WriteString(to, "\nThose of tribes-demo node:\n\n"); err != nil {
				return err
			}
		}
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		fs.SetOutput(to)
		part(fs)
		fs.PrintDefaults()
	}
	return nil
}

// OneLine is the text of err on one line, also if it joins several, of which each is there
// once.
func OneLine(err error) string {
	text, had := "", make(map[string]bool)
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		if had[line] {
			continue
		}
		had[line] = true
		switch {
		case text == "" || line == "":
		case strings.HasSuffix(text, ":"):
			text += " "
		default:
			text += "; "
		}
		text += line
	}
	return text
}
