import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { isHere } from '../../../test/servers/programs.ts'
import { expectWithin } from '../../kit/testing/turns.ts'
import { EntryPage } from './contract.ts'
import { NOW, openLogServer } from './testing/running-log-server.ts'
import { ownPostgres } from './testing/stores.ts'

/** How long a server may be away after it has come back, for whoever uses it. */
const BACK_MS = 5_000

describe.skipIf(!isHere('postgres'))('a log server whose PostgreSQL', () => {
  const { newPlace, server: postgres } = ownPostgres()
  const opened: Awaited<ReturnType<typeof openLogServer>>[] = []
  afterEach(async () => {
    for (const server of opened.splice(0)) await server.close()
  })

  async function open(place = newPlace()) {
    const server = await openLogServer(place)
    opened.push(server)
    return server
  }
  const entry = (message: string) => ({
    timestamp: new Date(NOW).toISOString(),
    level: 'INFO',
    service: 'shop',
    message,
  })

  it('is killed loses nothing acknowledged, says 503 meanwhile, and is back in 5 s', async () => {
    const server = await open()
    const acknowledged = new Set<string>()
    const refusals = new Set<number>()
    let isOver = false
    let next = 0
    const send = async () => {
      while (!isOver) {
        const message = `entry-${next++}`
        const { status } = await server.post('/logs', entry(message))
        if (status === 202) acknowledged.add(message)
        else refusals.add(status)
      }
    }
    const sending = Promise.all(Array.from({ length: 8 }, send))
    try {
      for (let round = 0; round < 3; round++) {
        const before = acknowledged.size
        await expectWithin(BACK_MS, () => acknowledged.size > before, true)
        await expect.poll(() => acknowledged.size).toBeGreaterThan(before + 50)
        await postgres().kill()
        // once it stays away for longer than the store tries again
        if (round === 1) await expect.poll(() => refusals.size).toBeGreaterThan(0)
        await postgres().start()
      }
      const after = acknowledged.size
      await expectWithin(BACK_MS, () => acknowledged.size > after, true)
    } finally {
      isOver = true
      await sending
    }
    expect(refusals).toEqual(new Set([503]))
    const kept = new Set<string>()
    for (let after: string | null = ''; after !== null; ) {
      const page = EntryPage.parse(await server.get('/logs', { limit: 1_000, ...(after && { after }) }))
      for (const { message } of page.entries) kept.add(message)
      after = page.next
    }
    expect(acknowledged.difference(kept)).toEqual(new Set())
  })

  it('is killed goes on telling those who follow', async () => {
    const server = await open()
    const answer = await server.app.request('/logs/tail')
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
    await server.post('/logs', entry('before'))
    await postgres().kill()
    await postgres().start()
    await expectWithin(BACK_MS, async () => (await server.post('/logs', entry('after'))).status, 202)
    let told = ''
    while (!told.includes('after')) told += (await reader?.read())?.value ?? ''
    expect(told).toContain('before')
    await reader?.cancel()
  })

  it.skipIf(process.getuid?.() !== 0)(
    'has a full disk says 507, still reads, and heals',
    async () => {
      const { url, folder } = postgres()
      const small = join(dirname(folder), 'small')
      mkdirSync(small)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m,mode=700', 'tmpfs', small])
      const admin = new pg.Client(url)
      await admin.connect()
      try {
        execFileSync('chown', ['postgres', small])
        await admin.query(`create tablespace small location '${small}'`)
        await admin.query('create database small tablespace small')
        const server = await open({ url: url.replace(/[^/]*$/, 'small'), name: 'log-server' })
        const batch = Array.from({ length: 200 }, (_, i) => entry(`${i} ${crypto.randomUUID().repeat(20)}`))
        const post = async () => (await server.post('/logs', batch)).status
        await expect.poll(post, { timeout: 40_000, interval: 0 }).toBe(507)
        expect(EntryPage.parse(await server.get('/logs', { limit: 5 })).entries.length).toBeLessThanOrEqual(5)
        execFileSync('mount', ['-o', 'remount,size=64m', small])
        await expectWithin(BACK_MS, post, 202)
        await server.close()
        opened.splice(0)
        await admin.query('drop database small')
        await admin.query('drop tablespace small')
      } finally {
        await admin.end()
        execFileSync('umount', ['-l', small])
      }
    },
    120_000,
  )
})
