import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { natsAddress } from '../../src/drivers/bus/nats/address.ts'
import { NatsLink } from '../../src/drivers/bus/nats/link.ts'
import { nats } from '../../src/drivers/bus/nats.ts'
import { systemClock } from '../../src/drivers/clock.ts'
import type { DriverError } from '../../src/drivers/driver-error.ts'
import { makeCertificates } from '../servers/certificates.ts'
import { startNats } from '../servers/nats.ts'
import { natsOperator } from '../servers/nats-operator.ts'
import { isHere } from '../servers/programs.ts'

/** How long a write is waited for that was on its way when the connection was lost, in milliseconds. */
const WRITE_MS = 5_000
/** How long a user is good for who expires, in seconds: whole ones, as claims have them. */
const SHORT_S = 6

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'msvc-credentials-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function open(url: string) {
  return nats.open({ url, folder: '', clock: systemClock })
}

/** What opening a bus is refused with: one line. */
async function refusal(url: string): Promise<DriverError> {
  const fault = await open(url).then(
    () => expect.fail('it was opened'),
    (thrown: DriverError) => thrown,
  )
  expect(fault.message).not.toContain('\n')
  return fault
}

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text, { mode: 0o600 })
  return path
}

const now = () => Math.floor(Date.now() / 1000)

/** What of a credentials file nobody may read in a log. */
function secretsIn(credentials: string): readonly string[] {
  return credentials.split('\n').filter((line) => line.length > 20 && !line.startsWith('---'))
}

describe.skipIf(!isHere('nats-server'))('a NATS that wants to know who we are', () => {
  it('takes a credentials file, and one that is of no use is told in a line, without what is in it', async () => {
    const operator = natsOperator()
    await using server = await startNats({ config: operator.config })
    const at = (path: string) => `${server.url}?creds=${path}`
    const bus = await open(at(await file('good.creds', operator.user())))
    await bus.publish([{ id: '1', topic: 'a', payload: '1', attributes: {} }])
    await bus.checkWrites()
    await bus.close()

    const strangers = natsOperator().user()
    const expired = operator.user(now() - 60)
    const half = operator.user().split('-----BEGIN USER')[0] ?? ''
    for (const [name, text, says] of [
      ['stranger.creds', strangers, /refuses these credentials: correct \S+stranger\.creds, or name another file/],
      [
        'expired.creds',
        expired,
        /refuses these credentials: correct \S+expired\.creds, whose user is valid until \d{4}-/,
      ],
      ['half.creds', half, /names \S+half\.creds, which holds no credentials/],
      ['empty.creds', '', /names \S+empty\.creds, which holds no credentials/],
    ] as const) {
      const fault = await refusal(at(await file(name, text)))
      expect(fault).toMatchObject({ kind: 'invalid', message: expect.stringMatching(says) })
      for (const secret of secretsIn(text)) expect(`${fault.message} ${fault.cause}`).not.toContain(secret)
    }
    expect((await refusal(at(folder))).message).toMatch(/which is not a regular file/)
    expect((await refusal(at(join(folder, 'none.creds')))).message).toMatch(/there is no such file/)
    // without a file at all
    expect(await refusal(server.url)).toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(/creds in its URL/),
    })
  })

  it('is used again once the file holds a good user, when the one before has expired', async () => {
    const operator = natsOperator()
    await using server = await startNats({ config: operator.config })
    const expiresAt = now() + SHORT_S
    const short = operator.user(expiresAt)
    const path = await file('short.creds', short)
    const url = `${server.url}?creds=${path}`
    const bus = await open(url)
    const link = await NatsLink.open(natsAddress(url))
    let times = 0
    link.on('up', () => times++)
    const publish = (id: string) =>
      bus.publish([{ id, topic: 'a', payload: '1', attributes: {} }]).then(
        () => undefined,
        (fault: DriverError) => fault,
      )
    await expect
      .poll(() => publish('1'), { timeout: SHORT_S * 1000 + WRITE_MS + 20_000 })
      .toMatchObject({
        kind: 'unavailable',
        retryAfterS: 1,
        message: expect.stringMatching(/^NATS: it lets us in no longer \(.*\): renew the user/),
        told: 'NATS: no connection to it at the moment',
      })
    // in the second in which he expires a server may let him in once more, and again
    await expect.poll(now).toBeGreaterThan(expiresAt + 1)
    await expect.poll(() => link.isUp).toBe(false)
    const before = times
    // one that can't be read meanwhile doesn't end it
    await writeFile(path, 'nothing yet')
    await expect(publish('2')).resolves.toMatchObject({ kind: 'unavailable', retryAfterS: 1 })
    await writeFile(path, operator.user())
    await expect.poll(() => publish('3')).toBeUndefined()
    await expect.poll(() => link.isUp).toBe(true)
    // not once for each attempt that was refused meanwhile
    expect(times).toBe(before + 1)
    expect(link.epoch).toBe(1 + times)
    await link.close()
    await bus.close()
  })

  it('takes a token, and a TLS that shows and wants certificates', async () => {
    const { ca, server: own, client } = await makeCertificates(folder)
    const tls = `tls { cert_file: "${own.cert}", key_file: "${own.key}", ca_file: "${ca}", verify: true }`
    await using server = await startNats({ config: `${tls}\nauthorization { token: "t0ken" }` })
    const at = (query: string, login = 't0ken') => `tls://${login}@127.0.0.1:${server.port}?${query}`
    const mine = `tls_cert=${client.cert}&tls_key=${client.key}`
    const bus = await open(at(`tls_ca=${ca}&${mine}`))
    await bus.publish([{ id: '1', topic: 'a', payload: '1', attributes: {} }])
    await bus.close()

    const garbage = await file('garbage.pem', 'no PEM')
    for (const [url, kind, says] of [
      [at(`tls_ca=${ca}&${mine}`, 'wr0ng'), 'invalid', /refuses these credentials/],
      [at(mine), 'invalid', /no encrypted connection .*tls_ca=/],
      [at(`tls_ca=${ca}`), 'unavailable', /certificate of its clients, name it by tls_cert and tls_key/],
      [at(`tls_ca=${folder}/none.pem&${mine}`), 'invalid', /tls_ca in its URL names \S+, and there is no such file/],
      [at(`tls_ca=${ca}&tls_cert=${garbage}&tls_key=${client.key}`), 'invalid', /no PEM files that go together/],
      [at(`tls_ca=${ca}&tls_cert=${client.cert}&tls_key=${own.key}`), 'invalid', /no PEM files that go together/],
    ] as const) {
      const fault = await refusal(url)
      expect(fault).toMatchObject({ kind, message: expect.stringMatching(says) })
      expect(fault.message).not.toMatch(/t0ken|wr0ng/)
    }
  })
})
