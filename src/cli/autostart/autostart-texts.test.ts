import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AutostartPlan } from './autostart-plan.ts'
import { platformUnit } from './platform-unit.ts'
import { dataOfTask, quotedForWindows, windowsTask } from './windows-task.ts'

const PLAN: AutostartPlan = {
  name: 'shop',
  command: ['/opt/my programs/msvc', 'up', '--data', '/srv/50%/.msvc'],
  reload: ['/opt/my programs/msvc', 'apply'],
  folder: '/srv/50%',
  data: '/srv/50%/.msvc',
  user: 'ann',
  stopSeconds: 30,
}

it('says in a unit who runs what, and where, to the letter', () => {
  const unit = platformUnit(PLAN)
  expect(unit).toContain(
    '\nExecStart="/opt/my programs/msvc" up --data /srv/50%%/.msvc\nExecReload="/opt/my programs/msvc" apply\n',
  )
  expect(unit).toContain('\nType=notify\nNotifyAccess=all\nWatchdogSec=30\n')
  expect(unit).toContain('\nStartLimitIntervalSec=0\n')
  expect(unit).toContain('\nWorkingDirectory=/srv/50%%\nUser=ann\n')
  expect(unit).toContain('\nTimeoutStopSec=30\n')
})

it.each([
  { user: 'ann\nExecStartPre=+/bin/touch /root/owned' },
  { folder: '/srv/a\nExecStartPre=+/bin/touch /root/owned' },
  { data: '/srv', command: ['/msvc', 'up', '--data', '/srv/a\nUser=root'] },
])('refuses what would go on as another setting: %j', (given) => {
  expect(() => platformUnit({ ...PLAN, ...given })).toThrow(/has a line break/)
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
  it('comes out of a task as it went in', () => {
    fc.assert(fc.property(words, (word) => fromWindows(quotedForWindows(word)) === word))
    fc.assert(fc.property(words, (word) => dataOfTask(windowsTask({ ...PLAN, data: word })) === word))
  })
})
