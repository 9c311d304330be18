import { createHash } from 'node:crypto'

/** A Lua script that the server runs as one step (https://redis.io/docs/latest/develop/programmability/eval-intro/). */
export interface Script {
  readonly text: string
  /** What the server knows it by once it has run it. */
  readonly sha: string
}

/** Makes a script of its text. */
export function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/**
 * A token bucket, kept as "tokens at": fractions of tokens, at a time in milliseconds of the server's clock. It is gone as soon as it would be full.
 * KEYS the bucket; ARGV tokens a second, burst, cost. Answers whether, and what is left.
 */
export const TAKE = script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local rate, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tokens, at = burst, now
local held = redis.call('GET', KEYS[1])
if held then
  local cut = string.find(held, ' ', 1, true)
  at = tonumber(string.sub(held, cut + 1))
  tokens = math.min(burst, tonumber(string.sub(held, 1, cut - 1)) + math.max(0, now - at) * rate / 1000)
end
local allowed = tokens >= cost
if allowed then tokens = tokens - cost end
-- a clock that was set back must not keep the bucket from filling until it has caught up
if allowed or at > now then
  local full = math.max(1, math.ceil((burst - tokens) * 1000 / rate))
  redis.call('SET', KEYS[1], string.format('%.17g %.17g', tokens, now), 'PX', string.format('%.0f', full))
end
return { allowed and 1 or 0, string.format('%.17g', tokens) }
`)

/**
 * A lease, kept as "fence holder" for its time, and the last fence, kept for good. A fence is at least the time in milliseconds, so that it grows
 * on when the last one was lost (eviction, FLUSHALL, a failover to a replica that lagged).
 * KEYS lease, last fence; ARGV holder, milliseconds. Answers the fence, or nil when another holds it.
 */
export const ACQUIRE = script(`
local held = redis.call('GET', KEYS[1])
if held then
  local cut = string.find(held, ' ', 1, true)
  if string.sub(held, cut + 1) ~= ARGV[1] then return false end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return string.sub(held, 1, cut - 1)
end
local time = redis.call('TIME')
local fence = math.max(time[1] * 1000 + math.floor(time[2] / 1000), tonumber(redis.call('GET', KEYS[2]) or '0') + 1)
local text = string.format('%.0f', fence)
redis.call('SET', KEYS[2], text)
redis.call('SET', KEYS[1], text .. ' ' .. ARGV[1], 'PX', ARGV[2])
return text
`)

/** KEYS lease; ARGV its start "fence ", milliseconds. Answers 1, or 0 when it is over. */
export const RENEW = script(`
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)

/** KEYS lease; ARGV its start "fence ". */
export const RELEASE = script(`
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0
`)

/** Writes, reads and tells the time, as all the others do: whether they may. KEYS one of the prefix's. */
export const PROBE = script(`
redis.call('SET', KEYS[1], redis.call('TIME')[1], 'PX', 1000)
return redis.call('GET', KEYS[1])
`)
