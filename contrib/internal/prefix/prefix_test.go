package prefix

import (
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestCheck(t *testing.T) {
	for p, good := range map[string]bool{
		":": true, "a:": true, "azAZ09-:": true, "a:b:": true, strings.Repeat("x", 9) + ":": true,
		"": false, "a": false, "a:b": false, strings.Repeat("x", 10) + ":": false, "a b:": false, "a_:": false,
		"ä:": false, "\xff:": false, "a\x00:": false, "a*:": false, "`:": false, "{:": false, "@:": false, "[:": false, "/:": false,
	} {
		if err := Check(p, 10, "-:"); (err == nil) != good {
			t.Errorf("%q: %v", p, err)
		}
	}
}
