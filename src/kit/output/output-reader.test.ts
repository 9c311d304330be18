import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LogEntry } from '../telemetry/log.ts'
import { createOutputReader } from './output-reader.ts'
import { LOGGER_LINES } from './testing/logger-lines.ts'
import { STACK_TRACES } from './testing/stack-traces.ts'

const NOW = Date.UTC(2026, 10, 28, 12)
const own = { service: 'catalog', instance: 'catalog-1' }
const reading = (lingerMs?: number) => {
  const entries: LogEntry[] = []
  const clock = { now: () => NOW, monotonic: () => performance.now() }
  const reader = createOutputReader({
    ...own,
    clock,
    take: (entry) => entries.push(entry),
    ...(lingerMs && { lingerMs }),
  })
  return { entries, reader, push: (text: string) => reader.push('stdout', Buffer.from(text)) }
}

/** The entries of a text that was written at once. */
function entriesOf(text: string): readonly LogEntry[] {
  const { entries, reader, push } = reading()
  push(text)
  reader.end()
  return entries
}

describe('lines for machines', () => {
  it.each(LOGGER_LINES)('reads $logger', ({ line, entry }) => {
    const [read, ...more] = entriesOf(`${line}\n`)
    expect(more).toEqual([])
    expect(read).toMatchObject({ ...own, ...entry })
    for (const id of ['trace_id', 'span_id'] as const) expect(read?.[id]).toBe(entry[id])
    if (entry.metadata !== undefined) expect(read?.metadata).toEqual(entry.metadata)
  })

  it('loses no digit', () => {
    const [entry] = entriesOf('{"level":"info","msg":"m","id":9007199254740993,"at":{"n":[1e400]}}')
    expect(JSON.stringify(entry?.metadata)).toBe('{"id":9007199254740993,"at":{"n":[1e400]}}')
  })

  it('speaks in its own name, and says nothing of it twice', () => {
    const said = { level: 'info', msg: 'm', service: 'catalog', instance: 'catalog-1' }
    expect(entriesOf(JSON.stringify(said))[0]).toEqual({
      ...own,
      timestamp: '2026-11-28T12:00:00.000Z',
      level: 'INFO',
      message: 'm',
    })
  })

  it('takes no time without a zone, and keeps it', () => {
    const [entry] = entriesOf('{"msg":"m","time":"2026-11-28 04:43:40.123"}')
    expect(entry).toMatchObject({
      timestamp: '2026-11-28T12:00:00.000Z',
      metadata: { timestamp: '2026-11-28 04:43:40.123' },
    })
  })

  it.each(['{"a":1}', '[1,2]', '{"level":"info","msg":', '{}', 'a=1 b=2', '{"__proto__":{"level":"info"}}'])(
    'takes %s for a text',
    (line) => expect(entriesOf(line)).toMatchObject([{ level: 'INFO', message: line }]),
  )

  it('hides secrets', () => {
    const [json, text, ...key] = entriesOf(
      [
        '{"level":"info","msg":"login password=hunter2","password":"hunter2","user":{"token":"abc"}}',
        'GET http://bob:hunter2@db/',
        '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----',
      ].join('\n'),
    )
    expect(json).toMatchObject({
      message: 'login password=[hidden]',
      metadata: { password: '[hidden]', user: { token: '[hidden]' } },
    })
    expect(text?.message).toBe('GET http://[hidden]@db/')
    expect(key.map(({ message }) => message)).toEqual(['[hidden]'])
  })
})

describe('lines for people', () => {
  it('are taken as they are, without colours, and harmless', () => {
    const red = '\u001b[1;31mred\u001b[0m \u001b]0;title\u0007x\u001b(B \u001b]8;;http://a\u001b\\link \u009b2Jy'
    expect(entriesOf(`${red}\r\nbell\u0007 back\u0008 nul\u0000 up\u001b[\n`).map(({ message }) => message)).toEqual([
      'red x link y',
      'bell\\u0007 back\\u0008 nul\\u0000 up',
    ])
  })

  it('are INFO on stderr too', () => {
    const { entries, reader } = reading()
    reader.push('stderr', Buffer.from('listening on 7001\n<3>disk full\n<999>x\n'))
    reader.end()
    expect(entries.map(({ level, message }) => [level, message])).toEqual([
      ['INFO', 'listening on 7001'],
      ['ERROR', 'disk full'],
      ['INFO', '<999>x'],
    ])
  })
})

describe('stack traces', () => {
  it.each(STACK_TRACES)('keeps one of $what together', ({ text, level }) => {
    expect(entriesOf(`${text}\n`)).toMatchObject([{ message: text, level }])
  })

  it('parts one from the other, and from what stands around them, however the bytes are cut', () => {
    const texts = STACK_TRACES.flatMap(({ text }) => [text, '2026-11-28 12:00:00,000 INFO sold'])
    const bytes = Buffer.from(texts.join('\n'))
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 40 }), (cuts) => {
        const { entries, reader } = reading()
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length]
        for (const [index, from] of at.entries()) reader.push('stderr', bytes.subarray(from, at[index + 1] ?? from))
        reader.end()
        expect(entries.map(({ message }) => message)).toEqual(texts)
      }),
      { numRuns: 30 },
    )
  })

  it('joins none to other news', () => {
    const trace = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: 1'
    expect(entriesOf(`INFO: started\n${trace}\nINFO: next`)).toMatchObject([
      { level: 'INFO', message: 'INFO: started' },
      { level: 'ERROR', message: trace },
      { level: 'INFO', message: 'INFO: next' },
    ])
  })

  it('keeps the two streams apart', () => {
    const { entries, reader } = reading()
    reader.push('stderr', Buffer.from('Traceback (most recent call last):\n  File "a.py"\n'))
    reader.push('stdout', Buffer.from('sold\n'))
    reader.push('stderr', Buffer.from('ValueError: 1\n'))
    reader.end()
    expect(entries.map(({ message }) => message)).toEqual([
      'sold',
      'Traceback (most recent call last):\n  File "a.py"\nValueError: 1',
    ])
  })

  it('holds at most 500 lines, or 64 KiB', () => {
    const lines = entriesOf(`failed\n${'  at x\n'.repeat(1_200)}`).map(({ message }) => message.split('\n').length)
    expect(lines).toEqual([500, 500, 201])
    const long = entriesOf(`failed\n${`  ${'x'.repeat(30_000)}\n`.repeat(5)}`)
    expect(long.map(({ message }) => message.length)).toEqual([60_012, 60_005, 30_002])
    expect(Math.max(...entriesOf('y'.repeat(300_000)).map(({ message }) => message.length))).toBe(65_536)
  })
})

describe('an entry that waits', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is given out after a short while without more lines', () => {
    const { entries, push } = reading()
    push('failed\n')
    vi.advanceTimersByTime(30)
    push('  at x\n')
    vi.advanceTimersByTime(40)
    expect(entries).toEqual([])
    vi.advanceTimersByTime(11)
    expect(entries.map(({ message }) => message)).toEqual(['failed\n  at x'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('waits longer in the midst of a trace', () => {
    const { entries, push } = reading()
    push("thread 'main' panicked at a.rs:1:67:\nboom\nstack backtrace:\n")
    vi.advanceTimersByTime(900)
    push('   0: a::main\n')
    vi.advanceTimersByTime(999)
    expect(entries).toEqual([])
    vi.advanceTimersByTime(2)
    expect(entries).toHaveLength(1)
  })

  it('is given out in the end though something comes all the time', () => {
    const { entries, push } = reading()
    push('first\n')
    for (let count = 0; count < 200; count++) {
      vi.advanceTimersByTime(20)
      push('.')
    }
    expect(entries.map(({ message }) => message)).toEqual(['first'])
  })

  it('waits for nothing once a line for machines has come, and leaves no timer', () => {
    const { entries, reader, push } = reading()
    push('{"level":"info","msg":"m"}\n')
    expect(entries).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
    push('last, without its newline')
    push('\nnext\n')
    reader.end()
    expect(entries).toHaveLength(3)
    expect(vi.getTimerCount()).toBe(0)
  })
})
