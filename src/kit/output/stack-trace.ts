import type { Level } from '../telemetry/log.ts'

/**
 * What lines belong to an entry, by its last one: a `line` takes what is indented below it; the others take what the runtime they are named after writes next.
 */
export type Shape =
  | 'line'
  | 'trace'
  | 'python'
  | 'python-end'
  | 'python-link'
  | 'node-source'
  | 'node-caret'
  | 'node-error'
  | 'required'
  | 'go'
  | 'rust-message'
  | 'rust'
  | 'php'
  | 'ruby'
  | 'java-logging'
  | 'private-key'

/** What an entry is so far. */
export interface Growing {
  readonly shape: Shape
  /** What its lines say of its level. */
  readonly level: Level | undefined
  /** Whether a line of it was indented. */
  readonly isIndented: boolean
  /** Whether empty lines stand between it and the next line. */
  readonly isParted: boolean
}

const NODE_SOURCE = /^(?:node:|file:|\/|[A-Za-z]:\\)[^\n]{0,1024}(?:\.[cm]?[jt]sx?|node:[\w/]{1,128}):\d{1,9}$/
const NODE_BUILTIN = /^node:[\w/]{1,256}:\d{1,9}$/
const JAVA_LOGGING = /^[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M \S/
const JAVA_LEVEL = /^(?:SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): /
const JAVA_THROWABLE = /^[a-z]\w*(?:\.\w{1,128}){1,32}(?:\$\w{1,128}){0,8}(?::|$)/
const THROWABLE_NAME = /(?:Exception|Error|Throwable)$/
const RUBY_FRAME = /^[^\s:]{1,512}:\d{1,9}:in [`'"]/
const PRIVATE_KEY = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY/
/** `at Orders.sell(…)`, of Java, Node and .NET. */
const FRAME = /^[ \t]{1,16}at [\w$<.]/
const SIGNAL = /^SIG[A-Z]{2,8}: /

/** What an entry is that begins with this line, and the level that the shape alone gives it. */
export function beginningOf(line: string): { readonly shape: Shape; readonly level?: Level } {
  switch (line.charCodeAt(0)) {
    case LETTER.T:
      if (line.startsWith('Traceback (most recent call last)')) return { shape: 'python', level: 'ERROR' }
      break
    case LETTER.E:
      if (line.startsWith('Exception in thread ')) return { shape: 'trace', level: 'ERROR' }
      break
    case LETTER.U:
      if (/^(?:Unhandled [Ee]xception|Uncaught )/.test(line)) return { shape: 'trace', level: 'ERROR' }
      break
    case LETTER.p:
      if (line.startsWith('panic: ')) return { shape: 'go', level: 'CRITICAL' }
      break
    case LETTER.f:
      if (line.startsWith('fatal error: ')) return { shape: 'go', level: 'CRITICAL' }
      break
    case LETTER.t:
      if (line.startsWith("thread '") && line.includes(' panicked at ')) {
        return { shape: 'rust-message', level: 'CRITICAL' }
      }
      break
    case LETTER.S:
      if (SIGNAL.test(line)) return { shape: 'go', level: 'CRITICAL' }
      break
    case LETTER.space:
      if (isGroup(line)) return { shape: 'python-end', level: 'ERROR' }
      break
  }
  if (NODE_BUILTIN.test(line) || NODE_SOURCE.test(line)) return { shape: 'node-source' }
  if (RUBY_FRAME.test(line)) return { shape: 'ruby', level: 'ERROR' }
  if (isJavaThrowable(line)) return { shape: 'trace', level: 'ERROR' }
  if (JAVA_LOGGING.test(line)) return { shape: 'java-logging' }
  if (PRIVATE_KEY.test(line)) return { shape: 'private-key' }
  return { shape: 'line' }
}

/**
 * What an entry becomes by one more line; undefined where the line begins another one.
 * @param line not empty
 */
export function grownBy(entry: Growing, line: string): Shape | undefined {
  const { shape } = entry
  if (shape === 'private-key') return line.includes('-----END') ? 'line' : 'private-key'
  if (isIndented(line)) {
    if (isGroup(line) && !mayHaveTrace(entry)) return undefined
    return shape === 'line' && FRAME.test(line) ? 'trace' : (BY_INDENTED[shape] ?? shape)
  }
  return nextOf(entry, line) ?? ofAny(entry, line)
}

/** Shapes of which more comes for sure, or takes long to come, as a backtrace whose symbols are looked up. */
const UNFINISHED: ReadonlySet<Shape> = new Set([
  'python',
  'node-source',
  'node-caret',
  'node-error',
  'rust-message',
  'rust',
  'go',
  'private-key',
])

/** Whether an entry of this shape is worth a longer wait. */
export function isUnfinished(shape: Shape): boolean {
  return UNFINISHED.has(shape)
}

/** What is looked at closely is what its runtime writes next; what is indented goes on with what was there. */
const BY_INDENTED: Readonly<Partial<Record<Shape, Shape>>> = {
  'node-source': 'node-caret',
  'node-caret': 'node-error',
  'rust-message': 'rust',
  required: 'trace',
}

function nextOf({ shape, isParted }: Growing, line: string): Shape | undefined {
  switch (shape) {
    case 'python':
      return /^[A-Za-z_][\w.]{0,256}(?::|$)/.test(line) ? 'python-end' : undefined
    case 'python-end':
      return line.startsWith('During handling of the above') || line.startsWith('The above exception was')
        ? 'python-link'
        : undefined
    case 'python-link':
      return line.startsWith('Traceback (most recent') ? 'python' : undefined
    case 'node-source':
      return isParted ? undefined : 'node-caret'
    case 'node-caret':
      return /^\^+$/.test(line) ? 'node-error' : undefined
    case 'node-error':
    case 'rust-message':
      return shape === 'rust-message' ? 'rust' : 'trace'
    case 'required':
      return line.startsWith('- ') ? 'required' : undefined
    case 'go':
      return !isParted &&
        (line.endsWith(')') || line.startsWith('created by ') || line.startsWith('[signal ') || line.startsWith('...'))
        ? 'go'
        : line.startsWith('exit status ')
          ? 'line'
          : undefined
    case 'rust':
      return line.startsWith('note: ') ? 'rust' : undefined
    case 'php':
      return /^#\d{1,6} /.test(line) || /^Next [\w\\]{1,256}:/.test(line) ? 'php' : undefined
    case 'ruby':
      return RUBY_FRAME.test(line) ? 'ruby' : undefined
    case 'java-logging':
      return JAVA_LEVEL.test(line) ? 'line' : undefined
    default:
      return undefined
  }
}

/** Lines that go on with whatever stands before them. */
function ofAny(entry: Growing, line: string): Shape | undefined {
  switch (line.charCodeAt(0)) {
    case LETTER.T:
      return mayHaveTrace(entry) && line.startsWith('Traceback (most recent call last)') ? 'python' : undefined
    case LETTER.C:
      return line.startsWith('Caused by:') ? 'trace' : undefined
    case LETTER.g:
      return /^goroutine \d{1,19} \[/.test(line) ? 'go' : undefined
    case LETTER.S:
      return line === 'Stack trace:' ? 'php' : line.startsWith('Suppressed: ') ? 'trace' : undefined
    case LETTER.bracket:
      return line === '[stacktrace]' ? 'php' : undefined
    case LETTER.s:
      return line === 'stack backtrace:' ? 'rust' : undefined
    case LETTER.R:
      return line === 'Require stack:' ? 'required' : undefined
    case LETTER.N:
      return entry.shape !== 'line' && /^Node\.js v\d/.test(line) ? 'line' : undefined
    case LETTER.dot:
      return /^\.{3} \d{1,9} more$/.test(line) ? 'trace' : undefined
    default:
      if (entry.isIndented && /^[\])}][,;)]{0,2}$/.test(line)) return entry.shape
      return mayHaveTrace(entry) && !entry.isParted && isJavaThrowable(line) ? 'trace' : undefined
  }
}

/** How Python's traceback of an exception group begins. */
function isGroup(line: string): boolean {
  return line.startsWith('  + Exception Group Traceback')
}

/** Whether a trace below is likely this entry's: loggers write one below a failure; below other news it is somebody else's. */
function mayHaveTrace({ level, shape, isIndented }: Growing): boolean {
  // it has its lines already
  if (isIndented) return false
  return level === undefined ? shape === 'line' : level !== 'INFO' && level !== 'DEBUG'
}

/** `java.lang.IllegalStateException: …`, with its package. */
function isJavaThrowable(line: string): boolean {
  const name = JAVA_THROWABLE.exec(line)?.[0]
  return name !== undefined && THROWABLE_NAME.test(name.endsWith(':') ? name.slice(0, -1) : name)
}

/** Whether it goes on with the line before, as far as one can see. */
export function isIndented(line: string): boolean {
  const first = line.charCodeAt(0)
  return first === LETTER.space || first === LETTER.tab
}

const LETTER = {
  tab: 9,
  space: 32,
  dot: 46,
  C: 67,
  E: 69,
  N: 78,
  R: 82,
  S: 83,
  T: 84,
  U: 85,
  bracket: 91,
  f: 102,
  g: 103,
  p: 112,
  s: 115,
  t: 116,
} as const
