import { expect, it, vi } from 'vitest'
import { become, takeBeginning } from './process-successor.ts'

const OWN = ['/opt/msvc'] as const

/** Becomes what it can; gives what was run, and the environment that it got. */
function becoming(isSound: boolean, execve: (file: string) => void = () => {}) {
  const run: { file: string; args: readonly string[]; env: NodeJS.ProcessEnv }[] = []
  const onFault = vi.fn()
  const serviceManager = { notifySocket: '/run/notify', watchdogMs: 30_000, sockets: [] }
  const given = {
    ...{ beginning: { self: OWN, place: OWN }, argv: ['up'], environment: { PATH: '/bin' }, serviceManager, onFault },
    execve(file: string, args: readonly string[], env: NodeJS.ProcessEnv) {
      run.push({ file, args, env })
      execve(file)
      throw new Error('became')
    },
  }
  return { become: () => become(given, { port: 8000, isSound }), run, onFault }
}

it('becomes the program at its place, and tells it the port that is left, and the service manager', () => {
  const { become, run } = becoming(true, (file) => {
    if (file !== '/opt/msvc') throw new Error('nothing else')
  })
  expect(become).toThrow()
  const env = { PATH: '/bin', MSVC_HELD_PORT: '8000', NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '30000000' }
  expect(run[0]).toEqual({ file: '/opt/msvc', args: ['/opt/msvc', 'up'], env })
})

it('runs the program that it is once more where the other one can not be run, or is not the one that was looked at', () => {
  const fault = new Error('ENOEXEC')
  const broken = becoming(true, (file) => {
    if (file === '/opt/msvc') throw fault
  })
  expect(broken.become).toThrow('became')
  expect(broken.onFault).toHaveBeenCalledWith(fault)
  expect(broken.run.map(({ file }) => file)).toEqual(['/opt/msvc', '/proc/self/exe'])
  const changed = becoming(false)
  expect(changed.become).toThrow('became')
  expect(changed.run).toEqual([
    expect.objectContaining({ file: '/proc/self/exe', env: expect.objectContaining({ MSVC_PLACE: '/opt/msvc' }) }),
  ])
})

it('knows by its environment what it follows, and tells nobody else', () => {
  const told = { MSVC_HELD_PORT: '8000', MSVC_PLACE: '/opt/msvc', PATH: '/bin' }
  expect(takeBeginning(told, ['/opt/msvc (deleted)'], 7)).toEqual({
    predecessor: { holdsPort: false },
    self: ['/proc/7/exe'],
    place: ['/opt/msvc'],
  })
  expect(told).toEqual({ PATH: '/bin' })
  expect(takeBeginning({}, OWN, 7)).toEqual({ self: OWN, place: OWN })
})
