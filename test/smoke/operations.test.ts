import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'
import { startNats } from '../servers/nats.ts'
import { startPostgres } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'
import { startRedis } from '../servers/redis.ts'
import { type Copy, copyExecutable } from './executable.ts'

const root = join(import.meta.dirname, '../..')
const guide = readFileSync(join(root, 'docs/operations.md'), 'utf8')
/** Its commands, in their order; `servers` for what wants them. */
const blocks = [...guide.matchAll(/^<!-- run(?:: (servers))? -->\n```sh\n(.*?)^```$/gms)].map(
  ([, wants, commands = ''], index) => ({ name: `${index + 1}: ${commands.split('\n')[0]}`, wants, commands }),
)

let copy: Copy
beforeAll(async () => {
  copy = await copyExecutable()
}, 120_000)
afterAll(async () => {
  for (const data of ['.msvc', 'drill']) await copy?.run('down', '--data', data)
  copy?.remove()
})

async function bash(commands: string, servers: Readonly<Record<string, string>> = {}): Promise<string> {
  const env = { PATH: `${copy.folder}:${process.env.PATH}`, HOME: copy.folder, NO_COLOR: '1', ...servers }
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-euo', 'pipefail', '-c', commands], {
    cwd: copy.folder,
    env,
  })
  return stdout
}

describe("the operator's guide", () => {
  it('has no command that nobody runs', () => {
    expect(blocks.length).toBe([...guide.matchAll(/^```/gm)].length / 2)
  })

  const alone = blocks.filter(({ wants }) => wants === undefined)
  it.each(alone)('says what works: $name', { timeout: 120_000 }, async ({ commands }) => {
    await bash(commands)
  })

  it.runIf(isHere('postgres', 'nats-server', 'redis-server'))(
    'says how to move to servers',
    {
      timeout: 240_000,
    },
    async () => {
      await using postgres = await startPostgres()
      await using nats = await startNats()
      await using redis = await startRedis()
      const servers = { DATABASE_URL: postgres.url, NATS_URL: nats.url, REDIS_URL: redis.url }
      await bash('msvc up --detach')
      try {
        for (const { wants, commands } of blocks) if (wants === 'servers') await bash(commands, servers)
      } finally {
        await copy.run('down')
      }
    },
  )
})

describe('alerts', () => {
  const Rules = z.object({
    groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
  })
  const rules = Rules.parse(parse(readFileSync(join(root, 'configs/alerts.yaml'), 'utf8'))).groups.flatMap(
    (group) => group.rules,
  )

  it('speak of metrics that there are, and the guide does too', async () => {
    await bash('msvc up --detach --data alerts --in-process')
    try {
      const ports = [8000, 8001, 8002, 8003, 8300, 8500, 8600, 4318]
      const texts = await Promise.all(
        ports.map(async (port) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
      )
      const known = new Set(texts.flatMap((text) => [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)))
      const named = [...rules.map(({ expr }) => expr), guide].flatMap((text) =>
        [...text.matchAll(/\b[a-z]+(?:_[a-z]+)+\b(?=[[ ><`)])/g)].map(([name]) => name.replace(/_bucket$/, '')),
      )
      const metrics = named.filter((name) => /^(?:http|broker|gateway|telemetry|log_server|registry)_/.test(name))
      expect(metrics.length).toBeGreaterThan(10)
      expect(metrics.filter((name) => !known.has(name))).toEqual([])
    } finally {
      await bash('msvc down --data alerts')
    }
  })
})
