import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { SERVICE_SCOPES } from '../kit/auth/scopes.ts'
import { loadRoles } from '../roles/catalog.ts'
import { run } from './run.ts'
import type { Io, Terminal } from './terminal/io.ts'
import { QUIET, quietIo } from './terminal/testing/quiet-io.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-cli-'))
mkdirSync(join(folder, '.msvc'))
mkdirSync(join(folder, 'keys'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a command line in an empty folder, and gives what it said. */
async function msvc(
  args: readonly string[],
  { input = '', environment = {} }: { input?: string; environment?: Io['environment'] } = {},
) {
  const said = { out: '', err: '' }
  const terminal = (name: 'out' | 'err'): Terminal => ({
    ...QUIET,
    write: (text) => {
      said[name] += text
    },
  })
  const [out, err] = [terminal('out'), terminal('err')]
  const licences = async () => 'zod 4 (MIT)\n\nMIT License\n'
  const code = await run(args, quietIo(folder, { out, err, readInput: async () => input, licences, environment }))
  return { code, ...said }
}

/** A server that says the same to everybody. */
async function answering(said: object, onAsked = () => {}) {
  const server = createServer((_, answer) => {
    onAsked()
    answer.setHeader('content-type', 'application/json').end(JSON.stringify(said))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

/** An address where nobody listens: a port that the system gives to nobody who asks for a free one, unlike one that was free just now. */
const NOBODY = 'http://127.0.0.1:9'

describe('the command line', () => {
  it.each([
    [[], /^Usage: msvc/],
    [['bogus'], /unknown command 'bogus'/],
    [['upp'], /Did you mean up\?/],
    [['help', 'nope'], /^error: there is no command nope; see msvc --help\n$/],
    [['help', 'config', 'sett'], /there is no command sett; did you mean set\?; see config --help/],
    [['config', 'set', 'a', 'b'], /which value\? give it, or - to read it from stdin, or --file/],
    [['config', 'set', 'a', 'b', '--file', 'none'], /the value can't be read: ENOENT/],
    [['serve'], /missing required argument 'role'/],
    [['serve', 'gatway'], /there is no role gatway; did you mean gateway\? \(roles: registry, /],
    [['serve', 'user', '--port', 'x'], /^error: --port: expected a whole number from 0 to 65535, got "x"\n$/],
    [['serve', 'user', '--host', '0.0.0.0'], /^error: --host: 0\.0\.0\.0 can be reached from other machines/],
    [['serve', 'user', '--port', '0', '--data', '/dev/null/x'], /\/dev\/null\/x is no folder/],
    [['up', '--data', '/dev/null/x'], /The data folder \/dev\/null\/x can't be made/],
    [['token', '--subject', 'ann', '--data', '/dev/null/x'], /there is no data folder \/dev\/null\/x/],
    [['serve', 'user', '--supervised'], /for processes that msvc up starts/],
    [['up', '--only', 'usr'], /: there is no role or service usr; did you mean user\?/],
    [['up', '--scale', 'user=0'], /--scale wants name=replicas, of a role or service, with 1 to 64 replicas/],
    [
      ['up', '--scale', 'user=2', '--only', 'registry,order'],
      /: user is not one of the roles and services to run \(registry, o/,
    ],
    [['up', '--scale', 'broker-demo=2'], /: broker-demo is not one of the roles and services to run \(registry, /],
    [
      ['up', '--scale', 'broker=2'],
      /: broker runs alone, for its replicas .* while bus is embedded:; with bus: nats:\/\/… they do/,
    ],
    [['up', '--scale', 'registry=2,user=2'], /: registry runs alone/],
    [['scale', 'user:2'], /: msvc scale wants name=replicas, /],
    [['up', '--scale', 'usr=2'], /: there is no role or service usr/],
    [['up', '--port-offset', '-1'], /--port-offset wants a whole number/],
    [['up', '--port-offset', '60000'], /puts registry on port 68500/],
    [['token'], /--subject names a person, --service a service/],
    [['token', '--service', 'shop', '--subject', 'ann'], /'--service <name>' cannot be used with option '--subject/],
    [['token', '--service', 'shop', '--audience', 'broker'], /'--service <name>' cannot be used with option '--aud/],
    [['token', '--service', 'user'], /user is a role of the platform/],
    [['token', '--service', 'Payment-Service'], /Payment-Service is a role of the platform/],
    [['token', '--service', 'shop service'], /--service wants letters/],
    [['token', '--service', ''], /--service wants letters/],
    [['token', '--service', 'shop', '--ttl', '86401'], /A token lives 1 to 86400/],
    [['token', '--subject', 'a', '--ttl', 'x'], /--ttl wants/],
    [['token', '--subject', 'a', '--scope', 'a b'], /is no scope/],
    [['trace', 'x'], /32 hexadecimal digits/],
    [['logs', '--level', 'loud'], /Levels are/],
    [['logs', '--since', 'then'], /--since wants a time/],
    [['logs', '--limit', '0'], /--limit wants/],
    [['logs', '-n', '0'], /--limit wants/],
    [['subscribe', 'a', '--count', '0'], /--count wants/],
    [['publish', 'a', '{bad'], /"\{bad" is not JSON/],
    [['publish', 'a'], /wants a JSON payload, and there is none/],
    [['publish', 'a', '1', '--delay', 'soon'], /--delay wants a length of time/],
    [['dead-letters', 'redrive'], /^error: which dead letters\? name their ids .*, or every one with --all\n$/],
    [['dead-letters', 'redrive', 'x', '--all'], /--all means every dead letter: name no ids/],
    [
      ['dead-letters', 'discard'],
      /^error: which dead letters\? name their ids \(see msvc dead-letters list\), or a --sub/,
    ],
    [['dead-letters', 'discard', '--all'], /unknown option '--all'/],
    [['dead-letters', 'list', '--limit', '0'], /--limit wants a whole number from 1 to 10000/],
    [['delayed', 'list', '--limit', 'x'], /--limit wants/],
    [['delayed', 'cancel'], /missing required argument 'id'/],
    [['dead-leters'], /Did you mean dead-letters\?/],
    [['config', 'rollback', 'a', 'x'], /a version is a number/],
    [['completion', 'tcsh'], /Allowed choices are/],
  ])('refuses %j with exit code 2', async (args, message) => {
    const { code, out, err } = await msvc(args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(message)
    expect(err).not.toMatch(/^ +at /m)
  })

  it('reads no more of a file than a value may have', async () => {
    const { code, err } = await msvc(['config', 'set', 'shop', 'k', '--file', '/dev/zero'])
    expect({ code, err }).toEqual({ code: 1, err: 'error: /dev/zero holds more than 1048576 bytes\n' })
  })

  it.each([
    [['publish', 'a.b', '1'], 'broker', { BROKER_URL: NOBODY }],
    [['registry', 'list'], 'registry', { REGISTRY_URL: NOBODY }],
    [['logs'], 'log-server', { LOG_SERVER_URL: NOBODY }],
    [['trace', 'f'.repeat(32)], 'log-server', { LOG_SERVER_URL: NOBODY }],
    [['subscribe', 'a'], 'broker', { BROKER_URL: NOBODY }],
    [['delayed', 'list'], 'broker', { BROKER_URL: NOBODY }],
    [['dead-letters', 'redrive', '--all'], 'broker', { BROKER_URL: NOBODY }],
    [['config', 'get', 'user-service'], 'config-server', { CONFIG_SERVER_URL: NOBODY }],
  ])('says that the server of %j is not running', async (args, role, environment) => {
    const { code, out, err } = await msvc(args, { environment })
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toBe(`error: ${role} isn't running at ${NOBODY}; start it with msvc up, or msvc serve ${role}\n`)
  })

  it.each([
    ['token', '--subject', 'ann'],
    ['token', '--service', 'shop'],
    ['config', 'get', 'user-service', '--secrets'],
    ['config', 'set', 'user-service', 'a', '1'],
    ['publish', 'a', '1'],
    ['subscribe', 'a'],
    ['registry', 'list'],
    ['logs'],
    ['trace', '1'.repeat(32)],
    ['health'],
  ])('makes no data folder for a %s that names one wrongly', async (...args) => {
    const { code, out, err } = await msvc([...args, '--data', 'typo'])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toBe(
      `error: there is no data folder ${join(folder, 'typo')}; name the platform's with --data, or start it with msvc up\n`,
    )
    expect(existsSync(join(folder, 'typo'))).toBe(false)
  })

  it('says that nothing runs on a data folder, rather than that it is not at an address by default', async () => {
    const stopped = join(folder, '.msvc')
    // port 9 (discard) in place of the defaults: on this machine a platform may run
    writeFileSync(join(folder, 'ports.yaml'), 'broker: { port: 9 }\n')
    const { code, err } = await msvc(['publish', 'a', '1', '--config', 'ports.yaml'])
    expect(code).toBe(1)
    expect(err).toContain(`which is only where the configuration has it: no platform runs on ${stopped}; start it`)
  })

  it('says the day of entries that are not of today, once for all of them', async () => {
    const entry = (timestamp: string, message: string) => ({
      ...{ id: '1', timestamp, level: 'INFO', service: 'shop', instance: '', message },
    })
    const now = new Date().toISOString()
    const newestFirst = [
      entry(now, 'three'),
      entry('2026-01-31T12:00:01.000Z', 'two'),
      entry('2026-01-31T12:00:00.000Z', 'one'),
    ]
    await using server = await answering({ entries: newestFirst, next: null })
    const { out } = await msvc(['logs'], { environment: { LOG_SERVER_URL: server.url } })
    expect(out.split('\n')).toEqual([
      '— 2026-01-31 UTC',
      expect.stringMatching(/^12:00:00.000 INFO +shop +one$/),
      expect.stringMatching(/^12:00:01.000 INFO +shop +two$/),
      `— ${now.slice(0, 10)} UTC`,
      expect.stringMatching(/three$/),
      '',
    ])
  })

  it.each([
    [['registry', 'list'], 'registry', 'REGISTRY_URL'],
    [['logs'], 'log-server', 'LOG_SERVER_URL'],
    [['config', 'get', 'shop'], 'config-server', 'CONFIG_SERVER_URL'],
    [['publish', 'a', '1'], 'broker', 'BROKER_URL'],
  ])('says that somebody else answers %j', async (args, role, variable) => {
    await using server = await answering({ hello: 'world' })
    const { code, err } = await msvc(args, { environment: { [variable]: server.url } })
    expect({ code, err }).toEqual({ code: 1, err: `error: what answers at ${server.url} is no ${role} of msvc\n` })
  })

  it('sends no token to an address that is only guessed', async () => {
    let asked = 0
    await using server = await answering({}, () => asked++)
    const port = new URL(server.url).port
    writeFileSync(join(folder, 'guess.yaml'), `config-server: { port: ${port} }\nauth: { mode: token }\n`)
    const { code, err } = await msvc(['config', 'get', 'shop', '--secrets', '--config', 'guess.yaml'])
    expect({ code, asked }).toEqual({ code: 1, asked: 0 })
    expect(err).toMatch(/it is sent no token; say where it is: --data, or CONFIG_SERVER_URL/)
  })

  it('says that what answered is only where the configuration has it', async () => {
    await using other = await answering({ services: [] })
    writeFileSync(join(folder, 'other.yaml'), `registry: { port: ${new URL(other.url).port} }\n`)
    const { code, err } = await msvc(['registry', 'list', '--config', 'other.yaml'])
    expect({ code, err }).toEqual({
      code: 0,
      err: `warning: this is the platform at ${other.url}, which is only where the configuration has it: no platform runs on ${join(folder, '.msvc')}\n`,
    })
  })

  it.each([{ PORT: 'abc' }, { SERVICE_NAME: '!' }])('asks %j of roles that are to run alone', async (environment) => {
    expect((await msvc(['token', '--subject', 'ann'], { environment })).code).toBe(0)
    expect((await msvc(['check'], { environment })).code).toBe(2)
  })

  it('doubts scopes and audiences that are nearly the platform’s, and makes the token all the same', async () => {
    const wanted = ['--scope', 'users:raed,shop:read', '--audience', 'brokr']
    const { code, out, err } = await msvc(['token', '--subject', 'ann', ...wanted])
    expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^eyJ/) })
    expect(err.split('\n')).toEqual([
      "warning: users:raed is no scope of the platform's own; did you mean users:read?",
      "warning: brokr is no service of the platform's own; did you mean broker?",
      '',
    ])
  })

  it('gives a token alone on stdout, and the same in JSON', async () => {
    const { code, out, err } = await msvc([
      'token',
      '--subject',
      'alice',
      '--scope',
      'orders:read,users:read',
      '--scope',
      'docs:read',
      '--data',
      'keys',
    ])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const [, claims = ''] = out.trimEnd().split('.')
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
      sub: 'alice',
      aud: 'api-gateway',
      scope: 'orders:read users:read docs:read',
    })
    const json = await msvc(['--json', 'token', '--subject', 'alice', '--data', 'keys'])
    expect(JSON.parse(json.out)).toMatchObject({ subject: 'alice', audience: 'api-gateway', expires_in: 3_600 })
  })

  it('gives a service one token for every role, with what every service may do', async () => {
    const { code, out, err } = await msvc(['token', '--service', 'shop-service', '--scope', 'users:read,docs:read'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const [, claims = ''] = out.trimEnd().split('.')
    const { scope, ...said } = JSON.parse(Buffer.from(claims, 'base64url').toString())
    expect(said).toMatchObject({ sub: 'shop-service', service: true })
    expect(said.aud.toSorted()).toEqual([...new Set((await loadRoles()).map((role) => role.service))].sort())
    expect(scope.split(' ')).toEqual([...SERVICE_SCOPES, 'users:read'])
  })

  it('checks the configuration, and shows it without secrets', async () => {
    const file = join(folder, 'x.yaml')
    writeFileSync(
      file,
      'auth: { mode: token }\ngateway: { host: 0.0.0.0, port: 1 }\nstore: "postgres://ann:hunter2@host"\n',
    )
    expect(await msvc(['check', '--config', file])).toMatchObject({ code: 0, err: '' })
    const { out } = await msvc(['check', '--config', file, '--json'])
    expect(JSON.parse(out)).toMatchObject({ settings: { auth: { mode: 'token' } }, roles: { gateway: { port: 1 } } })
    expect(out).not.toContain('hunter2')
  })

  it('shows no secret in what it complains of', async () => {
    writeFileSync(join(folder, 'wrong.yaml'), 'store: nosuch://ann:hunter2@db\nlog: { level: "token=hunter2" }\n')
    writeFileSync(join(folder, 'msvc.yaml'), 'log: { level: ERROR }\n')
    expect((await msvc(['check'])).out).toMatch(/^the configuration holds \(msvc\.yaml, \d+ roles, no services\)\n$/)
    writeFileSync(
      join(folder, 'shop.yaml'),
      'services: { shop: { run: x }, mail: { run: y }, far: "http://10.0.0.1:80" }\n',
    )
    const shop = ['check', '--config', 'shop.yaml']
    expect((await msvc(shop)).out).toMatch(/^the configuration holds \(shop\.yaml, \d+ roles, 2 services\)\n$/)
    expect(JSON.parse((await msvc([...shop, '--json'])).out).services).toEqual(['shop', 'mail'])
    rmSync(join(folder, 'msvc.yaml'))
    expect((await msvc(['check'])).out).toMatch(/\(built-in defaults, /)
    const { code, out, err } = await msvc(['check', '--config', 'wrong.yaml'])
    expect(code).toBe(2)
    expect(err).toContain('log.level')
    expect(out + err).not.toContain('hunter2')
    const json = await msvc(['check', '--config', 'wrong.yaml', '--json'])
    expect(json).toMatchObject({ code: 2, err })
    const { ok, faults } = JSON.parse(json.out)
    expect({ ok, faults }).toEqual({ ok: false, faults: err.trimEnd().replaceAll('error: ', '').split('\n') })
    expect(faults).toHaveLength(1)
    expect((await msvc(['publish', '--token=hunter2', 'a'])).err).not.toContain('hunter2')
  })

  it('lists the roles in the help of serve, and examples in every help', async () => {
    const { code, out } = await msvc(['serve', '--help'])
    expect(code).toBe(0)
    expect(out).toMatch(/^ {2}payment +8003 /m)
    for (const command of ['up', 'config', 'logs']) expect((await msvc(['help', command])).out).toContain('Examples:')
  })

  /** The help of a command and of those below it, by its words. */
  async function helpsOf(...words: readonly string[]): Promise<readonly (readonly [string, string])[]> {
    const { out } = await msvc([...words, '--help'])
    const [, commands = ''] = out.split('\nCommands:\n')
    const names = [...commands.matchAll(/^ {2}([a-z-]+)\b/gm)].map(([, name = '']) => name)
    const below = await Promise.all(names.filter((name) => name !== 'help').map((name) => helpsOf(...words, name)))
    return [[words.join(' '), out], ...below.flat()]
  }

  it('has helps that fit into 80 columns', async () => {
    const helps = await helpsOf()
    expect(helps.map(([command]) => command)).toEqual(
      expect.arrayContaining(['serve', 'config rollback', 'completion', 'dead-letters redrive', 'delayed cancel']),
    )
    for (const [command, help] of helps) {
      expect([command, help.split('\n').filter((line) => line.length > 80)]).toEqual([command, []])
    }
  })

  it('prints a schema, and how a file names it where nobody parses it', async () => {
    const { code, out, err } = await msvc(['schema'])
    expect({ code, properties: JSON.parse(out).properties }).toMatchObject({ code: 0, properties: { services: {} } })
    expect(err).toBe('put this on the first line of msvc.yaml: # yaml-language-server: $schema=./msvc.schema.json\n')
  })

  it('prints the licences of what it is made of', async () => {
    const text = 'zod 4 (MIT)\n\nMIT License\n'
    expect(await msvc(['licences'])).toEqual({ code: 0, out: text, err: '' })
    expect(JSON.parse((await msvc(['licences', '--json'])).out)).toEqual({ licences: text })
  })

  it('says its version', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
    expect(await msvc(['-V'])).toEqual({ code: 0, out: `${version}\n`, err: '' })
  })
})
