import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AppError } from '../../kit/errors.ts'
import { autostart, type Run } from './autostart.ts'
import { systemd } from './systemd-autostart.ts'
import { taskScheduler } from './task-scheduler.ts'

let folder: string
let calls: string[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-units-'))
  calls = []
})
afterEach(() => rmSync(folder, { recursive: true }))
const plan = {
  ...{ name: 'shop', command: ['/usr/bin/msvc', 'up'], reload: ['/usr/bin/msvc', 'apply'] },
  ...{ folder: '/srv', data: '/srv/.msvc', user: 'ann', stopSeconds: 30 },
}

/** Plays the system's programs. @param answers by the beginning of a command: what it says, or why it fails */
function system(answers: Readonly<Record<string, string | AppError>>): Run {
  return async (...words) => {
    const call = words.join(' ')
    calls.push(call)
    const found = Object.entries(answers).find(([beginning]) => call.startsWith(beginning))?.[1] ?? ''
    if (found instanceof AppError) throw found
    return found
  }
}
const failed = new AppError('START_FAILED', 'it failed')
const FREE = { 'systemctl show --property=LoadState': 'not-found' }

describe('systemd', () => {
  it('starts a platform now and with the machine, once', async () => {
    const shown = { 'systemctl show --property=StatusText': 'Ready: user', 'systemctl show': 'ActiveState=active' }
    const manager = systemd(system({ ...FREE, ...shown }), folder)
    await expect(manager.status('shop')).rejects.toThrow(/there is no .*shop\.service; msvc service install/)
    expect(await manager.install(plan)).toEqual({ where: join(folder, 'shop.service'), says: 'Ready: user' })
    expect(readFileSync(join(folder, 'shop.service'), 'utf8')).toContain('User=ann')
    expect(calls.splice(0)).toEqual([
      'id -u -- ann',
      'systemctl show --property=LoadState --value shop.service',
      'systemctl daemon-reload',
      'systemctl enable --now shop.service',
      'systemctl show --property=StatusText --value shop.service',
    ])
    await expect(manager.install(plan)).rejects.toThrow(/is there already/)
    expect(await manager.status('shop')).toBe('ActiveState=active')
  })

  it('ends it, and leaves nothing', async () => {
    const manager = systemd(system(FREE), folder)
    await manager.install(plan)
    calls.length = 0
    await manager.uninstall('shop')
    expect(calls.slice(0, 2)).toEqual(['systemctl disable --now shop.service', 'systemctl daemon-reload'])
    expect(readdirSync(folder)).toEqual([])
    await expect(manager.uninstall('shop')).rejects.toThrow(/there is no/)
  })

  it('leaves nothing of one that does not start, and says what it said', async () => {
    const answers = { ...FREE, 'systemctl enable': failed, 'journalctl --unit': 'error: port 8000 is taken' }
    const manager = systemd(system(answers), folder)
    await expect(manager.install(plan)).rejects.toThrow(/doesn't start, and .* taken away again:\n {2}error: port 8000/)
    expect(readdirSync(folder)).toEqual([])
    expect(calls).toContain('systemctl disable --now shop.service')
  })

  it('refuses a user that there is not, and a name that something else has', async () => {
    await expect(systemd(system({ ...FREE, id: failed }), folder).install(plan)).rejects.toThrow(/there is no user ann/)
    const loaded = systemd(system({ 'systemctl show': 'loaded' }), folder)
    await expect(loaded.install({ ...plan, name: 'ssh' })).rejects.toThrow(/ssh\.service is there already/)
    symlinkSync(join(folder, 'nowhere'), join(folder, 'shop.service'))
    await expect(systemd(system(FREE), folder).install(plan)).rejects.toThrow(/shop\.service is there already/)
    expect(readdirSync(folder)).toEqual(['shop.service'])
  })

  it('takes away what it has written, and nothing else', async () => {
    writeFileSync(join(folder, 'web.service'), '[Service]\nExecStart=/bin/web\n')
    await expect(systemd(system({}), folder).uninstall('web')).rejects.toThrow(/was not written by msvc/)
    expect(calls).toEqual([])
  })
})

describe("Windows' scheduler", () => {
  it('takes a task by a file that is gone afterwards', async () => {
    const manager = taskScheduler(system({ 'schtasks /query': '"\\other","N/A","Ready"' }), ['msvc.exe'])
    await manager.install(plan)
    expect(calls.map((call) => call.split(' ').slice(0, 4).join(' '))).toEqual([
      'schtasks /query /fo csv',
      'schtasks /create /tn shop',
      'schtasks /run /tn shop',
    ])
    await expect(manager.uninstall('shop')).rejects.toThrow(/there is no task shop/)
  })

  it('ends in order what it takes away', async () => {
    const run = system({
      'schtasks /query /fo csv': '"\\shop","N/A","Running"',
      'schtasks /query /tn shop /xml': '<Documentation>C:\\a &amp; b</Documentation>',
    })
    await taskScheduler(run, ['msvc.exe']).uninstall('shop')
    expect(calls.slice(-3)).toEqual([
      'msvc.exe --data C:\\a & b down',
      'schtasks /end /tn shop',
      'schtasks /delete /tn shop /f',
    ])
  })

  it('says why it can not be asked, and does not call that a missing task', async () => {
    const manager = taskScheduler(system({ schtasks: failed }), ['msvc.exe'])
    await expect(manager.status('shop')).rejects.toThrow('it failed')
    await expect(manager.uninstall('shop')).rejects.toThrow('it failed')
  })
})

it('is told of where there is none', () => {
  expect(() => autostart(['msvc'], 'linux', false)).toThrow(/nothing here starts services with the machine/)
})
