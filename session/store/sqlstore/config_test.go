package sqlstore

import (
	"database/sql"
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		config Config
		want   string // a part of the error, empty for none
	}{
		{Config{Dialect: MySQL}, ""},
		{Config{Dialect: PostgreSQL, Table: "shop.Sessions_2"}, ""},
		{Config{Dialect: SQLite, Table: "tomcat$sessions", App: "/Catalina/größe"}, ""},
		{Config{Dialect: SQLite, Columns: Columns{ID: "select"}}, ""},
		{Config{}, "Config.Dialect is 0"},
		{Config{Dialect: 4}, "Config.Dialect is 4"},
		{Config{Dialect: MySQL, Table: "a`b"}, "Config.Table"},
		{Config{Dialect: MySQL, Table: "a.b.c"}, "Config.Table"},
		{Config{Dialect: MySQL, Table: ".b"}, "Config.Table"},
		{Config{Dialect: MySQL, Table: "a."}, "Config.Table"},
		{Config{Dialect: MySQL, Table: "1a"}, "Config.Table"},
		{Config{Dialect: MySQL, Table: "sessions; DROP TABLE users"}, "Config.Table"},
		{Config{Dialect: MySQL, Table: strings.Repeat("x", 64)}, "Config.Table"},
		{Config{Dialect: MySQL, Columns: Columns{Data: `da"ta`}}, "Config.Columns"},
		{Config{Dialect: MySQL, Columns: Columns{Data: "{id}"}}, "Config.Columns"},
		{Config{Dialect: MySQL, Columns: Columns{Data: "VERSION"}}, "two are called"},
		{Config{Dialect: MySQL, App: "x "}, "Config.App"},
		{Config{Dialect: MySQL, App: "a\x00b"}, "Config.App"},
		{Config{Dialect: MySQL, App: "a\xFF"}, "Config.App"},
		{Config{Dialect: MySQL, App: strings.Repeat("ä", 255)}, ""},
		{Config{Dialect: MySQL, App: strings.Repeat("ä", 256)}, "Config.App"},
		{Config{Dialect: MySQL, MaxData: -1}, "Config.MaxData"},
		{Config{Dialect: MySQL, MaxData: 1<<30 + 1}, "Config.MaxData"},
	} {
		_, err := New(new(sql.DB), tt.config)
		_, schemaErr := Schema(tt.config)
		for _, err := range []error{err, schemaErr} {
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("%+v: %v", tt.config, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "tribes: sqlstore: ")):
				t.Errorf("%+v: %v, want an error with %q", tt.config, err, tt.want)
			}
		}
	}
	if _, err := New(nil, Config{Dialect: MySQL}); err == nil {
		t.Error("New without a database succeeds")
	}
}

func TestDialects(t *testing.T) {
	for name, want := range map[string]Dialect{"postgresql": PostgreSQL, "Postgres": PostgreSQL, "mysql": MySQL, "mariadb": MySQL, "sqlite": SQLite} {
		if d, err := ParseDialect(name); d != want || err != nil {
			t.Errorf("ParseDialect(%q) = %v, %v", name, d, err)
		}
	}
	for _, d := range []Dialect{PostgreSQL, MySQL, SQLite} {
		if got, err := ParseDialect(d.String()); got != d || err != nil {
			t.Errorf("ParseDialect(%q) = %v, %v", d, got, err)
		}
	}
	if d, err := ParseDialect("oracle"); err == nil {
		t.Errorf("ParseDialect(oracle) = %v", d)
	}
}

func TestStatements(t *testing.T) {
	for _, tt := range []struct {
		config     Config
		text, want string
	}{
		{Config{Dialect: MySQL}, deleteText, "DELETE FROM `tomcat_sessions` WHERE `app_name` = ? AND `session_id` = ?"},
		{Config{Dialect: PostgreSQL, Table: "shop.s"}, deleteText, `DELETE FROM "shop"."s" WHERE "app_name" = $1 AND "session_id" = $2`},
		{Config{Dialect: SQLite, Columns: Columns{ID: "order"}}, deleteText, `DELETE FROM "tomcat_sessions" WHERE "app_name" = ? AND "order" = ?`},
		{Config{Dialect: PostgreSQL}, touchText, `UPDATE "tomcat_sessions" SET "expires" = "expires" + ($1 - "last_access"), "last_access" = $2` +
			` WHERE "app_name" = $3 AND "session_id" = $4 AND "last_access" < $5`},
	} {
		must(t, tt.config.complete())
		if got := tt.config.place(tt.text); got != tt.want {
			t.Errorf("%s\nwant %s", got, tt.want)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSchema(t *testing.T) {
	for _, tt := range []struct {
		config Config
		want   []string
	}{
		{Config{Dialect: PostgreSQL, Table: "shop.s"}, []string{
			`CREATE TABLE IF NOT EXISTS "shop"."s" (`, `    "session_id" varchar(200) COLLATE "C" NOT NULL,`, `    "session_data" bytea NOT NULL,`,
			`    PRIMARY KEY ("app_name", "session_id")` + "\n);", `CREATE INDEX IF NOT EXISTS "s_expires" ON "shop"."s" ("app_name", "expires");`,
		}},
		{Config{Dialect: MySQL}, []string{
			"CREATE TABLE IF NOT EXISTS `tomcat_sessions` (", "COLLATE ascii_bin NOT NULL,", "    `session_data` mediumblob NOT NULL,",
			"    INDEX `tomcat_sessions_expires` (`app_name`, `expires`)\n) ENGINE=InnoDB;",
		}},
		{Config{Dialect: SQLite, Table: "main.s"}, []string{
			`CREATE TABLE IF NOT EXISTS "main"."s" (`, `    "session_data" BLOB NOT NULL,`,
			`CREATE INDEX IF NOT EXISTS "main"."s_expires" ON "s" ("app_name", "expires");`,
		}},
		{Config{Dialect: PostgreSQL, Table: strings.Repeat("x", 63)}, []string{`"` + strings.Repeat("x", 55) + `_expires"`}},
	} {
		got, err := Schema(tt.config)
		must(t, err)
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%v: the schema\n%s\nhas no %q", tt.config.Dialect, got, want)
			}
		}
		if strings.ContainsAny(got, "{}?") || !strings.HasSuffix(got, ";\n") {
			t.Errorf("%v: %s", tt.config.Dialect, got)
		}
	}
}
