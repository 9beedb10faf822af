package main

import (
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

func (a *app) stats(r *http.Request) (object, error) {
	if r.URL.Query().Get("gc") == "1" {
		runtime.GC()
	}
	n, err := a.count()
	if err != nil {
		return nil, err
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return nil, err
	}
	rss, err := resident()
	micros := func(t syscall.Timeval) int64 { return t.Sec*1e6 + t.Usec }
	return object{"sessions": n, "known": n, "heap": mem.HeapAlloc, "rss": rss,
		"cpu_us": micros(use.Utime) + micros(use.Stime)}, err
}

// resident is the memory that the process occupies.
func resident() (int64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
