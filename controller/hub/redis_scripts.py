"""What Redis does in one step: its Lua scripts, and the names of the keys that they work on.

All keys of a room share a hash tag, so that a cluster keeps them together. Times are Redis' own.

    golive:{stream}:head      hash   epoch, offset
    golive:{stream}:log       list   entries of the last events
    golive:{stream}:viewers   hash   viewer → daemons that hold it
    golive:{stream}:daemons   zset   daemon → when its lease ends, in ms
    golive:{stream}:peak      string most viewers at once
    golive:{stream}:at:DAEMON set    viewers that the daemon holds
    golive:rooms              zset   stream → when it was last used, in ms
    golive:bucket:KEY         hash   tokens, since
"""

from uuid import UUID

PREFIX = "golive:"
ROOMS = f"{PREFIX}rooms"


def room_key(stream_id: UUID, part: str) -> str:
    """The name of one of a room's keys."""
    return f"{PREFIX}{{{stream_id}}}:{part}"


# KEYS head, log; ARGV fresh epoch, name, data, log events, life in s, channel
PUBLISH = """
if redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1]) == 1 then redis.call('DEL', KEYS[2]) end
local epoch = redis.call('HGET', KEYS[1], 'epoch')
local offset = redis.call('HINCRBY', KEYS[1], 'offset', 1)
local entry = offset .. '\\n' .. epoch .. '\\n' .. ARGV[2] .. '\\n' .. ARGV[3]
redis.call('RPUSH', KEYS[2], entry)
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[4]), -1)
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('PUBLISH', ARGV[6], entry)
return offset
"""

# KEYS head, log; ARGV fresh epoch, life in s → epoch, offset, entries
READ_LOG = """
if redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1]) == 1 then redis.call('DEL', KEYS[2]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
local head = redis.call('HMGET', KEYS[1], 'epoch', 'offset')
return {head[1], tonumber(head[2] or '0'), redis.call('LRANGE', KEYS[2], 0, -1)}
"""

_RELEASE = """
local function release(viewers, viewer, gone)
  local held = redis.call('HINCRBY', viewers, viewer, -1)
  if held <= 0 then redis.call('HDEL', viewers, viewer); gone[#gone + 1] = viewer end
end
"""

# KEYS viewers, daemons, peak, at:daemon; ARGV daemon, lease in ms, life in s, whole, JSON of
# joined, JSON of left → joined, left, viewers, peak, whether the daemon holds any
CHANGE_PRESENCE = (
    _RELEASE
    + """
local joined, left = cjson.decode(ARGV[5]), cjson.decode(ARGV[6])
local come, gone = {}, {}
if ARGV[4] == '1' then
  local staying = {}
  for _, viewer in ipairs(joined) do staying[viewer] = true end
  left = {}
  for _, viewer in ipairs(redis.call('SMEMBERS', KEYS[4])) do
    if not staying[viewer] then left[#left + 1] = viewer end
  end
end
for _, viewer in ipairs(left) do
  if redis.call('SREM', KEYS[4], viewer) == 1 then release(KEYS[1], viewer, gone) end
end
for _, viewer in ipairs(joined) do
  if redis.call('SADD', KEYS[4], viewer) == 1 and redis.call('HINCRBY', KEYS[1], viewer, 1) == 1
  then come[#come + 1] = viewer end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('EXISTS', KEYS[4]) == 1 then
  redis.call('ZADD', KEYS[2], now + tonumber(ARGV[2]), ARGV[1])
else
  redis.call('ZREM', KEYS[2], ARGV[1])
end
local viewers = redis.call('HLEN', KEYS[1])
local peak = math.max(tonumber(redis.call('GET', KEYS[3]) or '0'), viewers)
redis.call('SET', KEYS[3], peak)
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[3]) end
return {come, gone, viewers, peak, redis.call('EXISTS', KEYS[4])}
"""
)

# KEYS viewers, daemons, at:daemon, peak; ARGV daemon, lease in ms, life in s
RENEW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[2]), ARGV[1])
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[3]) end
return 1
"""

# KEYS viewers, daemons; ARGV prefix of the at: keys → left, viewers
RELEASE_EXPIRED = (
    _RELEASE
    + """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local gone = {}
for _, daemon in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  local at = ARGV[1] .. daemon
  for _, viewer in ipairs(redis.call('SMEMBERS', at)) do release(KEYS[1], viewer, gone) end
  redis.call('DEL', at)
  redis.call('ZREM', KEYS[2], daemon)
end
return {gone, redis.call('HLEN', KEYS[1])}
"""
)

# KEYS bucket; ARGV burst, tokens per s → 1 when one was taken
TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local burst, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local level = redis.call('HMGET', KEYS[1], 'tokens', 'since')
local tokens = tonumber(level[1] or ARGV[1])
tokens = math.min(burst, tokens + (now - tonumber(level[2] or now)) * rate)
local taken = 0
if tokens >= 1 - 1e-9 then taken = 1; tokens = tokens - 1 end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'since', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 1)
return taken
"""
