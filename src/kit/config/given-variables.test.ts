import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { GIVEN_VARIABLES } from './given-variables.ts'

it('are in the table of what a service is told, each of them', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/your-service.md'), 'utf8')
  const [, section = ''] = page.split('## What a service is told')
  const named =
    section
      .split('\n## ')[0]
      ?.match(/^\| .*? \|/gm)
      ?.join() ?? ''
  expect(GIVEN_VARIABLES.filter((name) => !named.includes(`\`${name}\``))).toEqual([])
})
