import type { Attack, Victim } from './attack.ts'
import { requestHead } from './requests.ts'

const INSTANCES = 3_000
const AT_ONCE = 20
/** One alone may have a tenth of what the registry takes. */
const SERVICES = ['s', 's1', 's2', 's3']

/** Instances with descriptions of two kilobytes. */
async function fillRegistry({ post }: Victim): Promise<void> {
  const metadata = { a: 'x'.repeat(1_000), b: 'y'.repeat(1_000) }
  for (let known = 0; known < INSTANCES; known += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, n) =>
        post('/registry/register', { service_name: SERVICES[n % 4], host: '127.0.0.1', port: 1 + known + n, metadata }),
      ),
    )
  }
}

const entries = Array.from({ length: 20 }, (_, n) => ({ level: 'INFO', service: 's', message: `usual ${n}` }))

/** A reader that doesn't read costs what its queue holds, and a reader that does costs its socket. */
export const readerAttacks: readonly Attack[] = [
  {
    name: '60 watchers of the registry that read nothing',
    role: 'registry',
    good: [{ path: '/registry/discover/s' }, { path: '/livez' }],
    prepare: fillRegistry,
    attack: ({ crowd }) => crowd.joinMany(60, requestHead('GET', '/registry/watch'), { deaf: true }),
  },
  {
    name: '800 followers of the log',
    role: 'log-server',
    // ten posts a second
    good: [...Array(9).fill({ path: '/livez' }), { method: 'POST', path: '/logs', body: JSON.stringify(entries) }],
    attack: ({ crowd }) => crowd.joinMany(800, requestHead('GET', '/logs/tail'), { deaf: true }),
  },
]
