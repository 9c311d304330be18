import { expect, it, onTestFinished } from 'vitest'
import { someUnit } from '../../kit/supervisor/testing/some-unit.ts'
import type { UnitReport, UnitState } from '../../kit/supervisor/unit-state.ts'
import type { Level } from '../../kit/telemetry/log.ts'
import type { Terminal } from '../terminal/io.ts'
import { createPlatformScreen } from './platform-screen.ts'

const ESCAPE = '\u001b'
/** A sequence, a movement, or text. */
const PIECES = new RegExp(`${ESCAPE}\\[(\\d*)([A-Za-z])|[\\r\\n]|[^${ESCAPE}\\r\\n]+`, 'g')

/** What a terminal shows that is written to: it knows the few sequences by which lines are drawn in their place. */
function screenOf(columns: number) {
  const rows: string[] = ['']
  let at = 0
  let column = 0
  const put = (text: string) => {
    const row = (rows[at] ?? '').padEnd(column)
    rows[at] = row.slice(0, column) + text + row.slice(column + text.length)
    column += text.length
  }
  const steps: Readonly<Record<string, (count: number) => void>> = {
    A: (count) => {
      at -= count
    },
    J: () => {
      rows[at] = (rows[at] ?? '').slice(0, column)
      rows.length = at + 1
    },
    K: () => {
      rows[at] = (rows[at] ?? '').slice(0, column)
    },
    m: () => {},
  }
  return {
    write(text: string) {
      for (const [piece, count, step] of text.matchAll(PIECES)) {
        if (step !== undefined) (steps[step] ?? expect.fail(`${JSON.stringify(piece)} is written`))(Number(count || 1))
        else if (piece === '\r') column = 0
        else if (piece !== '\n') put(piece)
        else {
          at++
          column = 0
          rows[at] ??= ''
        }
      }
      for (const row of rows) expect(row.length).toBeLessThanOrEqual(columns)
    },
    lines: () => rows.map((row) => row.trimEnd()).filter((row) => row !== ''),
  }
}

const NAMES = ['registry', 'shop', 'mail-worker']
const READY = { at: 'ready', pid: 7, service: 'shop', instance: 'i', url: 'http://127.0.0.1:7001' } as const
const FAILED = { at: 'backing-off', delayMs: 200, why: 'exit code 1', inARow: 1 } as const

/** A role and two services of the user's on a screen of 80 columns, who need one another in turn. */
async function platform(isTTY: boolean, format: 'text' | 'json' = 'text') {
  const shown = screenOf(80)
  const written: string[] = []
  const write = (text: string) => {
    written.push(text)
    if (format === 'text') shown.write(text)
  }
  const err: Terminal = { isTTY, colour: isTTY, columns: 80, rows: 24, write }
  let now = 0
  const screen = createPlatformScreen({ io: { err }, options: {} }, { now: () => now, monotonic: () => now })
  onTestFinished(screen.end)
  await screen.begin(format, NAMES)
  const reports = new Map(
    NAMES.map((name, index): [string, UnitReport] => {
      const needs = NAMES.slice(0, index).slice(-1)
      const unit = someUnit(name, { essential: index === 0, needs })
      return [name, { unit, state: { at: 'waiting' }, restarts: 0, since: 0 }]
    }),
  )
  const all = () => [...reports.values()]
  return {
    shown,
    written,
    /** A unit comes into a state, 40 ms later. */
    to(name: string, state: UnitState) {
      const before = reports.get(name) ?? expect.fail(name)
      now += 40
      reports.set(name, { ...before, state })
      screen.changed({ unit: before.unit, state, was: before.state.at, life: 1, endsInARow: 1 }, all)
    },
    says(name: string, message: string, level: Level = 'INFO') {
      const timestamp = new Date(now).toISOString()
      screen.sinkOf(name)({ timestamp, level, service: name, instance: 'i', message })
    },
    ready: () => screen.ready(all(), () => write('UNIT  ADDRESS\n')),
  }
}

it('shows a line a unit and nothing else while they start, then the addresses, then what they say', async () => {
  const { shown, written, to, says, ready } = await platform(true)
  to('registry', { at: 'starting' })
  says('registry', 'listens')
  expect(shown.lines()).toEqual([
    '⠋ registry     starting',
    '· shop         waiting for registry',
    '· mail-worker  waiting for shop',
  ])
  to('registry', READY)
  to('shop', { at: 'starting', doing: 'building' })
  says('shop', 'reads its settings')
  expect(shown.lines()).toEqual([
    '✔ registry     ready in 40 ms',
    '⠋ shop         building',
    '· mail-worker  waiting for shop',
  ])
  to('shop', FAILED)
  // what it said last is why
  const why = '00:00:00.120 shop        | reads its settings'
  expect(shown.lines()).toEqual([
    why,
    '✔ registry     ready in 40 ms',
    '✖ shop         failed: exit code 1; again in 0.2 s',
    '· mail-worker  waiting for shop',
  ])
  to('shop', { at: 'starting' })
  to('shop', READY)
  to('mail-worker', { at: 'starting' })
  to('mail-worker', READY)
  says('mail-worker', 'has nothing to send')
  expect(shown.lines()).toEqual([
    why,
    '✔ registry     ready in 40 ms',
    '✔ shop         ready in 40 ms',
    '✔ mail-worker  ready in 40 ms',
  ])
  ready()
  const table = [why, 'UNIT  ADDRESS', '00:00:00.320 mail-worker | has nothing to send']
  expect(shown.lines()).toEqual(table)
  written.length = 0
  says('shop', 'sold one')
  says('mail-worker', 'sent one')
  expect(shown.lines()).toEqual([
    ...table,
    '00:00:00.320 shop        | sold one',
    '00:00:00.320 mail-worker | sent one',
  ])
  for (const [index, prefix] of ['shop       ', 'mail-worker'].entries())
    expect(written[index]).toMatch(new RegExp(`${ESCAPE}\\[\\d+m${prefix}${ESCAPE}\\[39m`))
})

it('writes plain lines to a pipe, of what goes wrong and what units say', async () => {
  const { written, to, says, ready } = await platform(false)
  to('registry', { at: 'starting' })
  to('registry', READY)
  to('shop', { at: 'starting' })
  says('shop', 'reads its settings')
  to('shop', FAILED)
  to('shop', { at: 'starting' })
  to('shop', READY)
  ready()
  says('mail-worker', 'sent one')
  expect(written).toEqual([
    '00:00:00.120 INFO     shop            reads its settings\n',
    'warning: shop did not start (exit code 1); it starts again in 0.2 s\n',
    'UNIT  ADDRESS\n',
    '00:00:00.240 INFO     mail-worker     sent one\n',
  ])
})

it('is JSON line by line where nobody looks on and entries are', async () => {
  const { written, to, says } = await platform(false, 'json')
  says('shop', 'listens')
  to('shop', FAILED)
  const lines = written.join('').trim().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { service: 'shop', level: 'INFO', message: 'listens' },
    { service: 'msvc', level: 'WARNING', message: expect.stringContaining('shop') },
  ])
})
