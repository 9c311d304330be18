import { expect, it } from 'vitest'
import type { Terminal } from './io.ts'
import { createProgress, createStepProgress } from './progress.ts'

function terminal(isTTY: boolean) {
  const written: string[] = []
  const made: Terminal = { isTTY, colour: isTTY, columns: 20, write: (text) => void written.push(text) }
  return { made, written }
}

it('keeps text above its line, and cleans up', () => {
  const { made, written } = terminal(true)
  const progress = createProgress(made)
  progress.show('waiting for everybody and everything')
  progress.above.write('a log line\n')
  progress.end()
  expect(written[0]).toBe('\r\u001b[K⠋ waiting for ever…')
  expect(written[1]).toBe('\r\u001b[Ka log line\n')
  expect(written.at(-1)).toBe('\r\u001b[K')
  progress.above.write('later\n')
  expect(written.at(-1)).toBe('later\n')
})

it('says nothing where nobody looks', () => {
  const { made, written } = terminal(false)
  const progress = createProgress(made)
  progress.show('waiting')
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
