import { appendFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, it } from 'vitest'
import { COMPOSE, projectForEach } from './testing/project.ts'

const { at, configure, deploy, disputed, put, text, tree } = projectForEach()

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

describe('what is not part of it any more', () => {
  const UNIT = 'deploy/systemd/msvc-cat.service'
  beforeEach(async () => {
    configure('services: { cat: { run: node cat.mjs }, dog: { run: node dog.mjs } }\n')
    await deploy(['systemd'])
    appendFileSync(at('deploy/systemd/msvc-dog.service'), '# mine\n')
    configure('{}\n')
  })

  it('stays where nobody answers, and is told of', async () => {
    expect(await deploy(['systemd', '--diff'])).toMatchObject({
      code: 1,
      out: expect.stringContaining('msvc-cat.service: not part of this any more\n'),
    })
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
    // only a person can take that away
    expect((await deploy(['systemd', '--diff'])).code).toBe(0)
  })
})
