import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { seemsToRunServices } from './likely-services.ts'

it.each([
  [true, 'user: { port: 0 }\nservices:\n  shop: { run: node shop.mjs }\n'],
  [false, 'services:\n  user-service: http://10.0.0.7:8001\n'],
  [false, '# services:\n#   shop: { run: x }\nuser: { port: 0 }\n'],
  [false, ''],
])('says %s of %j', (expected, text) => {
  const folder = mkdtempSync(join(tmpdir(), 'msvc-likely-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'msvc.yaml')
  writeFileSync(path, text)
  expect(seemsToRunServices(path)).toBe(expected)
})

it('says no of what is no file', () => {
  expect(seemsToRunServices(undefined)).toBe(false)
  expect(seemsToRunServices(tmpdir())).toBe(false)
  expect(seemsToRunServices(join(tmpdir(), 'msvc-none', 'msvc.yaml'))).toBe(false)
})
