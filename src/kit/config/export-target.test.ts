import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { messageOf } from '../errors.ts'
import { loadConfiguration } from './load.ts'
import { shownSettings } from './shown.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-export-'))
afterAll(() => rmSync(folder, { recursive: true }))

const roles = [{ name: 'log-server', service: 'log-server', port: 4318, config: z.strictObject({}) }]

/** Loads a file for the log server. */
function load(yaml: string, together: readonly string[] = ['log-server']) {
  writeFileSync(join(folder, 'x.yaml'), yaml)
  return loadConfiguration({ roles, together, environment: {}, folder, file: 'x.yaml' })
}

const withTargets = (...targets: readonly string[]) =>
  `telemetry:\n  export:\n${targets.map((t) => `    - ${t}\n`).join('')}`
const faultOf = (yaml: string) => load(yaml).then(() => 'none', messageOf)

describe('telemetry.export', () => {
  it('takes any number of places, each with what is sent along', async () => {
    const key = '{ otlp: https://traces.example/otlp, headers: { x-team: abc } }'
    const { settings } = await load(withTargets('otlp: http://jaeger:4318', 'zipkin: http://zipkin:9411', key))
    expect(settings.telemetry.export).toEqual([
      { otlp: 'http://jaeger:4318' },
      { zipkin: 'http://zipkin:9411' },
      { otlp: 'https://traces.example/otlp', headers: { 'x-team': 'abc' } },
    ])
    expect(JSON.stringify(shownSettings(settings))).not.toContain('abc')
    expect(shownSettings(settings)).toMatchObject({
      telemetry: { export: [{}, {}, { headers: { 'x-team': '[hidden]' } }] },
    })
  })

  it.each([
    ['{ otlp: http://a:1, zipkin: http://b:2 }', /x.yaml:3: telemetry.export.0: either otlp: or zipkin: is wanted/],
    ['{}', /either otlp: or zipkin: is wanted/],
    ['otlp: jaeger', /telemetry.export.0.otlp: an address such as http:\/\/jaeger:4318 is wanted/],
    ['otlp: http://a:1,http://b:2', /several: give each a line of its own/],
    ['otlp: http://ann:pw@a:1', /a URL with a user name in it/],
    ['{ otlp: http://a:1, header: { a: b } }', /unknown key; did you mean headers/],
  ])('refuses %s', async (target, message) => {
    expect(await faultOf(withTargets(target))).toMatch(message)
  })

  it('shows no value of a header that can’t be one', async () => {
    const message = await faultOf(withTargets('{ otlp: http://a:1, headers: { x-team: "vérysecret" } }'))
    expect(message).toContain('telemetry.export.0.headers.x-team: expected a header value')
    expect(message).not.toContain('secret')
  })

  it.each([
    ['http://127.0.0.1:4318', ''],
    ['http://localhost:4318/v1', ''],
    ['http://logs.example:4318', 'log-server: { advertise: logs.example }\n'],
    ['http://[::1]:7000', 'log-server: { port: 7000 }\n'],
    ['http://10.0.0.9:4318', 'services: { log-server: http://10.0.0.9:4318 }\n'],
  ])('refuses %s, which is this log server itself', async (url, more) => {
    expect(await faultOf(`${more}${withTargets(`otlp: ${url}`)}`)).toMatch(
      /telemetry\.export\.0\.otlp: http.* is this platform's own log server/,
    )
  })

  it('takes another port of this machine', async () => {
    expect(await faultOf(withTargets('otlp: http://127.0.0.1:14318', 'zipkin: http://127.0.0.1:9411'))).toBe('none')
  })
})
