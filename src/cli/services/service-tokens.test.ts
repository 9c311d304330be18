import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { TokenRequest } from '../../kit/auth/authority.ts'
import { SERVICE_SCOPES } from '../../kit/auth/scopes.ts'
import { createServiceTokens } from './service-tokens.ts'

it('gives the environment, which all that it starts inherits, a token for OpenTelemetry alone, and the file the whole one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'msvc-tokens-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const asked: TokenRequest[] = []
  const tokens = createServiceTokens({
    authority: {
      mode: 'token',
      async mint(request) {
        asked.push(request)
        return `t${asked.length}`
      },
    },
    folder,
    audiences: () => ['broker', 'log-server', 'broker'],
    onFault: () => expect.fail('nothing fails'),
  })
  onTestFinished(() => tokens.close())
  expect(await tokens.variablesOf('shop')).toMatchObject({ OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20t2' })
  expect(asked).toMatchObject([
    { subject: 'shop', service: true, audience: ['broker', 'log-server'], scopes: SERVICE_SCOPES },
    { subject: 'shop', service: true, audience: 'log-server', scopes: ['logs:write'] },
  ])
})
