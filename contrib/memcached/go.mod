module github.com/gotribes/tribes/contrib/memcached

go 1.26.0

require github.com/gotribes/tribes v0.0.0

require (
	github.com/google/go-cmp v0.7.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
)

replace github.com/gotribes/tribes => ../..
