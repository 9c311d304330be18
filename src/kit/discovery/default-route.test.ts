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
  expect(defaultRouteInterface('')).toBeUndefined()
  expect(defaultRouteInterface([HEAD, route('eth1', '0000A8C0', network)].join('\n'))).toBeUndefined()
  expect(defaultRouteInterface([HEAD, route('eth0', '00000000', { flags: '0002' })].join('\n'))).toBeUndefined()
  // half of the internet, as some tunnels have it
  expect(defaultRouteInterface([HEAD, route('tun0', '00000000', { mask: '00000080' })].join('\n'))).toBeUndefined()
})
