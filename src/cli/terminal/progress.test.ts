import { expect, it } from 'vitest'
import type { Terminal } from './io.ts'
import { createProgress, createStepProgress } from './progress.ts'

function terminal(isTTY: boolean) {
  const written: string[] = []
  const made = {
    isTTY,
    colour: isTTY,
    columns: 20,
    rows: 5,
    write: (text: string) => void written.push(text),
  } satisfies Terminal
  return { made, written }
}

it('keeps text above its line, and cleans up', () => {
  const { made, written } = terminal(true)
  const progress = createProgress(made)
  progress.show('waiting for everybody and everything')
  progress.above.write('a log line\n')
  progress.end()
  expect(written).toEqual([
    '\r⠋ waiting for ev…\u001b[K\u001b[J',
    '\r\u001b[Ja log line\n⠋ waiting for ev…\u001b[K\u001b[J',
    '\r\u001b[J',
  ])
  progress.above.write('later\n')
  expect(written.at(-1)).toBe('later\n')
})

it('draws several lines in their place, and no more than there is room for', () => {
  const { made, written } = terminal(true)
  const progress = createProgress(made)
  const rooms: number[] = []
  progress.showLines(({ rows }) => {
    rooms.push(rows)
    return ['one', '\u001b[32mtwo\u001b[39m', 'three']
  })
  progress.showLines(() => ['all'])
  progress.end()
  expect(rooms).toEqual([4])
  expect(written[1]).toBe('\r\u001b[2Aall\u001b[K\u001b[J')
  expect(written[2]).toBe('\r\u001b[J')
})

it('finds its first line again in a window that has become narrower', () => {
  const { made, written } = terminal(true)
  const progress = createProgress(made)
  progress.showLines(() => ['0123456789', 'short', '0123456789'])
  made.columns = 8
  progress.end()
  expect(written.at(-1)).toBe('\r\u001b[4A\u001b[J')
})

it('says nothing where nobody looks', () => {
  const { made, written } = terminal(false)
  const progress = createProgress(made)
  progress.show('waiting')
  progress.showLines(() => ['waiting'])
  progress.end()
  expect(written).toEqual([])
})

it('draws a step once, however often it is told', () => {
  const { made, written } = terminal(true)
  const progress = createStepProgress(made, false)
  for (const text of ['a: 1 %', 'a: 1 %', 'a: 2 %']) progress.show(text)
  progress.end()
  expect(written.filter((text) => text.includes('%'))).toHaveLength(2)
  const quiet = terminal(true)
  createStepProgress(quiet.made, true).show('a')
  expect(quiet.written).toEqual([])
})
