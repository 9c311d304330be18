import type { Attack, Victim } from './attack.ts'
import { BROKER_USE } from './body-attacks.ts'
import { publish } from './name-attacks.ts'
import { requestHead } from './requests.ts'

const ENTRIES = 100_000
const BATCH = 5_000
const WORDS = ['order', 'payment', 'customer', 'request', 'answered', 'service']

/** Entries that share their words, as those of one program do; none is worse than INFO. */
async function fillLog({ post }: Victim): Promise<void> {
  const message = WORDS.join(' ')
  for (let written = 0; written < ENTRIES; written += BATCH) {
    await post(
      '/logs',
      Array.from({ length: BATCH }, (_, n) => ({ level: 'INFO', service: 's', message: `${message} ${written + n}` })),
    )
  }
}

async function search({ url }: Victim, q: string, times: number): Promise<void> {
  const path = `/logs?level=CRITICAL&q=${encodeURIComponent(q)}`
  await Promise.all(Array.from({ length: times }, async () => (await fetch(new URL(path, url))).arrayBuffer()))
}

const LOG_USE = [
  { path: '/livez' },
  { path: '/logs?limit=1' },
  { method: 'POST' as const, path: '/logs', body: '{"level":"INFO","service":"good","message":"usual"}' },
]

/** A question takes what it takes, and everybody else is served meanwhile. */
export const questionAttacks: readonly Attack[] = [
  {
    name: '40 searches for common words among entries of which none fits',
    role: 'log-server',
    good: LOG_USE,
    prepare: fillLog,
    attack: (victim) => search(victim, WORDS.join(' '), 40),
  },
  {
    name: 'a phrase of 240 common words',
    role: 'log-server',
    good: LOG_USE,
    prepare: fillLog,
    attack: (victim) => search(victim, `"${Array.from({ length: 240 }, () => 'order').join(' ')}"`.slice(0, 1_000), 4),
  },
  ...['>', '*.nope', 't.one'].map(
    (pattern): Attack => ({
      name: `100 streams of ${pattern} from the first of 20000 messages on`,
      role: 'broker',
      good: BROKER_USE,
      prepare: (victim) => publish(victim, (n) => (n % 2 ? 't.one' : `t.${n % 9_000}`), 2),
      attack: ({ crowd }) => crowd.joinMany(100, requestHead('GET', `/broker/stream/${pattern}?from=first`)),
    }),
  ),
]
