package name

import (
	"fmt"
	"reflect"
	"runtime"
)

// Of returns what the String method of v says if it has one, the name of a
// function with its package if v is one, and its type otherwise. It looks at v
// only as far as its String method does.
func Of(v any) string {
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	if f := reflect.ValueOf(v); f.Kind() == reflect.Func && !f.IsNil() {
		return runtime.FuncForPC(f.Pointer()).Name()
	}
	return fmt.Sprintf("%T", v)
}
