import { type Script, script } from './scripts.ts'

/**
 * A table lies in three keys: its rows, a hash of "fence revision-of-value state value", where the state is + or, for a removed one, -; all its keys in
 * the order of their revisions; the removed ones alike; and in a fourth what is known of the table: its latest revision, and an epoch that tells it from
 * one that was lost. A revision is at least the time in microseconds, so that the order goes on after a failover to a replica that lagged.
 */
const HEAD = `
local rows, order, gone, meta = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local function whole(number) return string.format('%.0f', number) end
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
redis.call('HSETNX', meta, 'epoch', whole(micros))
local revision = tonumber(redis.call('HGET', meta, 'revision') or '0')
`

/** KEYS the table's; ARGV how long removed ones are remembered (µs), then do, key, fence (or empty), value of each write. Answers outcome, fence, revision of each. */
export const WRITE: Script = script(`${HEAD}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', gone, '-inf', whole(micros - ARGV[1]), 'LIMIT', 0, 100)) do
  redis.call('HDEL', rows, key)
  redis.call('ZREM', order, key)
  redis.call('ZREM', gone, key)
end
local answer = {}
for at = 2, #ARGV, 4 do
  local action, key, fence, value = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3]
  local known, state = 0, '-'
  local held = redis.call('HGET', rows, key)
  if held then
    known, state = string.match(held, '^(%d+) %d+ (.)')
    known = tonumber(known)
  end
  if not fence then fence = math.max(known + 1, math.floor(micros / 1000)) end
  local outcome, place = 'done', 0
  if fence < known then
    outcome, fence = 'stale', known
  elseif action == 'touch' and (state == '-' or fence > known) then
    outcome, fence = 'unknown', known
  else
    revision = math.max(micros, revision + 1)
    place = revision
    redis.call('ZADD', order, whole(place), key)
    if action ~= 'touch' then
      local mark = action == 'put' and '+' or '-'
      redis.call('HSET', rows, key, whole(fence) .. ' ' .. whole(place) .. ' ' .. mark .. value)
      if mark == '-' then redis.call('ZADD', gone, whole(place), key) else redis.call('ZREM', gone, key) end
    end
  end
  table.insert(answer, outcome)
  table.insert(answer, whole(fence))
  table.insert(answer, whole(place))
end
redis.call('HSET', meta, 'revision', whole(revision))
return answer
`)

/** KEYS the table's; ARGV epoch and revision that the reader knows, most rows. Answers epoch, revision, more, afresh, then key, fence, revision, state, value of each row. */
export const CHANGES: Script = script(`${HEAD}
local epoch, since = redis.call('HGET', meta, 'epoch'), tonumber(ARGV[2])
local afresh = ARGV[1] ~= epoch or since > revision
if afresh then since = 0 end
local most = tonumber(ARGV[3])
local found = redis.call('ZRANGEBYSCORE', order, '(' .. whole(since), '+inf', 'WITHSCORES', 'LIMIT', 0, most + 1)
local more = #found > most * 2
local answer = { epoch, whole(revision), more and 1 or 0, afresh and 1 or 0 }
for at = 1, math.min(#found, most * 2), 2 do
  local key, place = found[at], tonumber(found[at + 1])
  local held = redis.call('HGET', rows, key)
  if held then
    local fence, valued, state, value = string.match(held, '^(%d+) (%d+) (.)(.*)$')
    if state == '+' and tonumber(valued) <= since then state, value = '~', '' end
    for _, part in ipairs({ key, fence, whole(place), state, value }) do table.insert(answer, part) end
  end
  if more then answer[2] = whole(place) end
end
return answer
`)
