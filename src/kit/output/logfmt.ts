const BEGINNING = /^[\w.@-]{1,64}=/
const KEY = /[^\s="]{1,128}=/y
const BARE = /[^\s"]*/y
const QUOTED = /"(?:[^"\\]|\\.)*"/y
const SPACE = /[ \t]+/y

/** Without one of these it is no line of a log, whatever it assigns. */
const TELLING = ['level', 'lvl', 'severity', 'msg', 'message']

/**
 * What a line in logfmt says, as logrus, slog's TextHandler, go-kit and Heroku's tools write it; undefined where not all of it is pairs, or none of
 * them names a level or a message. Values are texts.
 * @see https://brandur.org/logfmt
 * @example parseLogfmt('level=warn msg="out of stock" order=7') // { level: 'warn', msg: 'out of stock', order: '7' }
 */
export function parseLogfmt(line: string): Record<string, unknown> | undefined {
  if (!BEGINNING.test(line)) return undefined
  const pairs: [string, string][] = []
  let at = 0
  const read = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(line)?.[0]
    at += found?.length ?? 0
    return found
  }
  while (at < line.length) {
    const key = read(KEY)?.slice(0, -1)
    const value = line[at] === '"' ? unquoted(read(QUOTED)) : read(BARE)
    if (key === undefined || value === undefined) return undefined
    pairs.push([key, value])
    if (at < line.length && read(SPACE) === undefined) return undefined
  }
  return pairs.some(([key]) => TELLING.includes(key)) ? Object.fromEntries(pairs) : undefined
}

/** Quotes as Go's strconv.Quote and JSON write them; what only one of them knows stays as it is. */
function unquoted(text: string | undefined): string | undefined {
  if (text === undefined || !text.includes('\\')) return text?.slice(1, -1)
  try {
    return JSON.parse(text)
  } catch {
    return text.slice(1, -1)
  }
}
