import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEndpoints, printEndpoint } from '../../kit/discovery/endpoint.ts'
import { clockAhead, isApart } from '../../kit/discovery/other-clock.ts'
import { nodeCall } from '../../kit/http/node-call.ts'
import type { ClockEvidence } from '../../kit/system-findings.ts'

/** How long another machine may take to say its time, milliseconds. */
const ANSWER_MS = 1_000
/** Files of a data folder that are looked at. */
const MOST_FILES = 1_000

/**
 * When this machine's clock is known to have been somewhere: at the last change of the program's file, and of the newest file of the data folder. The change counts
 * as the system noted it (ctime), which no copy brings along.
 */
export async function writtenEvidence(data: string): Promise<ClockEvidence['written']> {
  const names = await readdir(data).catch(() => [])
  const paths = names.slice(0, MOST_FILES).map((name) => join(data, name))
  const changes = await Promise.all(paths.map(changeOf))
  const newest = changes.flat().toSorted((a, b) => b.at - a.at)[0]
  const program = await changeOf(process.execPath)
  return [
    ...(newest ? [{ what: `the newest file of the data folder, ${newest.path}`, at: newest.at }] : []),
    ...program.map(({ path, at }) => ({ what: `the program, ${path}`, at })),
  ]
}

async function changeOf(path: string): Promise<readonly { readonly path: string; readonly at: number }[]> {
  const found = await stat(path).catch(() => undefined)
  return found ? [{ path, at: found.ctimeMs }] : []
}

/** The registries whose clocks are too far from this one, as far as they answer within a second. @param urls separated by commas */
export async function clocksApart(urls: string): Promise<ClockEvidence['apart']> {
  const asked = parseEndpoints(urls)
    .map(printEndpoint)
    .map(async (url) => {
      const sent = Date.now()
      const answer = await nodeCall(`${url}/livez`, { signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => undefined)
      const aheadMs = answer && clockAhead(answer.headers.get('date'), { sent, came: Date.now() })
      answer?.cancel()
      return aheadMs === undefined || !isApart(aheadMs) ? [] : [{ what: `the registry at ${url}`, aheadMs }]
    })
  return (await Promise.all(asked)).flat()
}
