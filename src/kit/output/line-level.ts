import { levelOf } from '../telemetry/level-names.ts'
import type { Level } from '../telemetry/log.ts'

/** Characters of a line in which its level may stand. */
const HEAD = 200
/** Words before it: a date in parts, a process, a thread, a logger. */
const MOST_WORDS = 12

/** glog, klog: `W0102 15:04:05.000000`. */
const GLOG = /^([IWEF])\d{4} \d\d:\d\d:\d\d\./
const GLOG_LEVELS: Readonly<Record<string, Level>> = { I: 'INFO', W: 'WARNING', E: 'ERROR', F: 'CRITICAL' }
/** Words that are levels to a logger, and else just words: they count behind a time, or before a colon in capitals. */
const WORDS_TOO = new Set(['FINE', 'CONFIG', 'HTTP', 'LOG', 'ALERT', 'SUCCESS', 'NOTICE', 'PANIC', 'FAIL'])
/** Of these also those before a colon in small letters: Go's `panic:`, .NET's `fail:`, PHP's `Notice:`. */
const WITH_COLON = new Set(['PANIC', 'FAIL', 'NOTICE'])
const PAIR = /(?:^|[ \t])(?:level|lvl|severity)=["']?([A-Za-z]{1,16})/
const DATE_WORD =
  /^(?:[AP]M|UTC|GMT|Z|CES?T|[ECMP][SD]T|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}),?$/
const NUMBER = /^[#]?\d+:?$/
/** `E, [2026-…` of Ruby's logger, `npm` and `PHP` before their levels, `a.py:9:` before Python's warnings. */
const PASSED_OVER = /^(?:[DIWEFA],|npm|PHP|.{1,150}:\d{1,9}:)$/
/** Monolog: `app.ERROR:` */
const CHANNEL = /^[\w-]{1,64}\.([A-Z]{3,9}):$/
const EXCEPTION = /^[\w.$\\]*(?:Error|Exception)(:?)$/
const NAMED_WARNING = /^\w*Warning:$/
const SEPARATED = /^[ \t]+[-|][ \t]/
const LETTERS = /^[A-Za-z]+/

/**
 * The level that a line of text says it has, where loggers say it: at its beginning, behind times, processes, threads and names. Undefined where it says
 * none; a word in the middle of a sentence is none.
 * @example guessLevel('2026-11-28 04:39:16,123 - shop - ERROR - not sold') // 'ERROR'
 * @example guessLevel('no ERROR was found') // undefined
 */
export function guessLevel(line: string): Level | undefined {
  const head = line.length > HEAD ? line.slice(0, HEAD) : line
  const glog = GLOG.exec(head)?.[1]
  if (glog !== undefined) return GLOG_LEVELS[glog]
  let at = 0
  /** Whether a time or something in brackets stood before: then this is a logger's line. */
  let isLogged = false
  for (let count = 0; count < MOST_WORDS; count++) {
    at = afterSeparators(head, at)
    if (at >= head.length) return undefined
    const close = CLOSING[head[at] ?? '']
    if (close !== undefined) {
      const end = head.indexOf(close, at)
      if (end < 0) return undefined
      const level = close === ']' ? levelInBrackets(head.slice(at + 1, end)) : undefined
      if (level !== undefined) return level
      isLogged = true
      at = end + 1
      continue
    }
    const end = endOfWord(head, at)
    const word = head.slice(at, end)
    // zap's console parts by tabs
    const isParted = isLogged && head[end] === '\t'
    const level =
      (isParted ? levelNamed(word) : undefined) ?? levelOfWord(word, isLogged, count === 0) ?? levelOfPhrase(head, at)
    if (level !== undefined) return level
    if (isTime(word)) isLogged = true
    else if (word.includes('=')) return levelNamed(PAIR.exec(head)?.[1])
    else if (!NUMBER.test(word) && !PASSED_OVER.test(word) && !(isLogged && SEPARATED.test(head.slice(end, end + 16))))
      return undefined
    at = end
  }
  return undefined
}

const CLOSING: Readonly<Record<string, string | undefined>> = { '[': ']', '(': ')' }

function levelOfWord(word: string, isLogged: boolean, isFirst: boolean): Level | undefined {
  const letters = LETTERS.exec(word)?.[0]
  if (letters === undefined) return undefined
  const next = word[letters.length] ?? ''
  const isCapital = letters === letters.toUpperCase()
  if (isCapital && (next === '' || ':,!+'.includes(next))) {
    const isClear = next === ':' || isLogged || (isFirst && !WORDS_TOO.has(letters))
    return isClear ? levelNamed(letters) : undefined
  }
  if (next === ':') {
    const name = letters.toUpperCase()
    const isWhole = word.length === letters.length + 1
    const level = isWhole && (!WORDS_TOO.has(name) || WITH_COLON.has(name)) ? levelNamed(name) : undefined
    if (level !== undefined) return level
  }
  const channel = CHANNEL.exec(word)?.[1]
  if (channel !== undefined) return levelNamed(channel)
  if (NAMED_WARNING.test(word)) return 'WARNING'
  return EXCEPTION.exec(word)?.[1] === ':' ? 'ERROR' : undefined
}

const PHRASE = /(?:(fatal error:)|(parse error:|npm err)|deprecated:|npm warn )/iy

/** What is said in two words, or not as a level: PHP's, npm's. */
function levelOfPhrase(head: string, at: number): Level | undefined {
  PHRASE.lastIndex = at
  const [found, fatal, error] = PHRASE.exec(head) ?? []
  if (found === undefined) return undefined
  return fatal ? 'CRITICAL' : error ? 'ERROR' : 'WARNING'
}

/** `[error]`, `[core:error]`, `[2026-11-28 04:39:16 ERROR app]`, `[…: INFO/MainProcess]`. */
function levelInBrackets(content: string): Level | undefined {
  const words = content.split(/[\s,:;/|]+/).filter((word) => word !== '')
  const capital = words.find((word) => word === word.toUpperCase() && !WORDS_TOO.has(word) && levelNamed(word))
  if (capital !== undefined) return levelNamed(capital)
  return words.length <= 2 ? levelNamed(words.at(-1)) : undefined
}

/** A level by its name alone: a number in a line may be anything. */
function levelNamed(word: string | undefined): Level | undefined {
  return word === undefined || !/^[A-Za-z]+$/.test(word) ? undefined : levelOf(word)
}

/** A date or a time of day, of any form, or a part of one. */
function isTime(word: string): boolean {
  const first = word.charCodeAt(0)
  const isDigit = first >= 0x30 && first <= 0x39
  return isDigit ? !NUMBER.test(word) : DATE_WORD.test(word) || /^[+-]\d{4}$/.test(word)
}

function afterSeparators(text: string, from: number): number {
  let at = from
  while (at < text.length && ' \t-|,'.includes(text.charAt(at))) at++
  return at
}

function endOfWord(text: string, from: number): number {
  let at = from
  while (at < text.length && !' \t|['.includes(text.charAt(at))) at++
  return Math.max(at, from + 1)
}

/** Syslog's severities (RFC 5424 §6.2.1), as systemd takes them before a line: sd-daemon(3). */
const SEVERITY = /^<(\d{1,3})>/
const LEVELS: readonly Level[] = ['CRITICAL', 'CRITICAL', 'CRITICAL', 'ERROR', 'WARNING', 'INFO', 'INFO', 'DEBUG']

/**
 * A line without the severity that stands before it, and the level which that is.
 * @example withoutSeverity('<3>disk full') // { text: 'disk full', level: 'ERROR' }
 */
export function withoutSeverity(line: string): { readonly text: string; readonly level: Level | undefined } {
  const [prefix, priority] = line.startsWith('<') ? (SEVERITY.exec(line) ?? []) : []
  if (prefix === undefined || Number(priority) > 191) return { text: line, level: undefined }
  return { text: line.slice(prefix.length), level: LEVELS[Number(priority) % 8] }
}
