import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ServicePlan } from './service-plan.ts'
import { quotedForSystemd, systemdUnit } from './systemd-unit.ts'
import { quotedForWindows, windowsTask } from './windows-task.ts'

const PLAN: ServicePlan = {
  name: 'shop',
  command: ['/opt/my programs/msvc', 'up', '--data', '/srv/50%/.msvc'],
  folder: '/srv/50%',
  user: 'ann',
  stopSeconds: 30,
}

it('says in a unit who runs what, and where, to the letter', () => {
  const unit = systemdUnit(PLAN)
  expect(unit).toContain('\nExecStart="/opt/my programs/msvc" up --data "/srv/50%%/.msvc"\n')
  expect(unit).toContain('\nWorkingDirectory=/srv/50%%\nUser=ann\n')
  expect(unit).toContain('\nTimeoutStopSec=30\n')
})

it('says in a task who runs what, and where, whatever stands in it', () => {
  const task = windowsTask({
    ...PLAN,
    ...{
      command: ['C:\\Program Files\\msvc.exe', 'up', '--data', 'C:\\a & b\\'],
      folder: 'C:\\a & b',
      user: 'HOST\\ann',
    },
  })
  expect(task).toContain('<Command>C:\\Program Files\\msvc.exe</Command>')
  expect(task).toContain('<Arguments>up --data &quot;C:\\a &amp; b\\\\&quot;</Arguments>')
  expect(task).toContain('<UserId>HOST\\ann</UserId>')
})

/** As systemd takes a quoted word apart. */
const fromSystemd = (text: string) =>
  (text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text).replaceAll('%%', '%').replaceAll('$$', '$')
/** As Microsoft's start-up code does. */
const fromWindows = (text: string) =>
  text.startsWith('"')
    ? text
        .slice(1, -1)
        .replace(
          /(\\*)(\\"|$)/g,
          (_, slashes: string, end: string) => slashes.slice(0, slashes.length / 2) + (end ? '"' : ''),
        )
    : text

describe('a word', () => {
  const words = fc.string({ minLength: 1, unit: fc.constantFrom(...'ab "\\%$&\'') })
  it('comes out of a unit as it went in', () => {
    fc.assert(fc.property(words, (word) => fromSystemd(quotedForSystemd(word)) === word))
  })
  it('comes out of a task as it went in', () => {
    fc.assert(fc.property(words, (word) => fromWindows(quotedForWindows(word)) === word))
  })
})
