import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { fileText } from './file-text.ts'

const service = { name: 'web', dir: './web', run: 'npm run dev -- --port $PORT', needs: ['till'], notes: ['a'] }

it('is a file for people', () => {
  const text = fileText({
    services: [service, { ...service, name: 'till', dir: '.', run: "php -r 'x: 1' # a", ready: 'none', needs: [] }],
    remarks: ['b'],
  })
  expect(text.slice(text.indexOf('services:'))).toBe(`services:
  # a
  web:
    run: npm run dev -- --port $PORT
    dir: ./web
    ready: tcp # or http /health
    needs: [till]
    # port: 7001 # a fixed one; without it a free one
    # env: { LOG_LEVEL: debug }
    # route: { path: /web, methods: { GET: public } } # at the gateway
  # a
  till:
    run: 'php -r ''x: 1'' # a'
    ready: none # it has no port
    # env: { LOG_LEVEL: debug }

# b
`)
})

it('says how an editor completes it, without naming a schema that is not there yet', () => {
  const lines = fileText({ services: [service], remarks: [] }).split('\n')
  expect(lines.filter((line) => line.includes('# yaml-language-server: $schema=./msvc.schema.json'))).toHaveLength(1)
  expect(lines.filter((line) => /^\s*#\s*yaml-language-server/.test(line))).toEqual([])
})

it('means what it was given, whatever that is', () => {
  const text = fc.oneof(
    fc.string({ minLength: 1 }),
    fc.constantFrom('yes', '1', '1e3', './x', '.5', '- a', 'a: b', 'null', '~', 'a #b', '.', 'a\nb', '*a', 'é: x'),
  )
  fc.assert(
    fc.property(text, text, fc.string(), (run, dir, note) => {
      const written = fileText({ services: [{ ...service, run, dir: `./${dir}`, notes: [note] }], remarks: [note] })
      expect(parse(written).services.web).toMatchObject({ run, dir: `./${dir}`, ready: 'tcp' })
    }),
  )
})
