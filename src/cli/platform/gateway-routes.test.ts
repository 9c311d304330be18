import { expect, it } from 'vitest'
import type { UnitReport } from '../../kit/supervisor/unit-state.ts'
import { routedServices } from './gateway-routes.ts'

const section = {
  ...{ host: '0.0.0.0', port: 8000, advertise: 'api.example.com:443' },
  routes: { shop: { prefix: '/shop', upstream: 'shop', methods: { GET: 'public' } } },
}
const report = (replicaOf: string, state: UnitReport['state']): UnitReport => ({
  unit: {
    ...{ name: replicaOf, replicaOf, needs: [], essential: true, definition: '' },
    ...{ livenessMs: 30_000, drainMs: 1_000, provenMs: 0, restartBudget: 1 },
    afterEnd: () => 'again',
    launch: () => {
      throw new Error('it is not launched here')
    },
  },
  ...{ state, restarts: 0, since: 0 },
})
const GATEWAY = { at: 'ready', pid: 1, service: 'api-gateway', instance: 'a', url: 'http://127.0.0.1:8123' } as const

it('says where a service is reached through a gateway that is advertised by another address', () => {
  expect(routedServices(section, [report('gateway', GATEWAY)]).get('shop')).toEqual(['http://127.0.0.1:8123/shop'])
})

it('says nothing before there is a gateway, or where there is none', () => {
  expect(routedServices(section, [report('gateway', { at: 'waiting' })]).size).toBe(0)
  expect(routedServices(undefined, [report('user', { at: 'waiting' })]).size).toBe(0)
})
