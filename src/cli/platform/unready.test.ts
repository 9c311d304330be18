import { expect, it, vi } from 'vitest'
import type { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import type { Terminal } from '../terminal/io.ts'
import { createMessages } from '../terminal/messages.ts'
import { tellUnready } from './unready.ts'

function told(...rows: readonly Pick<UnitRow, 'unit' | 'state' | 'words'>[]) {
  const lines: string[] = []
  const terminal: Terminal = {
    write: (text) => void lines.push(text),
    isTTY: false,
    colour: false,
    columns: 80,
    rows: 24,
  }
  const endWith = vi.fn()
  tellUnready({ messages: createMessages(terminal, false), endWith }, rows)
  return { lines, codes: endWith.mock.calls.flat() }
}

it('names what has failed, and has the command end with 1', () => {
  const broken = { unit: 'broken', state: 'backing-off', words: 'failed: exit code 3; again in 0.4 s' } as const
  const given = { unit: 'given-up', state: 'failed', words: 'failed: exit code 4' } as const
  expect(told({ unit: 'well', state: 'ready' }, broken, given)).toEqual({
    lines: ['error: broken: failed: exit code 3; again in 0.4 s\n', 'error: given-up: failed: exit code 4\n'],
    codes: [1],
  })
})

it('names what still starts, which is no failure', () => {
  const slow = { unit: 'slow', state: 'starting', words: 'nobody listens on 127.0.0.1:7001' } as const
  const behind = { unit: 'behind', state: 'waiting', words: 'waiting for slow' } as const
  expect(told(slow, behind, { unit: 'job', state: 'finished' }, { unit: 'off', state: 'stopped' })).toEqual({
    lines: [
      "warning: slow isn't ready yet: nobody listens on 127.0.0.1:7001; msvc ps says how it goes on\n",
      "warning: behind isn't ready yet: waiting for slow; msvc ps says how it goes on\n",
    ],
    codes: [],
  })
})
