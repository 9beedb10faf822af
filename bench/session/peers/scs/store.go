package main

import (
	"context"
	"time"

	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gomodule/redigo/redis"
	"github.com/jackc/pgx/v5/pgxpool"
)

// open gives the manager its store, and returns what ends it.
func (a *app) open(redisAt, postgres string) (func(), error) {
	switch {
	case redisAt != "":
		return a.openRedis(redisAt), nil
	case postgres != "":
		return a.openPostgres(postgres)
	}
	a.describe, a.count = "scs memory", a.countMemory
	store := memstore.New()
	a.manager.Store, a.memory = store, store
	return store.StopCleanup, nil
}

func (a *app) openRedis(at string) func() {
	pool := &redis.Pool{MaxIdle: 128, IdleTimeout: time.Minute,
		Dial: func() (redis.Conn, error) { return redis.Dial("tcp", at) }}
	a.describe, a.manager.Store = "scs Redis", redisstore.New(pool)
	a.count = func() (int, error) {
		c := pool.Get()
		defer c.Close()
		return redis.Int(c.Do("DBSIZE"))
	}
	return func() { pool.Close() } // the process ends
}

// table is that of the documentation of pgxstore. Two nodes that make it at the same time
// do no harm.
const table = `SELECT pg_advisory_lock(1);
CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);
CREATE INDEX IF NOT EXISTS sessions_expiry_idx ON sessions (expiry);
SELECT pg_advisory_unlock(1)`

func (a *app) openPostgres(url string) (func(), error) {
	ctx := context.Background()
	conf, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	conf.MaxConns = 64
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return nil, err
	}
	c, err := pool.Acquire(ctx)
	if err == nil {
		_, err = c.Conn().PgConn().Exec(ctx, table).ReadAll()
		c.Release()
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	store := pgxstore.New(pool)
	a.describe, a.manager.Store = "scs PostgreSQL", store
	a.count = func() (n int, err error) {
		err = pool.QueryRow(ctx, "SELECT count(*) FROM sessions").Scan(&n)
		return n, err
	}
	return func() { store.StopCleanup(); pool.Close() }, nil
}
