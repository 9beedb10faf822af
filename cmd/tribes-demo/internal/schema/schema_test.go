package schema

import (
	"errors"
	"strings"
	"testing"

	"github.com/gotribes/tribes/session/store/sqlstore"
)

func run(args string) (out, errs string, status int) {
	var o, e strings.Builder
	status = Run(strings.Fields(args), &o, &e)
	return o.String(), e.String(), status
}

func TestSchema(t *testing.T) {
	for args, c := range map[string]sqlstore.Config{
		"-dialect postgresql":                   {Dialect: sqlstore.PostgreSQL},
		"-dialect mariadb -table shop.s":        {Dialect: sqlstore.MySQL, Table: "shop.s"},
		"-dialect sqlite -column session_id=id": {Dialect: sqlstore.SQLite, Columns: sqlstore.Columns{ID: "id"}},
		"-column expires=e -dialect mysql -column=version=v": {
			Dialect: sqlstore.MySQL, Columns: sqlstore.Columns{Version: "v", Expires: "e"}},
	} {
		want, err := sqlstore.Schema(c)
		if err != nil {
			t.Fatal(err)
		}
		if out, errs, status := run(args); out != want || errs != "" || status != 0 {
			t.Errorf("schema %s: status %d, %q\n%s\nwant\n%s", args, status, errs, out, want)
		}
	}
}

func TestHelp(t *testing.T) {
	out, errs, status := run("-h")
	if status != 0 || errs != "" || !strings.Contains(out, "usage: tribes-demo schema") || !strings.Contains(out, "-column") {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
}

func TestWrongUsage(t *testing.T) {
	for args, want := range map[string]string{
		"":                          "want -dialect",
		"-dialect oracle":           `-dialect "oracle": want postgresql, mysql or sqlite`,
		"-dialect mysql now":        `unexpected argument "now"`,
		"-dialect mysql -table a;b": `Config.Table "a;b"`,
		"-dialect mysql -table a;b -column version=c;d": `"c;d"`,
		"-dialect mysql -column id=x":                   `there is no column "id"`,
		"-dialect mysql -column session_id":             "want DEFAULT=NAME",
		"-dialect mysql -column session_id=":            "want DEFAULT=NAME",
		"-dialect mysql -column version=expires":        "two are called",
		"-x":                                            "not defined: -x",
	} {
		out, errs, status := run(args)
		if status != 2 || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "tribes-demo schema: ") || !strings.Contains(errs, want) {
			t.Errorf("schema %s: status %d, %q, want one line with %q", args, status, errs, want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

func TestOutputFails(t *testing.T) {
	var errs strings.Builder
	if status := Run([]string{"-dialect", "mysql"}, full{}, &errs); status != 1 || !strings.Contains(errs.String(), "disk is full") {
		t.Errorf("status %d, %q", status, errs.String())
	}
}
