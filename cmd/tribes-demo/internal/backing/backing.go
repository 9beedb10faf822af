// Package backing opens the stores in which nodes of the demo keep sessions outside of
// their memory, by what the flag -store says.
package backing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gotribes/tribes/contrib/memcached"
	"github.com/gotribes/tribes/contrib/redis"
	"github.com/gotribes/tribes/session/store"
	"github.com/gotribes/tribes/session/store/filestore"
)

// Store is a store that is open.
type Store struct {
	store.Store
	// Name says where it is, without a password.
	Name    string
	prepare func(context.Context) error
	close   []func() error
}

// kinds are the stores by the word in front of the colon.
var kinds = map[string]func(*Store, string) error{
	"file":      (*Store).file,
	"sqlite":    (*Store).sqlite,
	"postgres":  (*Store).postgres,
	"mysql":     (*Store).mysql,
	"redis":     (*Store).redis,
	"memcached": (*Store).memcached,
}

// Words says what there is.
const Words = "file:DIR, sqlite:FILE, postgres:URL, mysql:URL, redis:URL or memcached:HOST:PORT"

// Open opens a store. It talks to no server: see Prepare.
func Open(text string) (*Store, error) {
	kind, rest, _ := strings.Cut(text, ":")
	open := kinds[kind]
	if open == nil || rest == "" {
		return nil, fmt.Errorf("-store %.40q: want %s", text, Words)
	}
	s := &Store{Name: text}
	if strings.HasPrefix(rest, "//") { // postgres://HOST/DB is a URL as it stands
		rest = text
	}
	if u, err := url.Parse(rest); err == nil && u.User != nil {
		s.Name = u.Redacted()
	} else if i := strings.LastIndexByte(rest, '@'); i >= 0 { // in front of it may be a password
		s.Name = kind + ":" + rest[i+1:]
	}
	if err := open(s, rest); err != nil {
		return nil, fmt.Errorf("-store %s: %w", kind, err)
	}
	return s, nil
}

// prepareLimit is how long a store may take to say that it is there.
const prepareLimit = 10 * time.Second

// Prepare makes what the store needs, such as a table, unless it is there, and looks whether
// the store answers.
func (s *Store) Prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, prepareLimit)
	defer cancel()
	if s.prepare != nil {
		if err := s.prepare(ctx); err != nil {
			return fmt.Errorf("-store %s: %w", s.Name, err)
		}
	}
	if _, err := s.Load(ctx, "none"); err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("-store %s: %w", s.Name, err)
	}
	return nil
}

// Close closes the store.
func (s *Store) Close() error {
	var first error
	for i := len(s.close) - 1; i >= 0; i-- {
		if err := s.close[i](); first == nil {
			first = err
		}
	}
	return first
}

func (s *Store) file(dir string) error {
	f, err := filestore.Open(filestore.Config{Dir: dir})
	if err != nil {
		return err
	}
	s.Store, s.close = f, append(s.close, f.Close)
	return nil
}

func (s *Store) redis(u string) error {
	o, err := goredis.ParseURL(u)
	if err != nil {
		return err
	}
	o.DialerRetries = 1 // each call is tried again, and a server that is down is no news for long
	quiet.Do(func() { goredis.SetLogger(noLog{}) })
	client := goredis.NewClient(o)
	s.close = append(s.close, client.Close)
	r, err := redis.New(client, redis.Config{Prefix: "demo:"})
	if err != nil {
		return err
	}
	s.Store, s.close = r, append(s.close, r.Close)
	return nil
}

// noLog keeps what the client of Redis says of each connection out of the log, which has the
// errors of calls.
type noLog struct{}

func (noLog) Printf(context.Context, string, ...any) {}

var quiet sync.Once

func (s *Store) memcached(servers string) error {
	m, err := memcached.New(memcached.Config{Servers: strings.Split(servers, ","), Prefix: "demo:"})
	if err != nil {
		return err
	}
	s.Store, s.close = m, append(s.close, m.Close)
	return nil
}
