// Package sqltest has the tests of package sqlstore with real drivers and databases. It is
// a module of its own so that the drivers are no dependencies of the others.
//
// With SQLite they always run, but for builds with the race detector, in which the driver
// takes minutes to compile. Those with the tag databases start PostgreSQL and MariaDB
// themselves, in temporary directories and on ports of the loopback interface, and stop them
// in the end:
//
//	apt-get install postgresql mariadb-server   # or others' initdb, mariadbd in the PATH
//	go test -tags databases .
package sqltest
