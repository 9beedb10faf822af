module github.com/gotribes/tribes/cmd/tribes-demo

go 1.26.0

require (
	github.com/gotribes/tribes v0.0.0
	golang.org/x/net v0.62.0
	golang.org/x/sys v0.49.0
)

require github.com/klauspost/compress v1.20.3 // indirect

replace github.com/gotribes/tribes => ../..
