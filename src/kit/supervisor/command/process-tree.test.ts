import { expect, it } from 'vitest'
import { signalTree, type TaskKill } from './process-tree.ts'

function recorded(isDone: boolean) {
  const calls: string[] = []
  const end: TaskKill = (args, done) => {
    calls.push(args.join(' '))
    done(isDone)
  }
  return { calls, end }
}
const pid = String(process.pid)
/** Beyond what any system gives. */
const NOBODY = 2 ** 30

it('asks a tree on Windows to close, and ends at once what can not be asked', () => {
  const open = recorded(true)
  expect(signalTree(process.pid, 'SIGTERM', 'win32', open.end)).toBe(true)
  expect(open.calls).toEqual([`/PID ${pid} /T`])
  const deaf = recorded(false)
  expect(signalTree(process.pid, 'SIGTERM', 'win32', deaf.end)).toBe(true)
  expect(deaf.calls).toEqual([`/PID ${pid} /T`, `/PID ${pid} /T /F`])
})

it('ends a tree on Windows, only looks for 0, and leaves alone what is gone', () => {
  const { calls, end } = recorded(true)
  expect(signalTree(process.pid, 0, 'win32', end)).toBe(true)
  expect(calls).toEqual([])
  expect(signalTree(process.pid, 'SIGKILL', 'win32', end)).toBe(true)
  expect(signalTree(NOBODY, 'SIGKILL', 'win32', end)).toBe(false)
  expect(calls).toEqual([`/PID ${pid} /T /F`])
})
