import { describe, expect, it } from 'vitest'
import type { DeployFile } from './deployment.ts'
import { withKeptSecrets } from './kept-secrets.ts'
import { platformSecrets } from './platform-secrets.ts'

const KINDS = ['postgres', 'redis', 'nats'] as const
const VARIABLES = { postgres: 'DATABASE_URL', redis: 'REDIS_URL', nats: 'NATS_URL' } as const
/** Each password of its own, and others each time. */
function passwords(mark: string) {
  let count = 0
  return (length: number) => `${mark}${count++}`.padEnd(length, 'x')
}
const made = (mark: string) =>
  platformSecrets(
    KINDS.map((kind) => ({ kind, variable: VARIABLES[kind], elsewhere: undefined, here: undefined })),
    passwords(mark),
    0o400,
  )
const texts = (files: readonly DeployFile[]) => Object.fromEntries(files.map(({ path, text }) => [path, text]))

/** What becomes of secrets made a second time, on a disk. */
async function again(disk: Readonly<Record<string, string>>, untouched: readonly string[] = []) {
  return texts(
    withKeptSecrets(await made('b'), {
      textOf: (path) => disk[path],
      isUntouched: (path) => untouched.includes(path),
    }),
  )
}

describe('secrets that are on disk', () => {
  it('stay', async () => {
    const disk = texts(await made('a'))
    expect(Object.keys(disk)).toHaveLength(8)
    expect(await again(disk)).toEqual(disk)
    expect(await again({})).not.toEqual(disk)
  })

  it.each([
    ['secrets/database-url', 'secrets/postgres-password'],
    ['secrets/redis-url', 'secrets/redis.conf'],
    ['secrets/nats-url', 'secrets/nats.conf'],
  ])('are made by each other where one of %s and %s is missing or empty', async (one, other) => {
    const disk = texts(await made('a'))
    for (const path of [one, other])
      for (const lost of [{}, { [path]: '' }, { [path]: '\n' }]) {
        const { [path]: _, ...left } = disk
        expect(await again({ ...left, ...lost })).toEqual(disk)
      }
    const { [one]: _, [other]: __, ...left } = disk
    // both are made anew, with the same password
    const anew = texts(await made('b'))
    expect(await again(left)).toEqual({ ...disk, [one]: anew[one], [other]: anew[other] })
  })

  it('keep what a person has put there, and nothing is made by it that may not match', async () => {
    const disk = texts(await made('a'))
    const url = 'secrets/database-url'
    const password = 'secrets/postgres-password'
    const mine = { [url]: 'postgres://me:p%40ss@pgbouncer/shop\n', [password]: 'p@ss' }
    expect(await again({ ...disk, ...mine })).toEqual({ ...disk, ...mine })
    const { [password]: _, ...left } = { ...disk, ...mine }
    await expect(again(left)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(
        /^secrets\/postgres-password is missing or empty, and can't be made by secrets\/database-url, which you changed; put it back from your copy, or move secrets\/database-url away to have all made anew$/,
      ),
    })
    // the address of a server elsewhere, which the file named: not a person's
    expect(await again(left, [url])).toEqual({ ...disk, ...(await anew(url, password)) })
  })

  it('are refused where they can not both be right', async () => {
    const disk = { ...texts(await made('a')), 'secrets/redis-url': texts(await made('c'))['secrets/redis-url'] ?? '' }
    await expect(again(disk)).rejects.toThrow(
      /^secrets\/redis-url and secrets\/redis\.conf hold different passwords, .*remove the one that is wrong/,
    )
  })

  it('have their passwords found among what a person added, whatever the ends of lines', async () => {
    const disk = texts(await made('a'))
    const conf = `# mine\r\n${disk['secrets/redis.conf']?.replaceAll('\n', '\r\n')}`
    const { 'secrets/redis-url': url, ...left } = disk
    expect((await again({ ...left, 'secrets/redis.conf': conf }))['secrets/redis-url']).toBe(url)
  })
})

async function anew(...paths: readonly string[]) {
  const all = texts(await made('b'))
  return Object.fromEntries(paths.map((path) => [path, all[path]]))
}
