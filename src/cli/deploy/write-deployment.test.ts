import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { sessions } from '../session/session.ts'
import { KINDS } from './kinds.ts'
import { COMPOSE, projectForEach } from './testing/project.ts'
import { writeDeployment } from './write-deployment.ts'

const { at, configure, deploy, disputed, person, put, text, tree } = projectForEach()

describe('msvc deploy', () => {
  it.each(KINDS)('writes $name once, and the same without a word of change the second time', async ({ name }) => {
    expect(await deploy([name])).toMatchObject({ code: 0, out: expect.stringContaining(': written') })
    const first = tree('deploy')
    expect(await deploy([name])).toMatchObject({ code: 0, out: `deploy/${name}: nothing has changed\n`, err: '' })
    expect(tree('deploy')).toEqual(first)
  })

  it.each(KINDS)('keeps the secrets of $name whatever is written over', async ({ name }) => {
    configure('up: { host: 127.0.0.1 }\n')
    await deploy([name])
    const secrets = () =>
      Object.fromEntries(
        Object.entries(tree(`deploy/${name}`)).filter(
          ([path]) => path.startsWith('secrets/') && !/yaml|json/.test(path),
        ),
      )
    const first = secrets()
    configure('drain_seconds: 9\nservices: { cat: { run: node --watch cat.mjs } }\n')
    const { code, err } = await deploy([name, '--force'])
    expect(code).toBe(0)
    expect(err.includes('warning: services.cat.run is for who works on it')).toBe(name !== 'systemd')
    expect(secrets()).toEqual(first)
  })

  it('takes where it is to write, and what of', async () => {
    expect(await deploy(['compose', '--out', 'elsewhere', '--scale', 'payment=3'])).toMatchObject({ code: 0 })
    expect(text('elsewhere/compose.yaml')).toMatch(/ {2}payment:[\s\S]*?replicas: 3/)
    expect(await deploy(['compose', '--scale', 'paymnt=3'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('did you mean payment?'),
    })
    expect(existsSync(at('deploy'))).toBe(false)
  })

  it('goes by the flags of the last time where none says otherwise, and says so', async () => {
    configure('services: { cat: { run: node cat.mjs } }\n')
    await deploy(['compose', '--scale', 'payment=3', 'cat=2', '--image', 'r.example/msvc:7'])
    const first = text(COMPOSE)
    const again = await deploy(['compose'])
    expect(again).toMatchObject({
      code: 0,
      out: 'deploy/compose: nothing has changed\n',
      err: 'as the last time: --scale cat=2 --scale payment=3 --image r.example/msvc:7\n',
    })
    const other = await deploy(['compose', '--scale', 'payment=1', '--image', 'r.example/msvc:8'])
    expect(other.err).toMatch(/^as the last time: --scale cat=2\n/)
    expect(text(COMPOSE)).not.toBe(first)
    expect(text(COMPOSE)).toContain('r.example/msvc:8')
    // a service that is gone wants none
    configure('{}\n')
    expect((await deploy(['compose', '--force'])).err).toMatch(
      /^as the last time: --scale payment=1 --image r\.example\/msvc:8\n/,
    )
    expect((await deploy(['compose', '--out', 'other'])).err).not.toContain('as the last time')
  })

  it('tells programs what it did, in one document', async () => {
    const { code, out, err } = await deploy(['compose', '--json'])
    const told = JSON.parse(out)
    expect({ code, told }).toMatchObject({ code: 0, told: { folder: at('deploy/compose'), kind: 'compose' } })
    expect(told.files).toContainEqual({ path: 'compose.yaml', fate: 'new', written: true })
    expect(told.next.join('\n')).toContain('docker compose up')
    expect(err).toContain('docker compose up')
  })

  it('follows what the file says of a store: no old password stays', async () => {
    const url = 'deploy/compose/secrets/database-url'
    await deploy(['compose'])
    const own = text(url)
    configure('store: postgres://app:first@db.example/shop\n')
    expect(await deploy(['compose'])).toMatchObject({ code: 0, out: expect.stringContaining(`${url}: written over`) })
    expect(text(url)).toBe('postgres://app:first@db.example/shop\n')
    configure('store: postgres://app:second@db.example/shop\n')
    const { code, out, err } = await deploy(['compose'])
    expect({ code, url: text(url) }).toEqual({ code: 0, url: 'postgres://app:second@db.example/shop\n' })
    expect(out + err).not.toMatch(/second|first/)
    expect(err).toMatch(/secrets\/postgres-password: nothing reads this any more; keep it as long as/)
    // its volume may be there still, with the password of then
    configure('{}\n')
    await deploy(['compose'])
    expect(text(url)).toBe(own)
    expect(own).toContain(text('deploy/compose/secrets/postgres-password'))
  })

  it('writes nothing where secrets do not match', async () => {
    await deploy(['compose'])
    configure('drain_seconds: 7\n')
    const before = tree('deploy')
    put('deploy/compose/secrets/redis-url', 'redis://:other@redis:6379\n')
    expect(await deploy(['compose', '--force'])).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringMatching(/^error: secrets\/redis-url and secrets\/redis\.conf hold different passwords.*\n$/),
    })
    expect(tree('deploy')).toMatchObject({ 'compose/compose.yaml': before['compose/compose.yaml'] })
  })

  it('keeps closed what only its owner can read', async () => {
    configure('store: postgres://app:pw@db.example/shop\n')
    chmodSync(at('msvc.yaml'), 0o600)
    await deploy(['compose'])
    expect(text(COMPOSE)).toContain("config: { file: './secrets/msvc.yaml' }")
    expect(statSync(at('deploy/compose/secrets')).mode & 0o777).toBe(0o700)
    configure('store: postgres://app:other@db.example/shop\n')
    await deploy(['compose'])
    expect(text('deploy/compose/secrets/msvc.yaml')).toContain(':other@')
  })

  it('says that git would take in the data folder', async () => {
    mkdirSync(at('.git'))
    expect((await deploy(['docker'])).err).toContain(
      "warning: git would take in the keys and databases of .msvc: echo '.msvc/'",
    )
    writeFileSync(at('.gitignore'), '.msvc/\n')
    expect((await deploy(['docker'])).err).toBe('')
  })

  it('refuses two files of one path, on systems too where case does not count', async () => {
    const files = ['network.yaml', 'Network.yaml'].map((path) => ({ path, text: path }))
    const about = { name: 'twins', summary: '', description: '', examples: '', hasImages: false }
    const twins = { ...about, load: async () => () => ({ files, next: [] }) }
    const { io } = person()
    await expect(writeDeployment(sessions(io, () => {})(new Command()), twins, {})).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/^Network\.yaml would be two files/),
    })
    expect(existsSync(at('deploy'))).toBe(false)
  })

  it('says that it closed what others could read', async () => {
    mkdirSync(at('deploy/compose/secrets'), { recursive: true })
    chmodSync(at('deploy/compose/secrets'), 0o755)
    expect((await deploy(['compose', '--diff'])).out).toContain('secrets: others can read it, is closed')
    expect((await deploy(['compose'])).out).toContain('deploy/compose/secrets: others could read it, closed')
    expect(statSync(at('deploy/compose/secrets')).mode & 0o777).toBe(0o700)
  })
})

describe('--diff', () => {
  it('shows all that would be written, and writes nothing', async () => {
    const { code, out } = await deploy(['compose', '--diff'])
    expect({ code, deploy: existsSync(at('deploy')) }).toEqual({ code: 1, deploy: false })
    expect(out).toMatch(/^--- \/dev\/null\n\+\+\+ compose\.yaml {2}proposed\n@@ -0,0 \+1,\d+ @@\n\+# msvc /)
    expect(out).toContain('\nsecrets/signing-key: a new secret\n')
    await deploy(['compose'])
    for (const args of [[], ['--force']])
      expect(await deploy(['compose', '--diff', ...args])).toMatchObject({
        code: 0,
        out: 'deploy/compose: nothing would change\n',
      })
  })

  it('shows what would change, and of yours only what --force would', async () => {
    await disputed()
    const before = tree('deploy')
    const { code, out, asked } = await deploy(['compose', '--diff'], ['y'])
    expect({ code, asked }).toEqual({ code: 1, asked: [] })
    expect(out).toMatch(/^-# mine$/m)
    configure('{}\n')
    await deploy(['compose'], ['n'])
    expect((await deploy(['compose', '--diff'])).out).toBe('deploy/compose: nothing would change\n')
    expect((await deploy(['compose', '--diff', '--force'])).out).toMatch(/^-# mine$/m)
    expect(text(COMPOSE)).toBe(before['compose/compose.yaml'])
  })

  it('tells programs', async () => {
    await disputed()
    const { out } = await deploy(['compose', '--diff', '--json'])
    const told = JSON.parse(out)
    expect(told).toMatchObject({ folder: at('deploy/compose'), kind: 'compose', unwanted: [] })
    expect(told.files).toContainEqual({
      path: 'compose.yaml',
      fate: 'disputed',
      diff: expect.stringMatching(/^-# mine$/m),
    })
    expect(told.files).toContainEqual({ path: 'secrets/signing-key', fate: 'same' })
  })
})
