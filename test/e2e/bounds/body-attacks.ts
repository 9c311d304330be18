import type { Attack, Victim } from './attack.ts'
import { flood } from './flood.ts'
import { bytesInChunks, LAST_CHUNK, requestHead } from './requests.ts'

const KB = 1_024
const MB = KB * KB
const CHUNKED = { 'transfer-encoding': 'chunked', 'content-type': 'application/x-ndjson' }
const IN_CHUNKS = bytesInChunks(8 * KB)

/** Sends a body of `bytes` bytes in chunks of one, and waits for the answer. */
async function sendInChunks({ crowd }: Victim, path: string, bytes: number): Promise<void> {
  const socket = await crowd.join()
  const answered = new Promise<void>((resolve) => {
    socket.once('data', () => resolve()).once('close', () => resolve())
  })
  socket.write(requestHead('POST', path, CHUNKED))
  await flood(socket, IN_CHUNKS, bytes / (8 * KB))
  if (socket.writable) socket.write(LAST_CHUNK)
  await answered
}

/** Bodies of the attack's size, in one piece each. */
async function sendWhole({ url }: Victim, path: string, bytes: number, times: number): Promise<void> {
  for (let sent = 0; sent < times; sent++) {
    const answer = await fetch(new URL(path, url), { method: 'POST', body: 'x'.repeat(bytes) })
    await answer.arrayBuffer()
  }
}

/** A gateway in front of one service that everybody may ask for everything. */
export const openGateway = (service: string) => ({
  services: { 'stand-in': service },
  gateway: {
    routes: {
      users: null,
      orders: null,
      open: {
        prefix: '/open',
        strip_prefix: '/open',
        upstream: 'stand-in',
        methods: { GET: 'public', POST: 'public' },
      },
    },
  },
})
/** What everybody asks the gateway for: the service behind it, and itself. */
export const GATEWAY_USE = [{ path: '/open/usual' }, { path: '/livez' }]
/** What everybody asks the broker for. */
export const BROKER_USE = [{ path: '/broker/subscriptions' }, { path: '/livez' }]

/** A request's memory follows its bytes, however they are cut. */
export const bodyAttacks: readonly Attack[] = [
  {
    name: 'a body of 8 MiB in chunks of a byte',
    role: 'broker',
    good: BROKER_USE,
    prepare: (victim) => sendWhole(victim, '/broker/publish', 8 * MB - 1, 3),
    attack: (victim) => sendInChunks(victim, '/broker/publish', 8 * MB),
  },
  {
    name: 'a batch of 8 MiB of empty lines',
    role: 'broker',
    good: BROKER_USE,
    prepare: (victim) => sendWhole(victim, '/broker/publish', 8 * MB - 1, 3),
    attack: ({ post }) => post('/broker/publish', '\n'.repeat(8 * MB - 1)),
  },
  {
    name: 'entries of 1 MiB as a million of empty lists',
    role: 'log-server',
    good: [{ path: '/logs?limit=1' }, { path: '/livez' }],
    prepare: (victim) => sendWhole(victim, '/logs', MB, 3),
    attack: ({ post }) => Promise.all(Array.from({ length: 8 }, () => post('/logs', `[${'{},'.repeat(349_000)}{}]`))),
  },
  {
    name: 'ten bodies of 1 MiB in chunks of a byte',
    role: 'gateway',
    config: openGateway,
    good: GATEWAY_USE,
    prepare: (victim) => sendWhole(victim, '/open/x', MB, 10),
    attack: (victim) => Promise.all(Array.from({ length: 10 }, () => sendInChunks(victim, '/open/x', MB))),
  },
  {
    name: '40 readers that take nothing of an answer in chunks of a byte',
    role: 'gateway',
    config: openGateway,
    good: GATEWAY_USE,
    prepare: (victim) => sendWhole(victim, '/open/x', MB, 10),
    attack: ({ crowd }) => crowd.joinMany(40, requestHead('GET', '/open/pieces'), { deaf: true }),
  },
]
