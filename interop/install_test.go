//go:build interop

package interop

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// version is a line of Tribes releases. .ci/install-java says which release of it is used.
type version string

// The lines that are proven to work together with this module.
const (
	v90  version = "9.0"
	v101 version = "10.1"
	v110 version = "11.0"
)

// versions is the test matrix.
var versions = []version{v90, v101, v110}

// classPath is where EchoPeer and the jars of v are. A missing one fails the test: a matrix that skips proves nothing.
func (v version) classPath(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(buildDir(t), "java", string(v))
	stamp, err := os.ReadFile(filepath.Join(dir, "stamp"))
	if err != nil {
		t.Fatalf("Tribes %s is not installed, run .ci/install-java: %v", v, err)
	}
	if !bytes.Contains(stamp, []byte("peers "+peerSources(t))) {
		t.Fatalf("the peers of %s are not those of interop/java any more, run .ci/install-java", v)
	}
	return filepath.Join(dir, "classes") + string(os.PathListSeparator) + filepath.Join(dir, "lib", "*")
}

// peerSources is the hash of the peers' sources.
func peerSources(t *testing.T) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join("java", "*.java")) // in the order of the shell
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	for _, name := range all {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(b)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// buildDir is the folder that .ci/install-java fills.
func buildDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("TRIBES_BUILD"); dir != "" {
		return dir
	}
	dir, err := filepath.Abs(filepath.Join("..", ".build"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// javaCommand is the java of JAVA_HOME, else the one of the path.
func javaCommand() string {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", "java")
	}
	return "java"
}
