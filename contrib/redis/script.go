package redis

import goredis "github.com/redis/go-redis/v9"

// The first command of each script that writes is one that Redis refuses when its memory is
// full: a script does all or nothing.

// saveScript replaces a session if its version is the expected one. A client that has lost
// the answer repeats the call: n says that it is the same one. With wait a WAIT follows, which
// waits for what its connection has written: so something is written, whatever is found.
const saveText = `
local base, version, accessed, timeout, data, n, ttl, wait = unpack(ARGV)
local is = redis.call('HMGET', KEYS[1], 'v', 'n')
if (is[1] or '0') ~= base then
  local wrote = wait == '1' and is[2]
  if wrote then redis.call('HSET', KEYS[1], 'n', is[2]) end
  if is[2] == n then return 1 end
  if wrote then return 2 end
  return 0
end
redis.call('HSET', KEYS[1], 'v', version, 'a', accessed, 't', timeout, 'd', data, 'n', n)
if ttl == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ttl)
end
return 1
`

// touchScript moves the last access forward, never back.
const touchText = `
local accessed, now = unpack(ARGV)
local is = redis.call('HMGET', KEYS[1], 'a', 't')
if not is[1] then return 0 end
if tonumber(accessed) <= tonumber(is[1]) then return 1 end
redis.call('HSET', KEYS[1], 'a', accessed)
local timeout = tonumber(is[2])
if timeout > 0 then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', accessed + timeout - now))
end
return 1
`

// What saveScript returns.
const (
	overtaken = 0 // another version is stored, or none
	stored    = 1
	repeated  = 2 // another version is stored, and was written once more for the WAIT
)

var (
	saveScript  = goredis.NewScript(saveText)
	touchScript = goredis.NewScript(touchText)
)
