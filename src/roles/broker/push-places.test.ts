import { expect, it } from 'vitest'
import { systemClock } from '../../drivers/clock.ts'
import type { Instance } from '../../kit/discovery/directory.ts'
import { createPushPlaces } from './push-places.ts'

const instance = (id: string, port: number): Instance => ({
  ...{ id, service_name: 'shop', host: '10.0.0.1', port, url: `http://10.0.0.1:${port}`, tags: [], metadata: {} },
})

function placesWith(instances: readonly Instance[]) {
  return createPushPlaces({
    directory: { instances: (service) => (service === 'shop' ? instances : []) },
    clock: systemClock,
  })
}

it('leaves an address as it is', () => {
  expect(placesWith([])('http://10.0.0.9/hook?key=1')?.url).toBe('http://10.0.0.9/hook?key=1')
})

it('finds an instance of a service by its name, and none where none is registered', () => {
  const placeOf = placesWith([instance('a', 7001)])
  expect(placeOf('service://shop/sold?all=1')?.url).toBe('http://10.0.0.1:7001/sold?all=1')
  expect(placeOf('service://stock/sold')).toBeUndefined()
})

it('goes round one that fails again and again, and uses all others', () => {
  const placeOf = placesWith([instance('a', 7001), instance('b', 7002), instance('c', 7003)])
  const posts = (count: number) =>
    Array.from({ length: count }, () => {
      const place = placeOf('service://shop/sold')
      place?.done(place.url.includes(':7001/') ? 'failure' : 'success')
      return place?.url
    })
  posts(60)
  const later = new Set(posts(60))
  expect(later).toEqual(new Set(['http://10.0.0.1:7002/sold', 'http://10.0.0.1:7003/sold']))
})
