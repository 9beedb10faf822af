module github.com/gotribes/tribes/cmd/tribes-demo

go 1.26.0

require github.com/gotribes/tribes v0.0.0

replace github.com/gotribes/tribes => ../..
