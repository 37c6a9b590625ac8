-- One batch of the Limiter as one step: what decision.py, store.py, refunds.py and gcra.py do in memory (docs/limits.md).
--
-- KEYS: the subjects of the first item, of the second, and so on. ARGV: the operation, then each item's fields, the
-- number of its subjects among them, and those of each of its subjects.
--
-- Numbers are doubles, exact below 2^53. So moments are microseconds since the epoch, and arrival times (TAT) are
-- nanoseconds from the moment `at` of their last write, which is at most 62 minutes. Both are whole numbers always.
--
-- A subject is one hash: at, requests and tokens (TATs); leases and blocks (how many), blocks_ns (what these took);
-- earliest and latest (when what is held expires, as bounds); `l:ID` a lease, `b:ID` a block, as `expires a b`;
-- turn, last, levels (refunds.py; levels as `first level first level ...`) and `t:ID` the turn of a lease.

local PERIOD = 60 * 1000000000
local MAX_DEBT = 60 * PERIOD
local LONGEST = MAX_DEBT + 2 * PERIOD -- no decision tells longer times apart
local NEVER = 2 ^ 53
local MOST_LEVELS, LEVEL_PARTS = 32, 16
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
  local all, turns, held = redis.call('HGETALL', subject.key), {}, {}
  subject.leases, subject.blocks, subject.blocks_ns = 0, 0, 0
  subject.earliest, subject.latest, subject.changed = NEVER, 0, true
  for i = 1, #all, 2 do
    local kind = string.sub(all[i], 1, 2)
    if kind == 't:' then
      turns[#turns + 1] = string.sub(all[i], 3)
    elseif kind == 'l:' or kind == 'b:' then
      local expires, requests, limit = fields_of(all[i + 1])
      if drops(kind, expires) then
        redis.call('HDEL', subject.key, all[i])
      else
        subject.earliest = math.min(subject.earliest, expires)
        subject.latest = math.max(subject.latest, expires)
        if kind == 'l:' then
          subject.leases = subject.leases + 1
          held[string.sub(all[i], 3)] = true
        else
          subject.blocks = subject.blocks + 1
          subject.blocks_ns = subject.blocks_ns + cost(requests, limit)
        end
      end
    end
  end
  for _, id in ipairs(turns) do -- also those whose leases an older release ended
    if not held[id] then redis.call('HDEL', subject.key, 't:' .. id) end
  end
end

local function find(key)
  local subject = subjects[key]
  if subject then return subject end
  local was = redis.call(
    'HMGET', key, 'at', 'requests', 'tokens', 'leases', 'blocks', 'blocks_ns', 'earliest', 'latest',
    'turn', 'last', 'levels')
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
    turn = tonumber(was[9]) or 0,
    last = tonumber(was[10]) or 0,
    levels_text = was[11] or '',
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

-- refunds.py -------------------------------------------------------------------------------------------

local function load_levels(subject)
  if subject.levels then return end
  subject.firsts, subject.levels = {}, {}
  if subject.leases == 0 then
    subject.last = 0
    return
  end
  for first, level in string.gmatch(subject.levels_text, '(%d+) (%d+)') do
    table.insert(subject.firsts, tonumber(first))
    table.insert(subject.levels, tonumber(level))
  end
end

local function merge_levels(subject)
  local near = math.floor(subject.levels[#subject.levels] / LEVEL_PARTS)
  local firsts, levels = {subject.firsts[1]}, {subject.levels[1]}
  for i = 2, #subject.levels do
    if subject.levels[i] - levels[#levels] > near then
      table.insert(firsts, subject.firsts[i])
      table.insert(levels, subject.levels[i])
    end
  end
  subject.firsts, subject.levels = firsts, levels
end

local function find_level(subject, level)
  local levels, firsts, first = subject.levels, subject.firsts, subject.last
  while #levels > 0 and levels[#levels] >= level do
    table.remove(levels)
    first = table.remove(firsts)
  end
  if first == 0 then return end
  table.insert(levels, level)
  table.insert(firsts, first)
  subject.last = 0
  if #levels > MOST_LEVELS then merge_levels(subject) end
end

local function take_turn(subject, level)
  load_levels(subject)
  find_level(subject, level)
  subject.turn = subject.turn + 1
  subject.last = subject.turn
  return subject.turn
end

local function give_back(subject, turn, wanted)
  load_levels(subject)
  local levels, firsts = subject.levels, subject.firsts
  if turn == subject.last or #levels == 0 then return wanted end
  local at = 1
  while at < #levels and firsts[at + 1] <= turn do at = at + 1 end
  local given = math.min(wanted, levels[at])
  if given == 0 then return 0 end
  for i = at, #levels do levels[i] = levels[i] - given end
  while at > 1 and levels[at - 1] >= levels[at] do
    table.remove(levels, at - 1)
    table.remove(firsts, at)
    at = at - 1
  end
  return given
end

-- store.py, decision.py --------------------------------------------------------------------------------

-- The requests' TAT when `count` come `ahead` ns from now. Blocks that are refilled by then, in part at least, are final.
local function after_requests(subject, count, limit, ahead)
  if subject.blocks > 0 and subject.requests - ahead < subject.blocks_ns then
    drop_where(subject, function(kind) return kind == 'b:' end)
  end
  return math.max(subject.requests, ahead) + cost(count, limit)
end

-- The size of the block, 0 for none. `subjects` have limits of requests alone.
local function take_block(subjects, scopes, id, ttl, count)
  local size = count
  for i, subject in ipairs(subjects) do
    local block = redis.call('HGET', subject.key, 'b:' .. id)
    if block then
      local _, requests = fields_of(block)
      return requests
    end
    size = math.min(size, math.floor(scopes[i].request_limit / BLOCKS_A_MINUTE))
  end
  if size < 2 then return 0 end
  local tats, fits = {}, true
  for i, subject in ipairs(subjects) do
    tats[i] = after_requests(subject, size, scopes[i].request_limit, math.min(ttl * 1000000000, LONGEST))
    fits = fits and tats[i] <= scopes[i].request_tolerance
  end
  if not fits then return 0 end
  for i, subject in ipairs(subjects) do
    local limit = scopes[i].request_limit
    subject.requests, subject.changed = tats[i], true
    hold(subject, 'b:' .. id, now + ttl * 1000000 + GIVE_BACK_US, text(size), text(limit))
    subject.blocks = subject.blocks + 1
    subject.blocks_ns = subject.blocks_ns + cost(size, limit)
  end
  return size
end

-- Which limit refuses, the place of its scope and the time to wait: the longest, the first of equals.
local function refusal(subjects, scopes)
  local denied, denied_scope, longest, too_large = ALLOWED, 1, 0, 0
  local function wait(limit, place, time)
    if time > longest then denied, denied_scope, longest = limit, place, time end
  end
  for i, subject in ipairs(subjects) do
    local scope = scopes[i]
    if scope.request_limit > 0 then
      wait(REQUESTS, i, after_requests(subject, 1, scope.request_limit, 0) - scope.request_tolerance)
    end
    if scope.token_limit > 0 then
      scope.reserved = cost(scope.units, scope.token_limit)
      if scope.reserved > scope.token_tolerance and too_large == 0 then too_large = i end
      wait(TOKENS, i, math.max(subject.tokens, 0) + scope.reserved - scope.token_tolerance)
    end
    if scope.concurrency > 0 and subject.leases >= scope.concurrency then wait(CONCURRENCY, i, CONCURRENCY_RETRY) end
  end
  if too_large > 0 then return TOKENS, too_large, 0 end
  return denied, denied_scope, longest
end

local function take(subject, scope, id, ttl)
  subject.changed = true
  if scope.request_limit > 0 then subject.requests = after_requests(subject, 1, scope.request_limit, 0) end
  if scope.token_limit == 0 and scope.concurrency == 0 then return end
  if scope.token_limit > 0 then
    local level = math.max(subject.tokens, 0)
    redis.call('HSET', subject.key, 't:' .. id, text(take_turn(subject, level)))
    subject.tokens = level + scope.reserved
  end
  hold(subject, 'l:' .. id, now + ttl * 1000000, text(scope.reserved), scope.token_limit_text)
  subject.leases = subject.leases + 1
end

-- Gives which limit refused, of which scope, the time to wait, and the size of the block.
local function acquire(subjects, scopes, id, ttl, count)
  local requests_alone = true
  for _, scope in ipairs(scopes) do
    requests_alone = requests_alone and scope.token_limit == 0 and scope.concurrency == 0
  end
  if count > 1 and requests_alone then
    local granted = take_block(subjects, scopes, id, ttl, count)
    if granted > 0 then return ALLOWED, 1, 0, granted end
  end
  for _, subject in ipairs(subjects) do
    if redis.call('HEXISTS', subject.key, 'l:' .. id) == 1 then return ALLOWED, 1, 0, 0 end
  end
  local denied, denied_scope, wait = refusal(subjects, scopes)
  if denied == ALLOWED then
    for i, subject in ipairs(subjects) do take(subject, scopes[i], id, ttl) end
  end
  return denied, denied_scope, wait, 0
end

-- `units` is nil where the estimate stands.
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
  local _, reserved, token_limit = fields_of(lease)
  if token_limit > 0 and units then
    local more = cost(units, token_limit) - reserved
    if more <= 0 then
      local turn = tonumber(redis.call('HGET', subject.key, 't:' .. id) or 0)
      subject.tokens = subject.tokens - give_back(subject, turn, -more)
    else
      local tat = math.max(subject.tokens, 0)
      load_levels(subject)
      find_level(subject, tat)
      subject.tokens = math.min(tat + more, math.max(tat, MAX_DEBT))
    end
  end
  redis.call('HDEL', subject.key, 'l:' .. id, 't:' .. id)
  subject.leases, subject.changed = subject.leases - 1, true
  if subject.leases == 0 then subject.firsts, subject.levels, subject.last = {}, {}, 0 end
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
  if subject.levels then
    local levels = {}
    for i, level in ipairs(subject.levels) do levels[i] = text(subject.firsts[i]) .. ' ' .. text(level) end
    redis.call('HSET', subject.key, 'turn', text(subject.turn), 'last', text(subject.last),
      'levels', table.concat(levels, ' '))
  end
  local lasts_us = math.max(full / 1000, holds and subject.latest - now or 0)
  redis.call('PEXPIRE', subject.key, text(math.ceil(lasts_us / 1000) + SPARE_MS))
end

local said = {}
local next_field, next_key = 2, 1

local function fields(count)
  next_field = next_field + count
  return unpack(ARGV, next_field - count, next_field - 1)
end

local function subjects_of_item(count)
  local found = {}
  for i = 1, count do found[i] = find(KEYS[next_key + i - 1]) end
  next_key = next_key + count
  return found
end

local function scope_of_item()
  local request_limit, request_tolerance, token_limit, token_tolerance, concurrency, units = fields(6)
  return {
    request_limit = tonumber(request_limit),
    request_tolerance = tonumber(request_tolerance),
    token_limit = tonumber(token_limit),
    token_limit_text = token_limit,
    token_tolerance = tonumber(token_tolerance),
    concurrency = tonumber(concurrency),
    units = tonumber(units),
    reserved = 0,
  }
end

while next_key <= #KEYS do
  if ARGV[1] == 'acquire' then
    local id, ttl, count, size = fields(4)
    local items_subjects, scopes = subjects_of_item(tonumber(size)), {}
    for i = 1, #items_subjects do scopes[i] = scope_of_item() end
    for _, number in ipairs({acquire(items_subjects, scopes, id, tonumber(ttl), tonumber(count))}) do
      said[#said + 1] = number
    end
    for _, subject in ipairs(items_subjects) do
      said[#said + 1] = subject.requests
      said[#said + 1] = subject.tokens
    end
  else
    local id, units, requests, size = fields(4)
    for _, subject in ipairs(subjects_of_item(tonumber(size))) do
      finish(subject, id, tonumber(units), tonumber(requests))
    end
  end
end
for _, subject in pairs(subjects) do
  if subject.changed then save(subject) end
end
return said
