//go:build nosql

package backing

import "errors"

// errNoSQL is the error of databases in a program that was built without their drivers, which
// take longer to build than all the rest.
var errNoSQL = errors.New("built without SQL databases (tag nosql)")

func (*Store) sqlite(string) error   { return errNoSQL }
func (*Store) postgres(string) error { return errNoSQL }
func (*Store) mysql(string) error    { return errNoSQL }
