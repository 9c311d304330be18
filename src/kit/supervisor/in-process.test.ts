import { describe, expect, it } from 'vitest'
import { Platform } from '../config/schema.ts'
import { AppError } from '../errors.ts'
import type { RunningHost } from '../host.ts'
import { inProcess } from './in-process.ts'
import type { Job } from './job.ts'

const job: Job = {
  role: 'user',
  settings: Platform.parse({}),
  section: { host: '127.0.0.1', port: 0 },
  registryUrl: 'http://127.0.0.1:1',
}

const well = new Promise<never>(() => {})
const cutover = { prepare: async () => {}, hold: async () => {}, begin: async () => {} }

function host(stop: () => Promise<void> = async () => {}, broken: Promise<Error> = well): RunningHost {
  return {
    role: 'user',
    service: 'user-service',
    instance: 'i',
    url: 'http://x',
    advertised: 'http://x',
    loopback: [],
    port: 1,
    broken,
    cutover,
    join: async () => {},
    reload: async () => {},
    stop,
  }
}

describe('inProcess', () => {
  it('starts and stops a role', async () => {
    const member = inProcess(async () => host(), 7)('user', 'user')
    expect(member.pid).toBe(7)
    expect(await member.start(job)).toEqual({
      service: 'user-service',
      instance: 'i',
      url: 'http://x',
      advertised: 'http://x',
    })
    member.stop()
    expect(await member.exited).toBe('stopped')
  })

  it('tells why a role did not start, or did not stop cleanly', async () => {
    const refused = inProcess(() => Promise.reject(new AppError('START_FAILED', 'no')), 7)('user', 'user')
    await expect(refused.start(job)).rejects.toMatchObject({ message: 'no' })
    refused.stop()
    expect(await refused.exited).toBe('no')

    const stuck = inProcess(async () => host(() => Promise.reject(new AppError('INTERNAL', 'stuck'))), 7)(
      'user',
      'user',
    )
    await stuck.start(job)
    stuck.stop()
    expect(await stuck.exited).toBe('stuck')
  })

  it('ends a role that says that it can not go on, and says why', async () => {
    const broken = Promise.withResolvers<Error>()
    let stopped = false
    const stop = async () => {
      stopped = true
    }
    const member = inProcess(async () => host(stop, broken.promise), 7)('user', 'user')
    await member.start(job)
    broken.resolve(new AppError('UNAVAILABLE', 'users.db is damaged'))
    expect(await member.exited).toBe('users.db is damaged')
    expect(stopped).toBe(true)
  })

  it('has a role take steps, and says why it can not', async () => {
    const told: unknown[] = []
    const reload = async (changes: Readonly<Record<string, unknown>>) => {
      if (told.push(changes) > 1) throw new AppError('START_FAILED', 'port 7001 is taken')
    }
    const member = inProcess(async () => ({ ...host(), reload }), 7)('user', 'user')
    await member.start(job)
    const step = { step: 'reload', changes: { routes: {} } } as const
    await member.take(step)
    expect(told).toEqual([{ routes: {} }])
    await expect(member.take(step)).rejects.toMatchObject({ code: 'CONFLICT', message: 'port 7001 is taken' })
  })

  it('leaves a start that does not end behind', async () => {
    const member = inProcess(() => new Promise(() => {}), 7)('user', 'user')
    const refused = expect(member.start(job)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    member.kill()
    await refused
    expect(await member.exited).toBe('left behind')
  })
})
