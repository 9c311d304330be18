import { expect, it } from 'vitest'
import { servicePlace, serviceUrl } from './service-url.ts'

it('reads what it writes', () => {
  expect(servicePlace(`${serviceUrl('catalog')}/events/order?all=1`)).toEqual({
    service: 'catalog',
    path: '/events/order?all=1',
  })
})

it.each([
  'service://catalog',
  'service:///events',
  'service://Catalog/events',
  'service://bob@catalog/events',
  'service://catalog:80/events',
  'service://catalog/a b',
  'service://catalog/a\x01b',
  'service://catalog/a\x7f',
  'service://catalog/a\\b',
  'http://catalog/events',
  '',
])('takes %s for something else', (url) => {
  expect(servicePlace(url)).toBeUndefined()
})
