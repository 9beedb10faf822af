// Package tomcat has what a measured Tomcat node is made of: templates of its
// configuration, and the servlet that the script ../install compiles.
package tomcat

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed conf webapp
var files embed.FS

// cluster is where the template of server.xml has the other one, or nothing.
const cluster = "@CLUSTER@"

// Values of the marks @MARK@ in the templates.
type Values map[string]string

// Write makes the folder base a CATALINA_BASE; the folder must exist. Clustered tells
// whether sessions are replicated.
func Write(base string, clustered bool, v Values) error {
	parts := []string{}
	for mark, value := range v {
		parts = append(parts, "@"+mark+"@", value)
	}
	marks := strings.NewReplacer(parts...)
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "conf/cluster.xml" {
			return err
		}
		to := filepath.Join(base, strings.Replace(name, "webapp", "webapps/ROOT", 1))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		b, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		text, err := include(string(b), clustered)
		if err != nil {
			return err
		}
		return os.WriteFile(to, []byte(marks.Replace(text)), 0o644)
	})
}

func include(text string, clustered bool) (string, error) {
	if !clustered {
		return strings.Replace(text, cluster, "", 1), nil
	}
	b, err := files.ReadFile("conf/cluster.xml")
	text = strings.Replace(text, cluster, string(b), 1)
	return strings.Replace(text, "<!--DISTRIBUTABLE-->", "<distributable/>", 1), err
}
