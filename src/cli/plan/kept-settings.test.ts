import { describe, expect, it } from 'vitest'
import { Platform, type Section } from '../../kit/config/schema.ts'
import { keepSettings } from './kept-settings.ts'

const at = (port: number, more: object = {}): Section => ({ host: '127.0.0.1', port, ...more })
const first = {
  settings: Platform.parse({ services: { registry: 'http://10.0.0.1:8500' } }),
  sections: { registry: at(8500), gateway: at(8000) },
}

describe('what a running platform keeps of its settings', () => {
  it('is nothing where nothing of that has changed', () => {
    const wanted = {
      settings: Platform.parse({
        services: { registry: 'http://10.0.0.1:8500', mail: 'http://10.0.0.2' },
        drain_seconds: 1,
      }),
      sections: { registry: at(8500, { leases: 7 }), gateway: at(8080) },
    }
    expect(keepSettings(first, wanted, first.settings)).toEqual({ configured: wanted, pending: [] })
  })

  it('is where it keeps things, whose tokens it takes, how it writes, and where it is found', () => {
    const wanted = {
      settings: Platform.parse({
        environment: 'staging',
        store: 'postgres://db/shop',
        auth: { mode: 'token', hosts: ['shop.example'] },
        log: { level: 'DEBUG', format: 'json' },
        up: { in_process: true, without: ['order'] },
      }),
      sections: { registry: at(8501, { advertise: 'me:8501' }), gateway: at(8080) },
    }
    const { configured, pending } = keepSettings(first, wanted, first.settings)
    expect(pending).toEqual([
      'auth.mode',
      'environment',
      'log.format',
      'registry.advertise',
      'registry.port',
      'services.registry',
      'store',
      'up.in_process',
    ])
    expect(configured.settings).toMatchObject({
      environment: 'development',
      store: 'sqlite:',
      auth: { mode: 'local', hosts: ['shop.example'] },
      log: { level: 'DEBUG', format: 'text' },
      up: { in_process: false, without: ['order'] },
      services: { registry: 'http://10.0.0.1:8500' },
    })
    expect(configured.sections).toEqual({ registry: at(8500), gateway: at(8080) })
  })

  it('is where it has moved to, and not where it was', () => {
    const store = 'postgres://db/shop'
    const { configured, pending } = keepSettings(first, first, { ...first.settings, store })
    expect([configured.settings.store, pending]).toEqual([store, ['store']])
    const followed = { ...first, settings: { ...first.settings, store } }
    expect(keepSettings(first, followed, { ...first.settings, store }).pending).toEqual([])
  })
})
