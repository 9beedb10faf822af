package main

import (
	"os"

	"github.com/gotribes/tribes/bench/drivers"
	"github.com/gotribes/tribes/bench/harness"
	"github.com/gotribes/tribes/bench/isolate"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "isolate" {
		os.Exit(isolate.Main(os.Args[2:], os.Stdout, os.Stderr))
	}
	os.Exit(harness.Main(os.Args[1:], harness.Bench{
		Drivers: []harness.Driver{drivers.Tribes{}, drivers.RawTCP{}},
		Columns: []harness.Column{
			// One acked message at a time per connection and 25 connections: what
			// Tribes does.
			{Name: "stop-and-wait", Driver: "tribes", Opts: "window=1,pool=25"},
			{Name: "runtime", Driver: "tribes", Opts: "poller=runtime"},
			{Name: "epoll", Driver: "tribes", Opts: "poller=epoll"},
			{Name: "rawtcp", Driver: "rawtcp"},
		},
	}))
}
