// Package settings reads what all subcommands share: the settings of a member,
// from the environment (RN_...) and from flags of the same meaning, which win.
package settings

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/membership"
)

// Settings are the settings of a member.
type Settings struct {
	Name        string
	Bind        string
	Port        int
	AutoBind    int
	McastAddr   string
	McastPort   int
	Freq        time.Duration
	Drop        time.Duration
	Domain      string
	Stack       []string
	Quiet       bool
	Static      []Peer
	Mcast       bool // look for members by multicast
	ID          membership.ID
	Channel     string
	ClockOffset time.Duration
	HTTP        string
	TLS         TLS
	Key         interceptor.Key // of the layer encrypt
	Cipher      Cipher

	keyed bool // there is a Key
	given map[string]bool
	args  []string
}

// Cipher is how the layer encrypt works.
type Cipher struct {
	Cipher  interceptor.Cipher
	OldForm bool
}

// Peer is a static member: HOST:PORT and, if known, an id.
type Peer struct {
	Addr string
	ID   membership.ID
}

// Given reports whether anything was set at all.
func (s *Settings) Given() bool { return len(s.given) > 0 }

// Args are the flags that were given, without those that are of the subcommand alone: for
// processes that are to be members of the same group. The environment is theirs too.
func (s *Settings) Args() []string { return s.args }

// GivenAny reports whether one of these was set, each by its name in the environment.
func (s *Settings) GivenAny(envs ...string) bool {
	return slices.ContainsFunc(envs, func(env string) bool { return s.given[env] })
}

// KeepDomain makes a domain keep groups apart, as it does by default in package group. A
// stack that is given is taken as it is.
func (s *Settings) KeepDomain() {
	if s.Domain != "" && !s.GivenAny("RN_STACK") {
		s.Stack = []string{"dispatch", "domain", "tfd"}
	}
}

// SearchPort makes the member listen at the first port that is free, from the default on,
// as Tribes does, unless the settings say which port or how many are tried.
func (s *Settings) SearchPort() {
	if !s.GivenAny("RN_PORT", "RN_AUTOBIND") {
		s.AutoBind = 100
	}
}

// Now is the wall clock that the process believes in.
func (s *Settings) Now() time.Time { return time.Now().Add(s.ClockOffset) }

// UsageError means that a setting cannot be understood or is not built.
type UsageError struct{ text string }

// Error implements error.
func (e *UsageError) Error() string { return e.text }

// field ties one setting to its variable, its flag and its place.
type field struct {
	env, flag, help string
	set             func(s *Settings, v string) error
}

var fields = []field{
	{"RN_NAME", "name", "`name` for humans (default node)", func(s *Settings, v string) error { s.Name = v; return nil }},
	{"RN_BIND", "bind", "`address` to listen on and to advertise; also selects the multicast interface (default 127.0.0.1)", setBind},
	{"RN_PORT", "port", "TCP `port` of the receiver (default 4000)", number(0, 65535, func(s *Settings) *int { return &s.Port })},
	{"RN_AUTOBIND", "autobind", "successive `ports` to try (default 1)", number(1, 65535, func(s *Settings) *int { return &s.AutoBind })},
	{"RN_MCAST_ADDR", "mcast-addr", "multicast `group` of the membership (default 228.0.0.4)", setMcastAddr},
	{"RN_MCAST_PORT", "mcast-port", "multicast `port` of the membership (default 45564)", number(1, 65535, func(s *Settings) *int { return &s.McastPort })},
	{"RN_FREQ_MS", "freq", "`interval` of heartbeats: milliseconds or 500ms (default 500)", duration(func(s *Settings) *time.Duration { return &s.Freq })},
	{"RN_DROP_MS", "drop", "`silence` after which a member is dropped (default 3000)", duration(func(s *Settings) *time.Duration { return &s.Drop })},
	{"RN_DOMAIN", "domain", "`domain` to advertise (default none)", func(s *Settings, v string) error { s.Domain = v; return nil }},
	{"RN_STACK", "stack", "`layers`, nearest the application first: " + layerWords + " (default dispatch,tfd)", setStack},
	{"RN_KEY", "key", "`hex` digits of the key of the layer encrypt; in the environment other users of the machine do not see it", setKey},
	{"RN_CIPHER", "cipher", "`how` the layer encrypt works: gcm, cbc, or gcm-old and cbc-old towards older Java nodes (default gcm)", setCipher},
	{"RN_QUIET", "quiet", "`1`: count messages and acks instead of printing them", boolean(func(s *Settings) *bool { return &s.Quiet })},
	{"RN_STATIC", "static", "static `members`, ADDRESS:PORT[:HEXID],...; an address may be a host name; no multicast then unless -mcast 1", setStatic},
	{"RN_MCAST", "mcast", "`1`: multicast beside static members", boolean(func(s *Settings) *bool { return &s.Mcast })},
	{"RN_ID", "id", "own member id, 32 `hex` digits (default a new one)", setID},
	{"RN_CHANNEL", "channel", "channel `name` that static start messages of Java nodes contain", func(s *Settings, v string) error { s.Channel = v; return nil }},
	{"RN_CLOCK_OFFSET_MS", "clock-offset", "shifts the wall clock that the process believes in by so many `milliseconds`", setClockOffset},
	{"RN_HTTP", "http", "`HOST:PORT` that serves the status page and metrics (default none)", setHTTP},
	{"RN_TLS_CERT", "tls-cert", "`file` with the certificate of this member, valid for its address; opens a port for TLS (PEM)", text(func(s *Settings) *string { return &s.TLS.Cert })},
	{"RN_TLS_KEY", "tls-key", "`file` with the key of that certificate (PEM)", text(func(s *Settings) *string { return &s.TLS.Key })},
	{"RN_TLS_CA", "tls-ca", "`file` with the authority that signs the certificates of all members (PEM)", text(func(s *Settings) *string { return &s.TLS.CA })},
	{"RN_TLS_PORT", "tls-port", "`port` for TLS (default 4100)", number(0, 65535, func(s *Settings) *int { return &s.TLS.Port })},
	{"RN_TLS_ONLY", "tls-only", "`1`: all messages go over TLS; else those with the option bit 16 do", boolean(func(s *Settings) *bool { return &s.TLS.Only })},
}

// Parse reads the environment and args. extra may add flags of a subcommand.
// The error is flag.ErrHelp, after the help was written to help, or a
// *UsageError that lists every problem on one line.
func Parse(command string, args []string, getenv func(string) string, help io.Writer, extra func(*flag.FlagSet)) (*Settings, []string, error) {
	s := &Settings{
		Name: "node", Bind: "127.0.0.1", Port: 4000, AutoBind: 1,
		McastAddr: "228.0.0.4", McastPort: 45564,
		Freq: 500 * time.Millisecond, Drop: 3 * time.Second,
		Stack: []string{"dispatch", "tfd"}, Cipher: ciphers["gcm"],
		TLS:   TLS{Port: 4100},
		given: make(map[string]bool),
	}
	var problems []string
	for _, f := range fields {
		if v := getenv(f.env); v != "" {
			s.apply(f, f.env, v, &problems)
		}
	}
	fs := flag.NewFlagSet(command, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	shared := func(fs *flag.FlagSet) {
		for _, f := range fields {
			fs.Func(f.flag, f.help+" ["+f.env+"]", func(v string) error {
				s.args = append(s.args, "-"+f.flag+"="+v)
				s.apply(f, "-"+f.flag, v, &problems)
				return nil
			})
		}
	}
	shared(fs)
	if extra != nil {
		extra(fs)
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, nil, errors.Join(printFlags(help, shared, extra), err)
		}
		problems = append(problems, err.Error())
	}
	s.check(&problems)
	if problems != nil {
		return nil, nil, &UsageError{strings.Join(problems, "; ")}
	}
	return s, fs.Args(), nil
}

func (s *Settings) apply(f field, name, v string, problems *[]string) {
	s.given[f.env] = true
	err := f.set(s, v)
	switch {
	case err != nil && f.env == "RN_KEY": // a wrong key may be almost the right one
		*problems = append(*problems, fmt.Sprintf("%s: %v", name, err))
	case err != nil:
		*problems = append(*problems, fmt.Sprintf("%s %q: %v", name, v, err))
	}
}

// KeyUnused reports whether there is a key, and no layer that encrypts with it.
func (s *Settings) KeyUnused() bool { return s.keyed && !slices.Contains(s.Stack, "encrypt") }

// check looks at settings together.
func (s *Settings) check(problems *[]string) {
	if len(s.Static) == 0 {
		s.Mcast = true
	}
	if err := s.TLS.load(); err != nil {
		*problems = append(*problems, err.Error())
	}
	if slices.Contains(s.Stack, "encrypt") && !s.keyed {
		*problems = append(*problems, "the layer encrypt needs a key: set RN_KEY to 32, 48 or 64 hex digits")
	}
	if s.Drop < 3*s.Freq {
		*problems = append(*problems, fmt.Sprintf("drop time %v: want at least three heartbeats of %v", s.Drop, s.Freq))
	}
}

// Environ returns the process's settings in the form of environment variables,
// for child processes; changes override them.
func Environ(changes map[string]string) []string {
	env := os.Environ()
	for k, v := range changes {
		env = append(env, k+"="+v)
	}
	return env
}

func setBind(s *Settings, v string) error {
	if _, err := netip.ParseAddr(v); err != nil {
		return errors.New("want an IP address")
	}
	s.Bind = v
	return nil
}

func setMcastAddr(s *Settings, v string) error {
	a, err := netip.ParseAddr(v)
	if err != nil || !a.Is4() || !a.IsMulticast() {
		return errors.New("want an IPv4 multicast address, 224.0.0.0 to 239.255.255.255")
	}
	s.McastAddr = v
	return nil
}

func setID(s *Settings, v string) error {
	id, err := membership.ParseID(v)
	if err != nil {
		return errors.New("want 32 hexadecimal digits")
	}
	s.ID = id
	return nil
}

func setHTTP(s *Settings, v string) error {
	_, port, err := net.SplitHostPort(v)
	if n, e := strconv.Atoi(port); err != nil || e != nil || n < 0 || n > 65535 {
		return errors.New("want HOST:PORT")
	}
	s.HTTP = v
	return nil
}

func setClockOffset(s *Settings, v string) error {
	ms, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return errors.New("want a number of milliseconds")
	}
	s.ClockOffset = time.Duration(ms) * time.Millisecond
	return nil
}

func number(least, most int, place func(*Settings) *int) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < least || n > most {
			return fmt.Errorf("want a number from %d to %d", least, most)
		}
		*place(s) = n
		return nil
	}
}

func text(place func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		*place(s) = v
		return nil
	}
}

func duration(place func(*Settings) *time.Duration) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		d, err := time.ParseDuration(v)
		if ms, e := strconv.Atoi(v); e == nil {
			d, err = time.Duration(ms)*time.Millisecond, nil
		}
		if err != nil || d < time.Millisecond || d > 24*time.Hour {
			return errors.New("want milliseconds or a duration such as 500ms, 1ms to 24h")
		}
		*place(s) = d
		return nil
	}
}

func boolean(place func(*Settings) *bool) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		b, err := strconv.ParseBool(v)
		if err != nil {
			return errors.New("want 0 or 1")
		}
		*place(s) = b
		return nil
	}
}

// Row is one setting with its effective value.
type Row struct{ Flag, Env, Value string }

// Rows returns all settings in the order of the help.
func (s *Settings) Rows() []Row {
	values := map[string]any{
		"RN_NAME": s.Name, "RN_BIND": s.Bind, "RN_PORT": s.Port, "RN_AUTOBIND": s.AutoBind,
		"RN_MCAST_ADDR": s.McastAddr, "RN_MCAST_PORT": s.McastPort, "RN_FREQ_MS": s.Freq,
		"RN_DROP_MS": s.Drop, "RN_DOMAIN": s.Domain, "RN_STACK": s.StackText(),
		"RN_QUIET": s.Quiet, "RN_STATIC": s.staticText(), "RN_MCAST": s.Mcast, "RN_ID": s.idText(),
		"RN_CHANNEL": s.Channel, "RN_CLOCK_OFFSET_MS": s.ClockOffset.Milliseconds(), "RN_HTTP": s.HTTP,
		"RN_TLS_CERT": s.TLS.Cert, "RN_TLS_KEY": s.TLS.Key, "RN_TLS_CA": s.TLS.CA,
		"RN_TLS_PORT": s.TLS.Port, "RN_TLS_ONLY": s.TLS.Only,
		"RN_KEY": s.keyText(), "RN_CIPHER": s.cipherText(),
	}
	rows := make([]Row, len(fields))
	for i, f := range fields {
		rows[i] = Row{f.flag, f.env, fmt.Sprint(values[f.env])}
	}
	return rows
}

// keyText says whether there is a key, and nothing of it.
func (s *Settings) keyText() string {
	if s.keyed {
		return "(set)"
	}
	return ""
}

// StackText is the list of layers as the setting takes it.
func (s *Settings) StackText() string {
	if len(s.Stack) == 0 {
		return "none"
	}
	return strings.Join(s.Stack, ",")
}

func (s *Settings) idText() string {
	if s.ID.IsZero() {
		return "(new at each start)"
	}
	return s.ID.String()
}

func (s *Settings) staticText() string {
	var all []string
	for _, p := range s.Static {
		text := p.Addr
		if !p.ID.IsZero() {
			text += ":" + p.ID.String()
		}
		all = append(all, text)
	}
	return strings.Join(all, ",")
}
