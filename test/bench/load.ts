import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Load {
  readonly url: string
  /** Requests under way at the same time. */
  readonly connections: number
  readonly seconds: number
  /** Before anything is measured. Default 2. */
  readonly warmUpSeconds?: number
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  /** Lua expression giving the body of request number `n`. */
  readonly body?: string
}

export interface Measured {
  /** Answers with a 2xx status, a second. */
  readonly perSecond: number
  readonly ok: number
  readonly failed: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Puts a bounded load on a URL of this machine with wrk (one thread) and counts what came back. */
export async function measure(
  wrk: string,
  { url, connections, seconds, method = 'GET', headers = {}, body }: Load,
): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'msvc-bench-'))
  try {
    const script = join(folder, 'load.lua')
    writeFileSync(script, luaScript(method, headers, body))
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', script, url]
    const { stdout } = await run(wrk, args, { maxBuffer: 1 << 20 })
    const line = stdout.split('\n').find((text) => text.startsWith('RESULT '))
    if (!line) throw new Error(`wrk said nothing that can be read:\n${stdout}`)
    const [requests = 0, bad = 0, micros = 1, p50 = 0, p99 = 0] = line.slice(7).split(' ').map(Number)
    const ok = requests - bad
    return { perSecond: Math.round(ok / (micros / 1e6)), ok, failed: bad, p50Ms: p50 / 1000, p99Ms: p99 / 1000 }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function luaScript(method: string, headers: Readonly<Record<string, string>>, body: string | undefined): string {
  const lines = Object.entries(headers).map(
    ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
  )
  const request = body
    ? `local n = 0\nfunction request()\n  n = n + 1\n  return wrk.format(nil, nil, nil, ${body})\nend`
    : ''
  return `wrk.method = "${method}"
${lines.join('\n')}
${request}
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, e.status + e.connect + e.read + e.write + e.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99)))
end
`
}
