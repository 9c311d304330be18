import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { DriverError } from '../../src/drivers/driver-error.ts'
import type { Store } from '../../src/drivers/store/contract.ts'
import { openStore } from '../../src/drivers/store/open.ts'
import { parseAddress } from '../../src/drivers/store/postgres/address.ts'
import { endQuietly, Sessions, wantVersion } from '../../src/drivers/store/postgres/sessions.ts'
import { wireTo } from '../chaos/wire.ts'
import { leastTime } from '../least-time.ts'
import { type PostgresServer, startPostgres, UNSYNCED } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'
import { freePort } from '../servers/server.ts'
import { tapWire } from '../servers/wire.ts'
import { mostRingsTime, RING_MS } from './rings.ts'
import { emails, insert, type SuiteTables, suiteMigrations } from './store-suite.ts'

/** How long a server may be away after it has come back, for whoever uses it. */
const BACK_MS = 5_000
/** How long a check takes at most that is answered. */
const CHECK_MS = 20_000

let server: PostgresServer
let folder: string
const opened: Store<SuiteTables>[] = []

const newName = () => `store-${randomUUID()}`
async function open({ name = newName(), at = server.url } = {}): Promise<Store<SuiteTables>> {
  const store = await openStore<SuiteTables>({ url: at, name, folder: '', migrations: suiteMigrations })
  opened.push(store)
  return store
}

async function say<R extends pg.QueryResultRow>(...statements: readonly string[]): Promise<R[]> {
  const client = new pg.Client(server.url)
  await client.connect()
  try {
    let rows: R[] = []
    for (const text of statements) ({ rows } = await client.query<R>(text))
    return rows
  } finally {
    await client.end()
  }
}

/** What a store's opening was refused with. */
async function refusal(at: string): Promise<DriverError> {
  return open({ at }).then(
    () => expect.fail('it was opened'),
    (fault: DriverError) => fault,
  )
}

/** A certificate for localhost that nobody has issued but itself. */
function makeCertificate(certificate: string, key: string): void {
  const subject = ['-subj', '/CN=msvc test', '-addext', 'subjectAltName=DNS:localhost']
  const made = ['-newkey', 'rsa:2048', '-nodes', '-days', '1', '-keyout', key, '-out', certificate]
  execFileSync('openssl', ['req', '-x509', ...made, ...subject], { stdio: 'ignore' })
}

const outcomeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (fault: DriverError) => fault.kind,
  )

describe.skipIf(!isHere('postgres'))('a store on PostgreSQL', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'msvc-faults-'))
    chmodSync(folder, 0o755)
    server = await startPostgres({ config: UNSYNCED })
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()))
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  it('tells callers of what ails it without its names, and who runs it with them', async () => {
    const name = `shop${randomUUID().slice(0, 8)}`
    await say(`create user ${name} password 'pass-word-1' createdb`, `create database ${name} owner ${name}`)
    const url = new URL(server.url)
    Object.assign(url, { username: name, password: 'pass-word-1', pathname: `/${name}` })
    const store = await open({ at: url.href })
    const ends = `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${name}'`
    const faultOf = () =>
      store.check(AbortSignal.timeout(CHECK_MS)).then(
        () => undefined,
        (fault: DriverError) => fault,
      )
    for (const [change, message, told] of [
      [
        "password 'pass-word-2'",
        new RegExp(`"${name}" \\(SQLSTATE 28P01\\)$`),
        /it refuses this service; try again later$/,
      ],
      [
        "password 'pass-word-1' connection limit 0",
        new RegExp(`"${name}" \\(SQLSTATE 53300\\)$`),
        /are taken; try again$/,
      ],
    ] as const) {
      await say(`alter user ${name} ${change}`, ends)
      await expect.poll(faultOf).toMatchObject({
        message: expect.stringMatching(message),
        told: expect.stringMatching(told),
      })
      expect((await faultOf())?.told).not.toMatch(/SQLSTATE|shop/)
    }
    await say(`alter user ${name} connection limit -1`)
    await expect.poll(faultOf).toBeUndefined()
  })

  describe('whose server is restarted', () => {
    it.each([
      ['kill', 'serializable'],
      ['stop', 'serializable'],
      ['kill', 'shared'],
    ] as const)(
      'by %s loses nothing acknowledged, does nothing twice, and is back in 5 s (%s)',
      async (how, isolation) => {
        const store = await open()
        const acknowledged = new Set<string>()
        const kinds = new Set<string>()
        let isOver = false
        let next = 0
        const write = async () => {
          while (!isOver) {
            const email = `${next++}@example.com`
            const outcome = await outcomeOf(store.transaction((trx) => insert(trx, email), { isolation }))
            if (outcome === 'done') acknowledged.add(email)
            else kinds.add(outcome)
          }
        }
        const writing = Promise.all(Array.from({ length: 16 }, write))
        const away: number[] = []
        for (let round = 0; round < 3; round++) {
          const before = acknowledged.size
          await expect.poll(() => acknowledged.size).toBeGreaterThan(before + 100)
          await server[how]()
          if (round === 1) await sleep(4_000)
          await server.start()
          const [since, then] = [performance.now(), acknowledged.size]
          await expect.poll(() => acknowledged.size, { interval: 20 }).toBeGreaterThan(then)
          away.push(performance.now() - since)
        }
        const after = acknowledged.size
        await expect.poll(() => acknowledged.size).toBeGreaterThan(after + 100)
        // the middle one: a busy machine is late once
        expect(away.toSorted((one, other) => one - other)[1]).toBeLessThan(BACK_MS)
        isOver = true
        await writing
        expect([...kinds].filter((kind) => kind !== 'unavailable')).toEqual([])
        const kept = await emails(store)
        expect(acknowledged.difference(new Set(kept))).toEqual(new Set())
        // what was not acknowledged may be there: the answer to its commit was lost with the server
        expect(kept.length - acknowledged.size).toBeLessThan(3 * 16)
        await store.check(AbortSignal.timeout(CHECK_MS))
      },
    )

    it('in the middle of a commit, does not guess: its number may have been given out again', async () => {
      await using wire = await tapWire(Number(new URL(server.url).port))
      const store = await open({ at: server.url.replace(/:\d+\//, `:${wire.port}/`) })
      await store.transaction((trx) => insert(trx, 'before@example.com'))
      const committed = Promise.withResolvers<void>()
      let isCut = false
      wire.onSaid = (said) => {
        if (isCut) return 'drop'
        if (!said.includes('commit\0')) return 'pass'
        isCut = true
        committed.resolve()
        return 'drop-answer'
      }
      let runs = 0
      const doubtful = store.transaction(async (trx) => {
        runs++
        await insert(trx, 'a@example.com')
      })
      const outcome = doubtful.catch((fault: DriverError) => fault)
      await committed.promise
      // by then the server has it
      await say('checkpoint')
      await server.kill()
      await server.start()
      isCut = false
      wire.onSaid = () => 'pass'
      const fault = await outcome
      // where the server lost it before it was on disk, it ran again
      if (runs === 1) {
        expect(fault).toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/may be done or not: look/) })
      }
      expect(await emails(store)).toEqual(['a@example.com', 'before@example.com'])
    })

    it('by itself, after a process of it crashed, is another run of it', async () => {
      const sessions = new Sessions(parseAddress(server.url, 'any'), 'any')
      const open = () => sessions.open({ readOnly: true, statementMs: 5_000 })
      const first = await open()
      const again = await open()
      expect(again.run).toBe(first.run)
      await endQuietly(again.client)
      const { rows } = await first.client.query<{ pid: number }>('select pg_backend_pid() as pid')
      process.kill(rows[0]?.pid ?? expect.fail(), 'SIGKILL')
      const opened = async () => {
        const { client, run } = await open()
        await endQuietly(client)
        return run
      }
      const run = () => opened().catch(() => first.run)
      await expect.poll(run).not.toBe(first.run)
    })

    it('says so to whoever asks meanwhile, and reads go on when it is back', async () => {
      const store = await open()
      await store.transaction((trx) => insert(trx, 'a@example.com'))
      const away = await leastTime(BACK_MS, async () => {
        await server.kill()
        try {
          // it is still tried again when the check has no more time; on a busy machine, for the first time
          await expect
            .poll(() => store.check(AbortSignal.timeout(300)).catch((fault: unknown) => fault))
            .toMatchObject({
              kind: 'unavailable',
              message: expect.stringMatching(/store: its server (?:can't be reached|went away)$/),
            })
          const faults = await Promise.all([
            outcomeOf(store.transaction((trx) => insert(trx, 'b@example.com'))),
            outcomeOf(emails(store)),
            outcomeOf(store.longReads.selectFrom('account').execute()),
          ])
          expect(faults).toEqual(['unavailable', 'unavailable', 'unavailable'])
        } finally {
          await server.start()
        }
        const since = performance.now()
        expect(await emails(store)).toEqual(['a@example.com'])
        return performance.now() - since
      })
      expect(away).toBeLessThan(BACK_MS)
    })

    it('hears the bells of others again', async () => {
      const name = newName()
      const [here, there] = [await open({ name }), await open({ name })]
      let rings = 0
      there.onRing('rows', () => rings++)
      await expect.poll(() => rings).toBeGreaterThan(0)
      await server.kill()
      const before = rings
      await server.start()
      await expect.poll(() => rings).toBeGreaterThan(before)
      expect(await mostRingsTime(here, () => rings)).toBeLessThan(RING_MS)
    })
  })

  it.each(['serializable', 'shared'] as const)(
    'answers nobody late whose server stands still, and goes on with it (%s)',
    async (isolation) => {
      await using wire = await wireTo(Number(new URL(server.url).port))
      const store = await open({ at: server.url.replace(/:\d+\//, `:${wire.port}/`) })
      await store.transaction((trx) => insert(trx, 'a@example.com'))
      wire.cut()
      const since = performance.now()
      try {
        await expect(store.check(AbortSignal.timeout(500))).rejects.toMatchObject({
          kind: 'unavailable',
          message: expect.stringMatching(/store: its server does not answer$/),
        })
        const asked = ['b1@example.com', 'b2@example.com'].map((email) =>
          outcomeOf(store.transaction((trx) => insert(trx, email), { isolation })),
        )
        expect(await Promise.all(asked)).toEqual(['unavailable', 'unavailable'])
        expect(performance.now() - since).toBeLessThan(10_000)
      } finally {
        wire.mend()
      }
      expect(await outcomeOf(store.transaction((trx) => insert(trx, 'c@example.com')))).toBe('done')
      expect(await emails(store)).toEqual(expect.arrayContaining(['a@example.com', 'c@example.com']))
    },
    60_000,
  )

  it('tells of a server that only reads, serves reads, and heals by itself', async () => {
    const store = await open()
    await store.transaction((trx) => insert(trx, 'a@example.com'))
    const readOnly = (value: string) =>
      say(`alter system set default_transaction_read_only = ${value}`, 'select pg_reload_conf()')
    await readOnly('on')
    try {
      await expect.poll(() => outcomeOf(store.transaction((trx) => insert(trx, randomUUID())))).toBe('unavailable')
      await expect.poll(() => outcomeOf(store.checkWrites())).toBe('unavailable')
      // reads that succeed meanwhile, and a health check that waits for no more than a second
      const insertOne = () => store.transaction((trx) => insert(trx, randomUUID()))
      for (const write of [() => store.checkWrites(), insertOne, insertOne]) {
        const least = await leastTime(900, async () => {
          await store.check(AbortSignal.timeout(CHECK_MS))
          const since = performance.now()
          await expect(write()).rejects.toMatchObject({ message: expect.stringContaining('the server only reads') })
          return performance.now() - since
        })
        expect(least).toBeLessThan(900)
      }
      expect(await emails(store)).toContain('a@example.com')
      expect(await refusal(server.url)).toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(/PostgreSQL at 127\.0\.0\.1:\d+: it only reads: .*; name the primary in store/),
      })
    } finally {
      await say(
        'set default_transaction_read_only = off',
        'alter system reset default_transaction_read_only',
        'select pg_reload_conf()',
      )
    }
    await expect.poll(() => outcomeOf(store.transaction((trx) => insert(trx, 'b@example.com')))).toBe('done')
    await expect.poll(() => outcomeOf(store.checkWrites())).toBe('done')
  })

  it.skipIf(process.getuid?.() !== 0)(
    'says full when its server’s disk is, still reads, and heals',
    async () => {
      const small = join(folder, 'small')
      execFileSync('mkdir', [small])
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=700', 'tmpfs', small])
      try {
        execFileSync('chown', ['postgres', small])
        await say(`create tablespace small location '${small}'`, 'create database small tablespace small')
        const store = await open({ at: server.url.replace(/[^/]*$/, 'small') })
        const fill = (rows: number) =>
          store.transaction((trx) =>
            sql`insert into account (email, balance)
            select gen_random_uuid()::text || repeat('x', 200), 0 from generate_series(1, ${sql.lit(rows)})`.execute(
              trx,
            ),
          )
        await fill(100)
        await expect.poll(() => outcomeOf(fill(2_000)), { timeout: 60_000, interval: 0 }).toBe('full')
        const kept = (await emails(store)).length
        expect(kept % 100).toBe(0)
        await store.check(AbortSignal.timeout(CHECK_MS))
        execFileSync('mount', ['-o', 'remount,size=64m', small])
        await fill(100)
        expect(await emails(store)).toHaveLength(kept + 100)
        await store.close()
        await say('drop database small', 'drop tablespace small')
      } finally {
        execFileSync('umount', ['-l', small])
      }
    },
    120_000,
  )

  describe('that can’t be opened says in one line why, and what to do', () => {
    const secret = 'pass-word-1'
    const at = (change: (url: URL) => void) => {
      const url = new URL(server.url)
      change(url)
      return url.href
    }

    it.each([
      [
        'a wrong password',
        () =>
          at((url) => {
            url.password = secret
          }),
        'invalid',
        /refuses the password of the user "postgres"; correct that in store \(DATABASE_URL\)$/,
      ],
      [
        'no password',
        () =>
          at((url) => {
            url.password = ''
          }),
        'invalid',
        /wants a password, and store \(DATABASE_URL\) has none$/,
      ],
      [
        'a missing database',
        () =>
          at((url) => {
            url.pathname = '/nowhere'
          }),
        'invalid',
        /has no database "nowhere"; make it \(createdb nowhere\)/,
      ],
      [
        'TLS that the server has not',
        () => `${server.url}?sslmode=require`,
        'invalid',
        /has no TLS, which sslmode=require wants; turn it on there/,
      ],
      [
        'a file that is not there',
        () => `${server.url}?sslmode=verify-ca&sslrootcert=/nowhere.pem`,
        'invalid',
        /sslrootcert names can't be read: \/nowhere.pem$/,
      ],
      [
        'a host without a name',
        () =>
          at((url) => {
            url.hostname = 'nowhere.invalid'
          }),
        'unavailable',
        /at nowhere.invalid:\d+: (?:there is no host of that name|its name could not be looked up)/,
      ],
      [
        'an unknown parameter',
        () => `${server.url}?ssl_mode=require`,
        'invalid',
        /the parameter "ssl_mode" is not known; there are .*sslmode/,
      ],
      ['an unknown mode', () => `${server.url}?sslmode=full`, 'invalid', /sslmode is one of disable, .*verify-full$/],
      [
        'a URL that is none',
        () => 'postgres://a:b:c',
        'invalid',
        /one is postgres:\/\/host:5432\/database, with user:password/,
      ],
      [
        'a database with a quote in its name',
        () =>
          at((url) => {
            url.pathname = '/a%22b'
          }),
        'invalid',
        /it has no database "a"b"; make it \(createdb 'a"b'\)/,
      ],
      [
        'a NUL in its database',
        () =>
          at((url) => {
            url.pathname = '/%00'
          }),
        'invalid',
        /^store: a %00 stands in it/,
      ],
      ['a # in its password', () => server.url.replace('@', '#@'), 'invalid', /it is no URL|a # stands in it/],
    ])('%s', async (_, at, kind, message) => {
      const fault = await refusal(at())
      expect(fault).toMatchObject({ name: 'DriverError', kind, message: expect.stringMatching(message) })
      expect(fault.message).not.toMatch(/\n|pass-word-1|msvc-test/)
    })

    it('nobody at the port', async () => {
      const closed = await freePort()
      const url = at((one) => {
        one.port = String(closed)
      })
      const least = await leastTime(BACK_MS, async () => {
        const since = performance.now()
        expect(await refusal(url)).toMatchObject({
          kind: 'unavailable',
          message: expect.stringMatching(
            new RegExp(`127.0.0.1:${closed}: nothing answers there: is PostgreSQL running`),
          ),
        })
        return performance.now() - since
      })
      expect(least).toBeLessThan(BACK_MS)
    })

    it('a server that does not answer', async () => {
      server.freeze()
      try {
        expect(await refusal(`${server.url}?connect_timeout=1`)).toMatchObject({
          kind: 'unavailable',
          message: expect.stringMatching(/it does not answer within 1 s$/),
        })
      } finally {
        server.resume()
      }
    })

    it('no right to make its schema', async () => {
      await say(`create user weak password '${secret}'`, 'create database guarded')
      const weak = at((url) => {
        url.username = 'weak'
        url.password = secret
        url.pathname = '/guarded'
      })
      expect(await refusal(weak)).toMatchObject({
        kind: 'invalid',
        message: expect.stringMatching(
          /permission denied for database guarded: this user needs a schema .* create schema "store-[\w-]+" authorization …$/,
        ),
      })
    })

    it('a server that is too old', () => {
      expect(() => wantVersion(120_019, 'user-service')).toThrow(
        'the server is PostgreSQL 12, which is too old: 13 or newer is wanted',
      )
      expect(() => wantVersion(130_000, 'user-service')).not.toThrow()
    })
  })

  describe('over TLS', () => {
    let secure: PostgresServer
    let certificate: string
    beforeAll(async () => {
      certificate = join(folder, 'server.crt')
      const key = join(folder, 'server.key')
      makeCertificate(certificate, key)
      if (process.getuid?.() === 0) execFileSync('chown', ['postgres', key])
      chmodSync(key, 0o600)
      secure = await startPostgres({ config: `ssl = on\nssl_cert_file = '${certificate}'\nssl_key_file = '${key}'` })
    })
    afterAll(() => secure?.[Symbol.asyncDispose]())

    const usesTls = async (parameters: string, host = '127.0.0.1') => {
      const name = newName()
      await open({ name, at: `${secure.url.replace('127.0.0.1', host)}?${parameters}` })
      const client = new pg.Client(secure.url)
      await client.connect()
      const { rows } = await client.query(
        `select distinct ssl from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'msvc/${name}'`,
      )
      await client.end()
      return rows.map(({ ssl }) => ssl)
    }

    it.each([
      ['sslmode=disable', [false]],
      ['sslmode=allow', [false]],
      ['', [true]],
      ['sslmode=prefer', [true]],
      ['sslmode=require', [true]],
    ])('%s', async (parameters, expected) => {
      expect(await usesTls(parameters)).toEqual(expected)
    })

    it('is believed by who names its CA, and verify-full wants its name besides', async () => {
      const root = `sslrootcert=${certificate}`
      expect(await usesTls(`sslmode=verify-ca&${root}`)).toEqual([true])
      expect(await usesTls(`sslmode=require&${root}`)).toEqual([true])
      expect(await usesTls(`sslmode=verify-full&${root}`, 'localhost')).toEqual([true])
      expect(await refusal(`${secure.url}?sslmode=verify-full&${root}`)).toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(/its certificate is made out to another name/),
      })
    })

    it('is not believed without', async () => {
      for (const mode of ['verify-ca', 'verify-full']) {
        expect(await refusal(`${secure.url}?sslmode=${mode}`)).toMatchObject({
          kind: 'invalid',
          message: expect.stringMatching(
            /issued by nobody that is believed here; name the file of its CA with sslrootcert$/,
          ),
        })
      }
      const other = join(folder, 'other.crt')
      makeCertificate(other, join(folder, 'other.key'))
      expect(await refusal(`${secure.url}?sslmode=require&sslrootcert=${other}`)).toMatchObject({ kind: 'invalid' })
    })

    it('falls back to plain text with prefer where the server has none', async () => {
      const store = await open({ at: `${server.url}?sslmode=prefer` })
      await store.check(AbortSignal.timeout(CHECK_MS))
    })
  })
})
