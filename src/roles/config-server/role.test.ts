import { expect, it } from 'vitest'
import { explain } from '../../kit/config/explain.ts'
import { configServer } from './role.ts'

it('wants the absolute path of its key, and says so', () => {
  expect(explain(configServer.config, { key_file: 'keys/config' })).toEqual([
    { path: ['key_file'], message: 'expected an absolute path such as /run/secrets/config-key, got "keys/config"' },
  ])
  expect(explain(configServer.config, { key_file: '/run/secrets/config-key' })).toEqual([])
})
