package system

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gotribes/tribes/bench/session/internal/place"
	"github.com/gotribes/tribes/bench/session/peers/tomcat"
)

// tomcatDriver runs Tomcat with its DeltaManager or BackupManager, with its
// PersistentManager, or with nothing of that.
type tomcatDriver struct {
	home     string
	javaOpts []string
}

func (t tomcatDriver) missing() error    { return exists(filepath.Join(t.home, "stamp")) }
func (t tomcatDriver) peers(o Opts) bool { return o["options"] != "" }
func (t tomcatDriver) health() string    { return "/whoami" }

func (t tomcatDriver) node(s *System, host int, dir string) ([]string, error) {
	o := s.Column.Opts
	home, err := filepath.Abs(t.home)
	if err != nil {
		return nil, err
	}
	binder := `<Valve className="org.apache.catalina.ha.session.JvmRouteBinderValve"/>`
	if s.spread {
		binder = ""
	}
	err = tomcat.Write(dir, o["options"] != "", tomcat.Values{
		"ROUTE":   nodeName(host),
		"IP":      s.place.Addr(host),
		"HTTP":    strconv.Itoa(s.place.Port(host, place.HTTP)),
		"CHANNEL": strconv.Itoa(s.place.Port(host, place.Channel)),
		"MCAST":   strconv.Itoa(s.place.Port(host, place.Multicast)),
		"OPTS":    o["options"],
		"POOL":    o.or("pool", "25"),
		"BINDER":  binder,
		"MANAGER": clusterManager(o),
		"CONTEXT": s.persistence(),
	})
	if err != nil {
		return nil, err
	}
	classes := filepath.Join(dir, "webapps/ROOT/WEB-INF/classes")
	if err := os.CopyFS(classes, os.DirFS(filepath.Join(home, "classes"))); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "temp"), 0o755); err != nil {
		return nil, err
	}
	args := append([]string{"java"}, t.javaOpts...)
	return append(args, "-Djava.net.preferIPv4Stack=true", "-Dcatalina.home="+home, "-Dcatalina.base="+dir,
		"-Djava.io.tmpdir="+filepath.Join(dir, "temp"),
		"-Djava.util.logging.config.file="+filepath.Join(dir, "conf/logging.properties"),
		"-Djava.util.logging.manager=org.apache.juli.ClassLoaderLogManager",
		"-cp", filepath.Join(home, "lib", "*"), "org.apache.catalina.startup.Bootstrap", "start"), nil
}

func clusterManager(o Opts) string {
	if o["manager"] == "backup" {
		return `<Manager className="org.apache.catalina.ha.session.BackupManager"/>`
	}
	chunk := ""
	if n := o["chunk"]; n != "" {
		chunk = fmt.Sprintf(` sendAllSessions="false" sendAllSessionsSize="%s" sendAllSessionsWaitTime="20"`, n)
	}
	return `<Manager className="org.apache.catalina.ha.session.DeltaManager"` + chunk + `/>`
}

// Tomcat's valve loads a session at the beginning of each request and stores it at the
// end, so that any node can have the next.
const persistentManager = `<Valve className="org.apache.catalina.valves.PersistentValve"/>` +
	`<Manager className="org.apache.catalina.session.PersistentManager">%s</Manager>`

const tomcatDatabase = `<Resource name="jdbc/sessions" auth="Container" type="javax.sql.DataSource" ` +
	`factory="org.apache.tomcat.dbcp.dbcp2.BasicDataSourceFactory" driverClassName="org.postgresql.Driver" ` +
	`url="jdbc:postgresql://%s/postgres" username="postgres" maxTotal="64" maxIdle="64"/>`

const tomcatStore = `<Store className="org.apache.catalina.session.DataSourceStore" dataSourceName="jdbc/sessions" localDataSource="true" ` +
	`sessionTable="sessions_of_tomcat" sessionIdCol="session_id" sessionValidCol="valid_session" sessionMaxInactiveCol="max_inactive" ` +
	`sessionLastAccessedCol="last_access" sessionAppCol="app_name" sessionDataCol="session_data"/>`

// persistence is what the context of a node has for its store.
func (s *System) persistence() string {
	switch s.Column.Opts["store"] {
	case "file":
		return fmt.Sprintf(persistentManager, `<Store className="org.apache.catalina.session.FileStore" directory="`+s.shared+`"/>`)
	case "postgres":
		return fmt.Sprintf(tomcatDatabase, s.at(place.Postgres)) + fmt.Sprintf(persistentManager, tomcatStore)
	}
	return ""
}
