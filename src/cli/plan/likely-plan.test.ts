import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { likelyPlan } from './likely-plan.ts'

const NOTHING = { runsServices: false, inProcess: false, without: [] }

it.each([
  [{ runsServices: true }, 'user: { port: 0 }\nservices:\n  shop: { run: node shop.mjs }\n'],
  [{}, 'services:\n  user-service: http://10.0.0.7:8001\n'],
  [{}, '# services:\n#   shop: { run: x }\nuser: { port: 0 }\n'],
  [{}, ''],
  [{ inProcess: true }, 'up: { in_process: true }\n'],
  [{ inProcess: true, without: ['order'] }, 'up:\n  in_process: true # quick\n  without: [order]\nuser: {}\n'],
  [
    { without: ['order', 'log-server'] },
    'up:\n\n  without:\n    - order\n    - "log-server"\ngateway: { in_process: true }\n',
  ],
  [{}, 'up:\n  in_process: false\n'],
  [{}, '# up: { in_process: true }\nuser:\n  up: { in_process: true }\n'],
])('guesses %o of %j', (expected, text) => {
  const folder = mkdtempSync(join(tmpdir(), 'msvc-likely-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'msvc.yaml')
  writeFileSync(path, text)
  expect(likelyPlan(path)).toEqual({ ...NOTHING, ...expected })
})

it('guesses nothing of what is no file', () => {
  expect(likelyPlan(undefined)).toEqual(NOTHING)
  expect(likelyPlan(tmpdir())).toEqual(NOTHING)
  expect(likelyPlan(join(tmpdir(), 'msvc-none', 'msvc.yaml'))).toEqual(NOTHING)
})
