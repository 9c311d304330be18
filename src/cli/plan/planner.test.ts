import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { AppError } from '../../kit/errors.ts'
import { configure } from '../session/configuration.ts'
import type { Session } from '../session/session.ts'
import { createMessages } from '../terminal/messages.ts'
import { QUIET, quietIo } from '../terminal/testing/quiet-io.ts'
import type { Wish } from './plan.ts'
import { createPlanner } from './planner.ts'

const folder = mkdtempSync(join(tmpdir(), 'msvc-planner-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A session of a folder whose configuration says this. */
function sessionOf(yaml: string): Session {
  writeFileSync(join(folder, 'msvc.yaml'), yaml)
  return {
    io: quietIo(folder),
    options: {},
    messages: createMessages(QUIET, true),
    print: () => {},
    printJson: () => {},
    endWith: () => {},
  }
}

/** A wish for all that there is. */
const ALL: Wish = { scale: new Map(), portOffset: 0 }

/** What is wrong with a plan, by the planner; empty where nothing is. */
async function faultOf(yaml: string, portOffset = 0): Promise<string> {
  const planner = createPlanner(sessionOf(yaml), async () => 0)
  try {
    await planner.plan({ ...ALL, portOffset })
    return ''
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'CONFIG_INVALID') return thrown.message
    throw thrown
  }
}

it('keeps the port of a gateway that takes a free one, where the program before has left it', async () => {
  const session = sessionOf('gateway: { port: 0 }\nuser: { port: 0 }\nservices:\n  a: { run: x }\n')
  const left = { ...session, io: { ...session.io, predecessor: { holdsPort: true, port: 4_711 } } }
  const { roles } = await createPlanner(left, async () => 20_000).plan(ALL)
  const portOf = (name: string) => roles.find(({ unit }) => unit === name)?.job.section.port
  expect([portOf('gateway'), portOf('user')]).toEqual([4_711, 20_000])
})

describe('a port of a service', () => {
  const advice = 'give each its own, or leave it out for a free one'

  it.each([
    [
      'of the role that holds doors open',
      8400,
      0,
      `msvc.yaml:3: services.a.port: 8400 is outbound's port too; ${advice}`,
    ],
    [
      'of that role behind an offset',
      9400,
      1_000,
      `msvc.yaml:3: services.a.port: 9400 is outbound's port too; ${advice}`,
    ],
    [
      'of another role behind an offset',
      9001,
      1_000,
      `msvc.yaml:3: services.a.port: 9001 is user's port too; ${advice}`,
    ],
    ['of a role that an offset moves away', 8001, 1_000, ''],
    ['of the door role that an offset moves away', 8400, 1_000, ''],
  ])('%s', async (_, port, offset, fault) => {
    expect(await faultOf(`services:\n  a:\n    { run: x, port: ${port} }\n`, offset)).toBe(fault)
  })

  it('may be that of the role that holds doors open where there are none', async () => {
    expect(await faultOf('services:\n  a: { run: x, port: 8400, calls: direct }\n')).toBe('')
  })

  it('is found by who checks the file alone', async () => {
    const session = sessionOf('services:\n  a: { run: x, port: 8400 }\n')
    await expect(configure(session, { runsServices: true })).rejects.toThrow(
      `msvc.yaml:2: services.a.port: 8400 is outbound's port too; ${advice}`,
    )
  })
})

it('refuses a role on the port of the one that holds doors open, where services bring it', async () => {
  const yaml = 'gateway: { port: 8400 }\nservices:\n  a: { run: x }\n'
  expect(await faultOf(yaml)).toBe("msvc.yaml:1: gateway.port: 8400 is outbound's port too; give each role its own")
})

it('refuses more services than there can be doors for, and takes them where they call each other directly', async () => {
  const file = (count: number, calls = '{}') =>
    `data: x\nservices:\n${Array.from({ length: count }, (_, at) => `  s${at}: { run: x, calls: ${calls} }\n`).join('')}`
  expect(await faultOf(file(64))).toBe('')
  expect(await faultOf(file(80))).toMatch(
    /^msvc\.yaml:2: services: 80 services need up to \d+ doors, one to each other, and there are 5000; let some say "calls: direct", or run fewer$/,
  )
  expect(await faultOf(file(80, 'direct'))).toBe('')
})

describe('up.without', () => {
  const rolesOf = async (yaml: string, wish: Partial<Wish> = {}) => {
    const { roles } = await createPlanner(sessionOf(yaml), async () => 0).plan({ ...ALL, ...wish })
    return roles.map(({ unit }) => unit)
  }

  it('leaves roles out, and their ports to others', async () => {
    const yaml = 'up: { without: [order, payment] }\nservices:\n  a: { run: x, port: 8002 }\n'
    expect(await rolesOf(yaml)).toEqual(['registry', 'config-server', 'log-server', 'broker', 'user', 'gateway'])
  })

  it('gives way to --only', async () => {
    const yaml = 'up: { without: [order] }\nservices:\n  a: { run: x, needs: [order] }\n'
    expect(await rolesOf(yaml, { only: ['registry', 'order', 'a'] })).toEqual(['registry', 'order'])
  })

  it.each([
    [
      'no role',
      '[pament]',
      '',
      /^msvc\.yaml:1: up\.without\.0: there is no role pament; did you mean payment\? \(there are /,
    ],
    ['a service of the file', '[a]', '', /^msvc\.yaml:1: up\.without\.0: there is no role a \(/],
    [
      'what a service needs',
      '[user, order]',
      ', needs: [order]',
      /^msvc\.yaml:3: services\.a\.needs\.0: up\.without leaves order out; take it out of that list$/,
    ],
    [
      'what passes its requests on',
      '[gateway]',
      ', route: { path: /a, methods: { GET: public } }',
      /^msvc\.yaml:3: services\.a\.route: nobody does that, as up\.without leaves gateway out$/,
    ],
    [
      'what brings it its messages',
      '[broker]',
      ', receives: { sold: { to: /sold } }',
      /^msvc\.yaml:3: services\.a\.receives: nobody does that, as up\.without leaves broker out$/,
    ],
  ])('refuses %s', async (_, without, more, fault) => {
    expect(await faultOf(`up: { without: ${without} }\nservices:\n  a: { run: x${more} }\n`)).toMatch(fault)
  })

  it('says what --scale asks for in vain', async () => {
    const planner = createPlanner(sessionOf('up: { without: [order] }\n'), async () => 0)
    await expect(planner.plan({ ...ALL, scale: new Map([['order', 2]]) })).rejects.toThrow(
      /^order is not one of the roles and services to run \(.*\); up\.without leaves it out$/,
    )
  })

  it('may come later, also for a role that was given replicas', async () => {
    const planner = createPlanner(sessionOf(''), async () => 0)
    const wish = { ...ALL, scale: new Map([['order', 2]]) }
    expect((await planner.plan(wish)).roles.map(({ unit }) => unit)).toContain('order-2')
    sessionOf('up: { without: [order] }\n')
    expect((await planner.plan(wish)).roles.map(({ unit }) => unit)).not.toContain('order')
  })
})
