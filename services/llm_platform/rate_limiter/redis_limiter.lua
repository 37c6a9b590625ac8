-- One batch of the Limiter as one step: what service.py, store.py and gcra.py do in memory (docs/limits.md).
--
-- KEYS[i]: the subject of item i. ARGV: the operation, the ttl in seconds of a lease without one, then each item's fields.
--
-- Numbers are doubles, exact below 2^53. So moments are microseconds since the epoch, and arrival times (TAT) are
-- nanoseconds from the moment `at` of their last write, which is at most 62 minutes. Both are whole numbers always.
--
-- A subject is one hash: at, requests and tokens (TATs); leases and blocks (how many), blocks_ns (what these took);
-- earliest and latest (when what is held expires, as bounds); `l:ID` a lease, `b:ID` a block, as `expires a b`.

local PERIOD = 60 * 1000000000
local MAX_DEBT = 60 * PERIOD
local LONGEST = MAX_DEBT + 2 * PERIOD -- no decision tells longer times apart
local NEVER = 2 ^ 53
local BLOCKS_A_MINUTE = 100
local GIVE_BACK_US = 5 * 1000000
local CONCURRENCY_RETRY = 1000000000
local SPARE_MS = 10000 -- a key outlives its state by this: clocks are set

local ALLOWED, REQUESTS, TOKENS, CONCURRENCY = 0, 1, 2, 3

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local subjects = {}

local function text(number)
  return string.format('%.0f', number)
end

-- ceil(units * PERIOD / limit), at most LONGEST: a long division by steps that stay below 2^53 for limits below 9e12.
local function cost(units, limit)
  local rest = math.fmod(units, limit)
  local whole = (units - rest) / limit * PERIOD
  if whole >= LONGEST then return LONGEST end
  local part = 0
  for _, step in ipairs({60, 1000, 1000, 1000}) do
    rest = rest * step
    local next_rest = math.fmod(rest, limit)
    part = part * step + (rest - next_rest) / limit
    rest = next_rest
  end
  if rest > 0 then part = part + 1 end
  return math.min(whole + part, LONGEST)
end

local function fields_of(value)
  local expires, first, second = string.match(value, '^(%d+) (%d+) (%d+)$')
  return tonumber(expires), tonumber(first), tonumber(second)
end

-- Looks at everything held; drops that for which drops(kind, expires) is true, and counts the rest anew.
local function drop_where(subject, drops)
  local all = redis.call('HGETALL', subject.key)
  subject.leases, subject.blocks, subject.blocks_ns = 0, 0, 0
  subject.earliest, subject.latest, subject.changed = NEVER, 0, true
  for i = 1, #all, 2 do
    local kind = string.sub(all[i], 1, 2)
    if kind == 'l:' or kind == 'b:' then
      local expires, requests, limit = fields_of(all[i + 1])
      if drops(kind, expires) then
        redis.call('HDEL', subject.key, all[i])
      else
        subject.earliest = math.min(subject.earliest, expires)
        subject.latest = math.max(subject.latest, expires)
        if kind == 'l:' then
          subject.leases = subject.leases + 1
        else
          subject.blocks = subject.blocks + 1
          subject.blocks_ns = subject.blocks_ns + cost(requests, limit)
        end
      end
    end
  end
end

local function find(key)
  local subject = subjects[key]
  if subject then return subject end
  local was = redis.call(
    'HMGET', key, 'at', 'requests', 'tokens', 'leases', 'blocks', 'blocks_ns', 'earliest', 'latest')
  local passed = math.max(now - (tonumber(was[1]) or now), 0) * 1000 -- a clock that is set back takes nothing
  subject = {
    key = key,
    requests = math.max((tonumber(was[2]) or 0) - passed, 0),
    tokens = math.max((tonumber(was[3]) or 0) - passed, 0),
    leases = tonumber(was[4]) or 0,
    blocks = tonumber(was[5]) or 0,
    blocks_ns = tonumber(was[6]) or 0,
    earliest = tonumber(was[7]) or NEVER,
    latest = tonumber(was[8]) or 0,
    changed = false,
  }
  subjects[key] = subject
  if now >= subject.earliest then
    drop_where(subject, function(_, expires) return expires <= now end)
  end
  return subject
end

local function hold(subject, name, expires, first, second)
  redis.call('HSET', subject.key, name, text(expires) .. ' ' .. first .. ' ' .. second)
  subject.earliest = math.min(subject.earliest, expires)
  subject.latest = math.max(subject.latest, expires)
end

-- The requests' TAT when `count` come `ahead` ns from now. Blocks that are refilled by then, in part at least, are final.
local function take_requests(subject, count, limit, ahead)
  if subject.blocks > 0 and subject.requests - ahead < subject.blocks_ns then
    drop_where(subject, function(kind) return kind == 'b:' end)
  end
  return math.max(subject.requests, ahead) + cost(count, limit)
end

local function take_block(subject, id, limit, ttl, count)
  local block = redis.call('HGET', subject.key, 'b:' .. id)
  if block then
    local _, requests = fields_of(block)
    return requests
  end
  local size = math.min(count, math.floor(limit / BLOCKS_A_MINUTE))
  if size < 2 then return 0 end
  local tat = take_requests(subject, size, limit, math.min(ttl * 1000000000, LONGEST))
  if tat > PERIOD then return 0 end
  subject.requests, subject.changed = tat, true
  hold(subject, 'b:' .. id, now + ttl * 1000000 + GIVE_BACK_US, text(size), text(limit))
  subject.blocks = subject.blocks + 1
  subject.blocks_ns = subject.blocks_ns + cost(size, limit)
  return size
end

-- Gives which limit refused, the time to wait, and the size of the block.
local function acquire(subject, id, request_limit, token_limit, concurrency, units, ttl, count)
  if redis.call('HEXISTS', subject.key, 'l:' .. id) == 1 then return ALLOWED, 0, 0 end
  local request_rate, token_rate = tonumber(request_limit), tonumber(token_limit)
  if count > 1 and token_rate == 0 and concurrency == 0 then
    local granted = take_block(subject, id, request_rate, ttl, count)
    if granted > 0 then return ALLOWED, 0, granted end
  end

  local requests, tokens, reserved = subject.requests, subject.tokens, 0
  local denied, wait = ALLOWED, 0
  if request_rate > 0 then
    requests = take_requests(subject, 1, request_rate, 0)
    if requests > PERIOD then
      denied, wait = REQUESTS, requests - PERIOD
    end
  end
  if token_rate > 0 then
    reserved = cost(units, token_rate)
    tokens = math.max(tokens, 0) + reserved
    if tokens > PERIOD then
      if denied == ALLOWED then denied = TOKENS end
      wait = math.max(wait, tokens - PERIOD)
    end
  end
  if concurrency > 0 and subject.leases >= concurrency then
    if denied == ALLOWED then denied = CONCURRENCY end
    wait = math.max(wait, CONCURRENCY_RETRY)
  end

  if reserved > PERIOD then return TOKENS, 0, 0 end
  if denied ~= ALLOWED then return denied, wait, 0 end
  subject.requests, subject.tokens, subject.changed = requests, tokens, true
  if token_rate > 0 or concurrency > 0 then
    if ttl == 0 then ttl = tonumber(ARGV[2]) end
    hold(subject, 'l:' .. id, now + ttl * 1000000, text(reserved), token_limit)
    subject.leases = subject.leases + 1
  end
  return ALLOWED, 0, 0
end

local function finish(subject, id, units, requests)
  local block = redis.call('HGET', subject.key, 'b:' .. id)
  if block then
    local _, size, limit = fields_of(block)
    local taken = cost(size, limit)
    redis.call('HDEL', subject.key, 'b:' .. id)
    subject.blocks, subject.blocks_ns, subject.changed = subject.blocks - 1, subject.blocks_ns - taken, true
    subject.requests = subject.requests - taken + cost(math.min(requests, size), limit)
  end
  local lease = redis.call('HGET', subject.key, 'l:' .. id)
  if not lease then return end
  redis.call('HDEL', subject.key, 'l:' .. id)
  subject.leases, subject.changed = subject.leases - 1, true
  local _, reserved, token_limit = fields_of(lease)
  if token_limit == 0 then return end
  local more = cost(units, token_limit) - reserved
  if more <= 0 then
    subject.tokens = subject.tokens + more
  else
    local tat = math.max(subject.tokens, 0)
    subject.tokens = math.min(tat + more, math.max(tat, MAX_DEBT))
  end
end

local function save(subject)
  local full = math.max(subject.requests, subject.tokens, 0)
  local holds = subject.leases + subject.blocks > 0
  if full == 0 and not holds then
    redis.call('DEL', subject.key)
    return
  end
  redis.call('HSET', subject.key, 'at', text(now), 'requests', text(subject.requests), 'tokens', text(subject.tokens),
    'leases', text(subject.leases), 'blocks', text(subject.blocks), 'blocks_ns', text(subject.blocks_ns),
    'earliest', text(holds and subject.earliest or NEVER), 'latest', text(holds and subject.latest or 0))
  local lasts_us = math.max(full / 1000, holds and subject.latest - now or 0)
  redis.call('PEXPIRE', subject.key, text(math.ceil(lasts_us / 1000) + SPARE_MS))
end

local said = {}
local next_field = 3
for _, key in ipairs(KEYS) do
  local subject = find(key)
  if ARGV[1] == 'acquire' then
    local id, request_limit, token_limit, concurrency, units, ttl, count = unpack(ARGV, next_field, next_field + 6)
    next_field = next_field + 7
    local denied, wait, granted = acquire(
      subject, id, request_limit, token_limit, tonumber(concurrency), tonumber(units), tonumber(ttl), tonumber(count))
    for _, number in ipairs({denied, wait, granted, subject.requests, subject.tokens}) do
      said[#said + 1] = number
    end
  else
    local id, units, requests = unpack(ARGV, next_field, next_field + 2)
    next_field = next_field + 3
    finish(subject, id, tonumber(units), tonumber(requests))
  end
end
for _, subject in pairs(subjects) do
  if subject.changed then save(subject) end
end
return said
