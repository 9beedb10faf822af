package system

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gotribes/tribes/bench/session/internal/place"
	"github.com/gotribes/tribes/bench/session/peers/tomcat"
)

// tomcatDriver runs Tomcat with its DeltaManager, or without a cluster.
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
	chunk := ""
	if n := o["chunk"]; n != "" {
		chunk = fmt.Sprintf(` sendAllSessions="false" sendAllSessionsSize="%s" sendAllSessionsWaitTime="20"`, n)
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
		"MANAGER": `<Manager className="org.apache.catalina.ha.session.DeltaManager"` + chunk + `/>`,
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
