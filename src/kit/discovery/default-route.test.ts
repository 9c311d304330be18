import { expect, it } from 'vitest'
import { defaultRouteInterface } from './default-route.ts'

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT'
const route = (name: string, destination: string, { flags = '0003', metric = 0, mask = '00000000' } = {}) =>
  [name, destination, '0100A8C0', flags, 0, 0, metric, mask, 0, 0, 0].join('\t')
const network = { flags: '0001', mask: '00FFFFFF' }

it('is that of the default route, of several the one that is preferred', () => {
  const near = route('eth1', '0000A8C0', network)
  expect(defaultRouteInterface([HEAD, near, route('eth0', '00000000')].join('\n'))).toBe('eth0')
  const several = [route('eth0', '00000000', { metric: 600 }), route('wlan0', '00000000', { metric: 100 })]
  expect(defaultRouteInterface([HEAD, ...several].join('\n'))).toBe('wlan0')
})

it('is none where there is no such route, or it is down', () => {
  expect(defaultRouteInterface('', '')).toBeUndefined()
  expect(defaultRouteInterface([HEAD, route('eth1', '0000A8C0', network)].join('\n'), '')).toBeUndefined()
  expect(defaultRouteInterface([HEAD, route('eth0', '00000000', { flags: '0002' })].join('\n'), '')).toBeUndefined()
  // half of the internet, as some tunnels have it
  expect(defaultRouteInterface([HEAD, route('tun0', '00000000', { mask: '00000080' })].join('\n'), '')).toBeUndefined()
})

it('is that of the IPv6 one where there is no IPv4', () => {
  const none = '0'.repeat(32)
  const route6 = (name: string, { destination = none, length = '00', metric = '00000400', flags = '00000003' } = {}) =>
    `${destination} ${length} ${none} 00 ${none} ${metric} 00000002 00000000 ${flags} ${name.padStart(8)}`
  const near = route6('eth1', { destination: 'fd000000000000000000000000000000', length: '40' })
  const refused = route6('lo', { metric: 'ffffffff', flags: '00200200' })
  const table6 = [near, route6('eth2', { metric: '00000800' }), route6('eth0'), refused, ''].join('\n')
  expect(defaultRouteInterface('', table6)).toBe('eth0')
  expect(defaultRouteInterface([HEAD, route('eth3', '00000000')].join('\n'), table6)).toBe('eth3')
  expect(defaultRouteInterface('', [near, refused].join('\n'))).toBeUndefined()
})
