import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from '../run.ts'
import { sessions } from '../session/session.ts'
import type { Io, Terminal } from '../terminal/io.ts'
import { KINDS } from './kinds.ts'
import { writeDeployment } from './write-deployment.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-deploy-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const at = (path: string) => join(folder, path)
const text = (path: string) => readFileSync(at(path), 'utf8')
/** Puts a text into a file, one that can't be written too. */
function put(path: string, words: string): void {
  rmSync(at(path), { force: true })
  writeFileSync(at(path), words)
}
const configure = (words: string) => writeFileSync(at('msvc.yaml'), words)
const COMPOSE = 'deploy/compose/compose.yaml'

/** A process, and what it says. @param answers what a person at the terminal says to one question after the other; nobody is there without. @param isSeen whether stdout is the terminal too */
function person(answers?: readonly string[], isSeen = true) {
  const said = { out: '', err: '' }
  const asked: string[] = []
  const left = [...(answers ?? [])]
  const terminal = (name: 'out' | 'err'): Terminal => ({
    isTTY: answers !== undefined && isSeen,
    colour: false,
    columns: 80,
    rows: 24,
    write: (words) => {
      said[name] += words
    },
  })
  const io: Io = {
    out: terminal('out'),
    err: terminal('err'),
    outputTaken: async () => {},
    writeBytes: async () => {},
    outputClosed: false,
    outputLost: new AbortController().signal,
    readInput: async () => '',
    licences: async () => '',
    environment: {},
    ownVariables: {},
    folder,
    pid: process.pid,
    self: ['msvc'],
    holdsPort: false,
    signal: new AbortController().signal,
    leaving: new AbortController().signal,
    settled: () => {},
    leaveInterruptsToParent: () => {},
    ...(answers && {
      ask: async (question: string) => {
        asked.push(question)
        return left.shift() ?? ''
      },
    }),
  }
  return { io, said, asked }
}

/** Runs `msvc deploy`. @param answers as of `person` */
async function deploy(args: readonly string[], answers?: readonly string[], isSeen?: boolean) {
  const { io, said, asked } = person(answers, isSeen)
  const code = await run(['deploy', ...args], io)
  return { code, ...said, asked }
}

/** Every file below a folder. */
function tree(path: string): Record<string, string> {
  const files = readdirSync(at(path), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(
    files.map((entry) => {
      const whole = join(entry.parentPath, entry.name)
      return [whole.slice(at(path).length + 1), readFileSync(whole, 'utf8')]
    }),
  )
}

/** A deployment of which a person has changed a file, and of which something else is proposed by now. */
async function disputed(): Promise<void> {
  await deploy(['compose'])
  appendFileSync(at(COMPOSE), '# mine\n')
  configure('drain_seconds: 7\n')
}

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
    configure('drain_seconds: 9\nservices: { cat: { run: node cat.mjs } }\n')
    expect(await deploy([name, '--force'])).toMatchObject({ code: 0 })
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

describe('what a person has changed', () => {
  it('stays where nobody answers, which is said and is no success', async () => {
    await disputed()
    const mine = text(COMPOSE)
    const { code, out, err } = await deploy(['compose'])
    expect({ code, out }).toEqual({ code: 1, out: `${COMPOSE}: yours, left as it is\n` })
    expect(err).toMatch(
      /error: compose\.yaml: changed by you, and proposed otherwise now; --diff shows how, and --force/,
    )
    expect(text(COMPOSE)).toBe(mine)
    // it is as it was: the same is said again
    expect((await deploy(['compose'])).code).toBe(1)
  })

  it.each(['', 'n', 'no', 'what?', '\n'])(
    'stays when the person says %j, who is not asked the same again',
    async (answer) => {
      await disputed()
      const mine = text(COMPOSE)
      const { code, out, err, asked } = await deploy(['compose'], [answer])
      expect({ code, asked }).toEqual({
        code: 0,
        asked: ['compose.yaml: write over what you changed? [y]es, [N]o, [q]uit: '],
      })
      expect(out).toMatch(/^--- compose\.yaml {2}yours\n\+\+\+ compose\.yaml {2}proposed\n/)
      expect(out).toMatch(/^-# mine$/m)
      expect(out).toMatch(/^\+ {2}stop_grace_period: 17s$/m)
      expect(out).toContain(`${COMPOSE}: yours, left as it is\n`)
      expect(err).not.toContain('next, in')
      expect(text(COMPOSE)).toBe(mine)
      expect(await deploy(['compose'], ['y'])).toMatchObject({ code: 0, asked: [] })
      configure('drain_seconds: 8\n')
      expect((await deploy(['compose'], ['n'])).asked).toHaveLength(1)
    },
  )

  it.each(['y', 'YES', ' y '])('is written over when the person says %j', async (answer) => {
    await disputed()
    const { code, out, asked } = await deploy(['compose'], [answer])
    expect({ code, questions: asked.length }).toEqual({ code: 0, questions: 1 })
    expect(out).toContain(`${COMPOSE}: written over\n`)
    expect(text(COMPOSE)).not.toContain('# mine')
    expect(text(COMPOSE)).toContain('stop_grace_period: 17s')
  })

  it('stays with all else when the person quits', async () => {
    await disputed()
    configure('drain_seconds: 7\nservices: { cat: { run: node cat.mjs } }\n')
    const before = tree('deploy')
    expect(await deploy(['compose'], ['q'])).toMatchObject({ code: 1, err: 'error: nothing was written\n' })
    expect(tree('deploy')).toEqual(before)
  })

  it('is asked for file by file', async () => {
    await deploy(['kubernetes', '--scale', 'user=2'])
    for (const name of ['user', 'order']) appendFileSync(at(`deploy/kubernetes/${name}.yaml`), '# mine\n')
    const { asked } = await deploy(['kubernetes', '--scale', 'user=3', 'order=3'], ['n', 'y'])
    expect(asked.map((question) => question.split(':')[0])).toEqual(['user.yaml', 'order.yaml'])
    expect(text('deploy/kubernetes/user.yaml')).toContain('# mine')
    expect(text('deploy/kubernetes/order.yaml')).not.toContain('# mine')
  })

  it('is written over by --force, also where what is proposed is what was', async () => {
    await disputed()
    expect(await deploy(['compose', '--force'])).toMatchObject({ code: 0, asked: [] })
    expect(text(COMPOSE)).not.toContain('# mine')
    appendFileSync(at(COMPOSE), '# mine\n')
    expect((await deploy(['compose'])).out).toBe(`${COMPOSE}: yours, left as it is\n`)
    expect(await deploy(['compose', '--force'])).toMatchObject({ code: 0, out: `${COMPOSE}: written over\n` })
    expect(text(COMPOSE)).not.toContain('# mine')
  })

  it('is shown on stderr where a program reads stdout', async () => {
    await disputed()
    const piped = await deploy(['compose'], ['q'], false)
    expect(piped).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^-# mine$/m) })
    const { code, out, err } = await deploy(['compose', '--json'], ['n'])
    expect(JSON.parse(out).files).toContainEqual({ path: 'compose.yaml', fate: 'disputed', written: false })
    expect({ code, isShown: /^-# mine$/m.test(err) }).toEqual({ code: 0, isShown: true })
  })

  it('is nobody elses to write over', async () => {
    mkdirSync(at('deploy/compose'), { recursive: true })
    writeFileSync(at(COMPOSE), 'theirs\n')
    expect(await deploy(['compose'], ['y'])).toMatchObject({
      code: 1,
      asked: [],
      err: expect.stringMatching(/is not empty: compose\.yaml was written by somebody else; .*--out, .*--force/),
    })
    expect(text(COMPOSE)).toBe('theirs\n')
    await deploy(['compose', '--force'])
    expect(text(COMPOSE)).toContain('services:')
  })

  it('is shown of a secret without its text', async () => {
    configure('store: postgres://app:first@db.example/shop\n')
    await deploy(['compose'])
    put('deploy/compose/secrets/database-url', 'postgres://app:mine@db.example/shop\n')
    configure('store: postgres://app:second@db.example/shop\n')
    const { asked, out, err } = await deploy(['compose'], ['n'])
    expect(asked).toHaveLength(1)
    expect(out).toContain('secrets/database-url: another secret\n')
    expect(out + err + (await deploy(['compose', '--diff', '--force'])).out).not.toMatch(/mine|first|second/)
  })
})

describe('--diff', () => {
  it('shows all that would be written, and writes nothing', async () => {
    const { code, out } = await deploy(['compose', '--diff'])
    expect({ code, deploy: existsSync(at('deploy')) }).toEqual({ code: 0, deploy: false })
    expect(out).toMatch(/^--- \/dev\/null\n\+\+\+ compose\.yaml {2}proposed\n@@ -0,0 \+1,\d+ @@\n\+# msvc /)
    expect(out).toContain('\nsecrets/signing-key: a new secret\n')
    await deploy(['compose'])
    for (const args of [[], ['--force']])
      expect((await deploy(['compose', '--diff', ...args])).out).toBe('deploy/compose: nothing would change\n')
  })

  it('shows what would change, and of yours only what --force would', async () => {
    await disputed()
    const before = tree('deploy')
    const { code, out, asked } = await deploy(['compose', '--diff'], ['y'])
    expect({ code, asked }).toEqual({ code: 0, asked: [] })
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

describe('what is not part of it any more', () => {
  const UNIT = 'deploy/systemd/msvc-cat.service'
  beforeEach(async () => {
    configure('services: { cat: { run: node cat.mjs }, dog: { run: node dog.mjs } }\n')
    await deploy(['systemd'])
    appendFileSync(at('deploy/systemd/msvc-dog.service'), '# mine\n')
    configure('{}\n')
  })

  it('stays where nobody answers, and is told of', async () => {
    expect((await deploy(['systemd', '--diff'])).out).toContain('msvc-cat.service: not part of this any more\n')
    for (const _ of [1, 2]) {
      const { code, err } = await deploy(['systemd'])
      expect(code).toBe(0)
      expect(err).toMatch(/warning: msvc-cat\.service, msvc-dog\.service: not part of this any more, and still there; /)
    }
    expect(existsSync(at(UNIT))).toBe(true)
  })

  it.each([
    ['y', true],
    ['n', false],
    ['', false],
  ])('is taken away when the person says %j, if nobody has changed it', async (answer, isGone) => {
    const { asked, out, code } = await deploy(['systemd'], [answer])
    expect({ code, asked }).toEqual({
      code: 0,
      asked: ['msvc-cat.service: not part of this any more, remove? [y]es, [N]o, [q]uit: '],
    })
    expect([existsSync(at(UNIT)), out.includes(`${UNIT}: removed`)]).toEqual([!isGone, isGone])
    expect(existsSync(at('deploy/systemd/msvc-dog.service'))).toBe(true)
  })

  it('is taken away by --force, but for what a person has changed', async () => {
    const { err, out } = await deploy(['systemd', '--force', '--json'])
    expect(existsSync(at(UNIT))).toBe(false)
    expect(JSON.parse(out).unwanted).toEqual([
      { path: 'msvc-cat.service', removed: true },
      { path: 'msvc-dog.service', removed: false },
    ])
    expect(err).toMatch(/warning: msvc-dog\.service: not part of this any more/)
  })
})
