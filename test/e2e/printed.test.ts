import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type RunningBroker, runBroker } from '../../src/roles/broker/testing/running-broker.ts'

const MAIN = inject('program')
const folder = mkdtempSync(join(tmpdir(), 'msvc-printed-'))
let broker: RunningBroker

beforeAll(async () => {
  broker = await runBroker()
})
afterAll(async () => {
  await broker[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs `msvc …` in a shell's pipeline; gives msvc's own exit code and what came out at the end. */
async function shell(command: string) {
  const script = `set -o pipefail; msvc() { "$NODE" "$MAIN" "$@"; }; ${command}`
  const child = spawn('bash', ['-c', script], {
    cwd: folder,
    env: { PATH: process.env.PATH, NO_COLOR: '1', NODE: process.execPath, MAIN, BROKER_URL: broker.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', err: '' }
  child.stdout.on('data', (text) => {
    said.out += text
  })
  child.stderr.on('data', (text) => {
    said.err += text
  })
  const [code] = await once(child, 'close')
  return { code, ...said }
}

async function publish(topic: string, count: number, payloadOf: (n: number) => unknown = (n) => n): Promise<void> {
  const lines = Array.from({ length: count }, (_, n) => JSON.stringify({ topic, payload: payloadOf(n) }))
  await broker.call('POST', '/broker/publish', lines.join('\n'), { 'content-type': 'application/x-ndjson' })
}

const pending = async (group: string): Promise<number | undefined> =>
  (await broker.call('GET', `/broker/subscriptions?group=${group}`)).body.subscriptions[0]?.pending

describe.runIf(process.platform === 'linux')('what msvc prints', () => {
  it('is acknowledged only once it is written', async () => {
    await publish('full', 3)
    const failed = await shell('msvc subscribe full --group full --from first --count 1 >/dev/full')
    expect(failed).toMatchObject({ code: 1, err: expect.stringContaining("stdout can't be written") })
    expect(await pending('full')).toBe(3)
    const { out } = await shell('msvc subscribe full --group full --count 3 --json')
    const payloads = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).payload)
    expect(payloads.toSorted()).toEqual([0, 1, 2])
    expect(await pending('full')).toBe(0)
  })

  // five programs one after the other, which beside all other tests take 3 s each to start
  it('kills no message while its output is full, however often it is tried', async () => {
    await publish('room', 1)
    const spec = { topic: 'room', group: 'room', from: 'first', max_deliver: 1 }
    await broker.call('POST', '/broker/subscriptions', spec)
    const one = 'msvc subscribe room --group room >/dev/full'
    await shell(Array(5).fill(one).join('; '))
    const { body } = await broker.call('GET', '/broker/dead-letters')
    expect([body.dead_letters, await pending('room')]).toEqual([[], 1])
  })

  it('is nothing where stdout is closed', async () => {
    await publish('closed', 1)
    const refused = await shell('msvc subscribe closed --group closed --from first --count 1 >&-')
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('stdout is closed') })
    const { out } = await shell('msvc subscribe closed --group closed --from first --count 1 --json')
    expect(JSON.parse(out)).toMatchObject({ payload: 0 })
  })

  it('is settled no further than whoever reads it went', async () => {
    // the pipe takes what is written before its reader has gone: eight of these, however long that takes
    for (let batch = 0; batch < 3; batch++) await publish('many', 100, () => 'x'.repeat(8_192))
    const { code, out } = await shell('msvc subscribe many --group many --from first | head -1')
    expect([code, out.trimEnd().split('\n')]).toEqual([0, [expect.stringContaining('many 1')]])
    expect(await pending('many')).toBeGreaterThan(300 - 16)
  })

  it.each(['subscribe quiet', 'subscribe quiet --group quiet'])(
    'by %s is over when its reader leaves, though nothing comes',
    async (command) => {
      expect(await shell(`msvc ${command} | sleep 1`)).toMatchObject({ code: 0, out: '', err: '' })
    },
  )

  it.each(['publish a 1', 'subscribe full --from first --count 1', '--help'])(
    'by %s and could not be written is a failure',
    async (command) => {
      const failed = await shell(`msvc ${command} >/dev/full`)
      expect(failed).toMatchObject({ code: 1, err: expect.stringMatching(/^error: stdout can't be written: ENOSPC/) })
    },
  )
})
