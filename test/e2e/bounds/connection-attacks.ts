import type { Attack } from './attack.ts'
import { BROKER_USE, GATEWAY_USE, openGateway } from './body-attacks.ts'
import { flood } from './flood.ts'
import { requestHead } from './requests.ts'

const PIPELINED = 39_000
const CONNECTIONS = 200
const UPLOADS = 1_300
/** Bytes of a body from which on the gateway has begun to send it to the service. */
const STREAMED = 20_000

/** A connection has a bounded number of requests, and an address a bounded number of connections. */
export const connectionAttacks: readonly Attack[] = [
  {
    name: `${PIPELINED} waiting pulls on one connection`,
    role: 'broker',
    good: BROKER_USE,
    async attack({ crowd, post }) {
      const { answer } = await post('/broker/subscriptions', { topic: 'never.sent', group: 'attackers' })
      const { id } = answer as { readonly id: string }
      const pull = Buffer.from(
        requestHead('POST', `/broker/subscriptions/${id}/pull?wait=60`, { 'content-length': '0' }),
      )
      await flood(await crowd.join(), pull, PIPELINED)
    },
  },
  {
    name: `${2 * CONNECTIONS} idle connections where ${CONNECTIONS} are allowed`,
    role: 'user',
    config: { limits: { max_connections: CONNECTIONS } },
    good: [{ path: '/api/users' }, { path: '/livez' }],
    attack: ({ crowd }) => crowd.joinMany(2 * CONNECTIONS, requestHead('GET', '/livez')),
  },
  {
    name: `${UPLOADS} uploads that stop in the middle`,
    role: 'gateway',
    config: openGateway,
    good: GATEWAY_USE,
    attack: ({ crowd }) =>
      crowd.joinMany(UPLOADS, requestHead('POST', '/open/x', { 'content-length': '100000' }) + 'x'.repeat(STREAMED)),
  },
]
