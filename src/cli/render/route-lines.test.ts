import { expect, it } from 'vitest'
import { routeLines } from './route-lines.ts'

const units = [
  { unit: 'user', service: 'user-service', routes: ['http://127.0.0.1:8000/gateway/api/users'] },
  { unit: 'shop', routes: ['http://127.0.0.1:8000/shop'] },
  { unit: 'shop-2', service: 'shop', routes: ['http://127.0.0.1:8000/shop'] },
  { unit: 'worker', routes: [] },
]

it('names each route once, and cuts no address', () => {
  expect(routeLines(units).split('\n')).toEqual([
    'SERVICE       AT THE GATEWAY',
    'user-service  http://127.0.0.1:8000/gateway/api/users',
    'shop          http://127.0.0.1:8000/shop',
  ])
  expect(routeLines(units, 40).split('\n')).toEqual([
    'AT THE GATEWAY',
    'user-service',
    '  http://127.0.0.1:8000/gateway/api/users',
    'shop',
    '  http://127.0.0.1:8000/shop',
  ])
  expect(routeLines(units.slice(3))).toBe('')
})
