const TIMESTAMP = /^(\d{4}-\d\d-(\d\d))[Tt ](\d\d):(\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:?\d\d)?$/
const DURATION = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d|w)?$/
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** What can be written in UTC with a year of four digits, as RFC 3339 wants: near these, a time in another zone may fall outside. */
const FIRST = Date.parse('0000-01-01T00:00:00Z')
const LAST = Date.parse('9999-12-31T23:59:59.999Z')

/** A time since 1970 as loggers and tracers count it, from 1973 on: fewer digits are no time but a slip. */
const EPOCH = /^\d{9,19}(?:\.\d{1,9})?$/

/** Milliseconds of a count since 1970. Its size tells its unit: seconds up to the year 5138, then ms, µs and ns. */
function fromEpoch(count: number): number {
  if (count < 1e11) return count * 1_000
  if (count < 1e14) return count
  return count < 1e17 ? count / 1e3 : count / 1e6
}

/**
 * Milliseconds since 1970, fractions kept, of a count of seconds, ms, µs or ns since then, of an RFC 3339 time (its zone without a colon too, as zap writes it), or of the seed's
 * `yyyy-mm-dd hh:nn:ss.zzz` (9.7.8), which names no zone and is taken for UTC like every time of the platform. Undefined for anything else, also for days and hours that don't exist.
 */
export function parseTimestamp(text: string): number | undefined {
  if (EPOCH.test(text)) return fromEpoch(Number(text))
  const [, date, day, hour, rest, fraction = '', zone] = TIMESTAMP.exec(text) ?? []
  if (date === undefined || day === undefined || hour === '24') return undefined
  if (zone === undefined && text[10] !== ' ') return undefined
  const whole = Date.parse(`${date}T${hour}:${rest}${zoneOf(zone)}`)
  // Date.parse takes the 30th of February for the 2nd of March
  if (!(whole >= FIRST && whole <= LAST) || (day > '28' && new Date(date).getUTCDate() !== Number(day)))
    return undefined
  return fraction === '' ? whole : whole + Number(fraction.padEnd(9, '0')) / 1e6
}

/** A zone as RFC 3339 has it. */
function zoneOf(zone = 'Z'): string {
  return zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.toUpperCase()
}

/** RFC 3339 in UTC: milliseconds, and microseconds where there are any. */
export function formatTimestamp(ms: number): string {
  const whole = Math.floor(ms)
  const text = new Date(whole).toISOString()
  const micros = Math.round((ms - whole) * 1000)
  return micros === 0 || micros === 1000 ? text : `${text.slice(0, -1)}${String(micros).padStart(3, '0')}Z`
}

/** Milliseconds of a duration such as `250`, `250ms`, `1.5s`, `15m`, `2h`, `7d`, `1w`. Undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit = 'ms'] = DURATION.exec(text) ?? []
  const factor = UNITS[unit]
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor
}

/** Milliseconds since 1970 of a time, or of that long ago: `15m` is a quarter of an hour before `now`. Undefined for anything else. */
export function parseMoment(text: string, now: number): number | undefined {
  if (!/[a-z]$/.test(text)) return parseTimestamp(text)
  const ago = parseDuration(text)
  return ago === undefined ? parseTimestamp(text) : now - ago
}
