package name

import (
	"fmt"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

type said struct{}

func (said) String() string { return "what it says" }

func named() {}

type funcType func()

func TestOf(t *testing.T) {
	const here = "github.com/gotribes/tribes/internal/name."
	tests := []struct {
		v    any
		want string
	}{
		{said{}, "what it says"},
		{named, here + "named"},
		{funcType(named), here + "named"},
		{func() {}, here + "TestOf.func1"},
		{funcType(nil), "name.funcType"},
		{new(int), "*int"},
		{nil, "<nil>"},
	}
	for _, tt := range tests {
		if got := Of(tt.v); got != tt.want {
			t.Errorf("Of(%T) = %q, want %q", tt.v, got, tt.want)
		}
	}
}

func ExampleOf() {
	fmt.Println(Of(fmt.Sprint))
	// Output: fmt.Sprint
}
