import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { serviceManager, systemd, taskScheduler } from './service-manager.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-units-'))
afterAll(() => rmSync(folder, { recursive: true }))
const plan = { name: 'shop', command: ['/usr/bin/msvc', 'up'], folder: '/srv', user: 'ann', stopSeconds: 30 }

describe('systemd', () => {
  const calls: string[] = []
  const manager = systemd(async (...words) => {
    calls.push(words.join(' '))
    return 'ActiveState=active'
  }, folder)

  it('starts a platform now and with the machine, once', async () => {
    await expect(manager.status('shop')).rejects.toThrow(/there is no .*shop\.service; msvc service install/)
    expect(await manager.install(plan)).toBe(join(folder, 'shop.service'))
    expect(readFileSync(join(folder, 'shop.service'), 'utf8')).toContain('User=ann')
    expect(calls.splice(0)).toEqual(['systemctl daemon-reload', 'systemctl enable --now shop.service'])
    await expect(manager.install(plan)).rejects.toThrow(/is there already/)
    expect(await manager.status('shop')).toBe('ActiveState=active')
  })

  it('ends it, and leaves nothing', async () => {
    calls.length = 0
    await manager.uninstall('shop')
    expect(calls).toEqual(['systemctl disable --now shop.service', 'systemctl daemon-reload'])
    await expect(manager.uninstall('shop')).rejects.toThrow(/there is no/)
  })
})

describe("Windows' scheduler", () => {
  it('takes a task by a file that is gone afterwards', async () => {
    const calls: string[] = []
    const manager = taskScheduler(async (...words) => {
      calls.push(words.join(' '))
      if (words.includes('/query')) throw new Error('no such task')
      return ''
    })
    await manager.install(plan)
    expect(calls.map((call) => call.split(' ').slice(0, 4).join(' '))).toEqual([
      'schtasks /query /tn shop',
      'schtasks /create /tn shop',
      'schtasks /run /tn shop',
    ])
    await expect(manager.uninstall('shop')).rejects.toThrow(/there is no task shop/)
  })
})

it('is told of where there is none', () => {
  expect(() => serviceManager('linux', false)).toThrow(/neither systemd nor Windows runs here/)
})
