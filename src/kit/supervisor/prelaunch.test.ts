import { expect, it } from 'vitest'
import { prelaunch } from './prelaunch.ts'
import type { LaunchRole } from './role-unit.ts'

it('gives each replica launched ahead once, and ends those that nobody took', () => {
  const events: string[] = []
  const launch: LaunchRole = (_role, unit) => {
    events.push(`launch ${unit}`)
    return {
      pid: 1,
      start: () => Promise.reject(new Error('not started here')),
      take: async () => {},
      probe: async () => {},
      stop: () => {},
      kill: () => void events.push(`kill ${unit}`),
      exited: new Promise(() => {}),
    }
  }
  const ahead = prelaunch(launch, [
    { role: 'user', unit: 'user' },
    { role: 'user', unit: 'user-2' },
  ])
  ahead.launch('user', 'user')
  ahead.launch('user', 'user')
  ahead.dismiss()
  ahead.dismiss()
  expect(events).toEqual(['launch user', 'launch user-2', 'launch user', 'kill user-2'])
})
