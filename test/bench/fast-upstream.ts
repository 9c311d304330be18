import { join } from 'node:path'
import { freePort } from '../servers/server.ts'
import { inTurn } from './in-turn.ts'
import { writeFastUpstreamConfig, writeNginxConfig } from './nginx.ts'
import { ensurePackage, ensureProgram } from './peers.ts'
import { startPlatform } from './platform.ts'
import { start } from './processes.ts'
import { type Bar, ratio } from './report.ts'

const SECONDS = 3

/**
 * Gateways in front of an upstream that costs next to nothing, so that what is compared is they.
 * @param peers a folder for packages
 */
export async function fastUpstream(wrk: string, folder: string, peers: string): Promise<Bar[]> {
  const nginx = ensureProgram('nginx', 'nginx-light')
  ensurePackage(peers, 'fast-gateway', '3.4.7')
  const [upstreamPort, nginxPort, fastPort] = [await freePort(), await freePort(), await freePort()]
  const upstream = `http://127.0.0.1:${upstreamPort}`
  await using _upstream = await start(
    nginx,
    ['-c', writeFastUpstreamConfig(join(folder, 'fast-upstream'), upstreamPort)],
    `${upstream}/api/things/1`,
  )
  await using platform = await startPlatform(join(folder, 'fast'), ['gateway'], {
    config: JSON.stringify({
      services: { 'thing-service': upstream },
      gateway: {
        write_limit: null,
        routes: {
          things: {
            prefix: '/gateway/api/things',
            strip_prefix: '/gateway',
            upstream: 'thing-service',
            methods: { GET: ['users:read'] },
          },
        },
      },
    }),
  })
  const path = '/gateway/api/things/1'
  await using _nginx = await start(
    nginx,
    ['-c', writeNginxConfig(join(folder, 'fast-nginx'), nginxPort, upstreamPort)],
    `http://127.0.0.1:${nginxPort}${path}`,
  )
  const script = join(import.meta.dirname, 'fast-gateway-server.ts')
  await using _fast = await start(
    process.execPath,
    [script, peers, String(fastPort), upstream],
    `http://127.0.0.1:${fastPort}${path}`,
  )
  const headers = { authorization: `Bearer ${platform.token('users:read')}` }
  const bars: Bar[] = []
  for (const connections of [32, 256]) {
    const load = { connections, seconds: SECONDS, warmUpSeconds: 5, headers }
    const rounds = await inTurn(wrk, {
      gateway: { url: `${platform.url('gateway')}${path}`, ...load },
      nginx: { url: `http://127.0.0.1:${nginxPort}${path}`, ...load },
      'fast-gateway': { url: `http://127.0.0.1:${fastPort}${path}`, ...load },
    })
    bars.push(
      {
        name: `gateway of nginx, fast upstream, ${connections} clients`,
        figure: ratio(rounds, 'gateway', 'nginx'),
        bar: { atLeast: 0.38 },
        rounds,
        note: 'the gateway with token, metrics and tracing on, the others bare',
      },
      {
        name: `gateway of fast-gateway, fast upstream, ${connections} clients`,
        figure: ratio(rounds, 'gateway', 'fast-gateway'),
        bar: { atLeast: 1.5 },
        rounds: {},
      },
    )
  }
  return bars
}
