import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../../drivers/clock.ts'
import { portOf } from '../../http/port-of.ts'
import { createKeptPorts } from '../free-port.ts'
import { type CommandPlan, type CommandTools, commandBuild, commandUnit } from './command-unit.ts'

const placeOf = createKeptPorts(process.pid)
const LISTENS = "require('http').createServer((q, s) => s.end()).listen(process.env.PORT, process.env.HOST)"

const envOf = ({ host, port }: { readonly host: string; readonly port: number }) => ({ HOST: host, PORT: String(port) })

function plan(more: Partial<CommandPlan> = {}): CommandPlan {
  return {
    unit: 'shop',
    service: 'shop',
    needs: [],
    run: 'sleep 60',
    build: undefined,
    dir: tmpdir(),
    env: { PATH: process.env.PATH ?? '' },
    secrets: [],
    place: undefined,
    ready: { by: 'none' },
    stop: { signal: 'SIGTERM', grace_ms: 30_000 },
    restart: { when: 'always' },
    ...more,
  }
}

/** A unit's tools that write down what is done with them. */
function theatre() {
  const events: string[] = []
  let said = ''
  let count = 0
  const tools: CommandTools = {
    clock: systemClock,
    guard: { watch: () => {}, release: () => {} },
    instanceOf: (service) => `${service}-${process.pid}-${count++}`,
    output: () => ({
      take: (_, chunk) => {
        said += chunk
      },
      hasWritten: () => said.includes('listening'),
      end: () => {},
    }),
    enrol: (_, instance) => {
      events.push(`enrol ${instance.split('-')[0]}`)
      return {
        entered: Promise.resolve(),
        setHealthy: (isHealthy) => void events.push(isHealthy ? 'healthy' : 'unhealthy'),
        leave: async () => void events.push('leave'),
      }
    },
    variablesOf: async () => ({ KEY: 'k' }),
    buildOf: () => undefined,
  }
  return { events, tools, said: () => said }
}

describe('a command as a unit', () => {
  it('is in the registry from when it is ready until it is asked to stop', async () => {
    const { events, tools } = theatre()
    const place = { host: '127.0.0.1', port: await placeOf('shop', '127.0.0.1') }
    const launched = commandUnit(
      plan({ run: [process.execPath, '-e', LISTENS], env: envOf(place), place, ready: { by: 'http', path: '/' } }),
      tools,
    ).launch()
    expect(launched.pid).toBe(0)
    const started = await launched.start({}, () => {})
    expect(started).toMatchObject({ service: 'shop', url: `http://127.0.0.1:${place.port}` })
    expect(launched.pid).toBeGreaterThan(0)
    launched.onSilence?.(true)
    launched.onSilence?.(false)
    launched.stop()
    expect(await launched.exited).toBe('SIGTERM')
    expect(events.slice(0, 4)).toEqual(['enrol shop', 'unhealthy', 'healthy', 'leave'])
  })

  it('is ready no sooner than others find it', async () => {
    const { tools } = theatre()
    const [entering, entered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const place = { host: '127.0.0.1', port: await placeOf('entering', '127.0.0.1') }
    const launched = commandUnit(
      plan({ run: [process.execPath, '-e', LISTENS], env: envOf(place), place, ready: { by: 'tcp' } }),
      {
        ...tools,
        enrol(of, instance) {
          entering.resolve()
          return { ...tools.enrol(of, instance), entered: entered.promise }
        },
      },
    ).launch()
    let isReady = false
    const started = launched
      .start({}, () => {})
      .then(() => {
        isReady = true
      })
    await entering.promise
    await new Promise((resolve) => setImmediate(resolve))
    expect(isReady).toBe(false)
    entered.resolve()
    await started
    launched.kill()
    await launched.exited
  })

  it('leaves the registry as soon as its process is gone', async () => {
    const { events, tools } = theatre()
    const place = { host: '127.0.0.1', port: await placeOf('gone', '127.0.0.1') }
    const launched = commandUnit(
      plan({ run: [process.execPath, '-e', LISTENS], env: envOf(place), place, ready: { by: 'tcp' } }),
      tools,
    ).launch()
    await launched.start({}, () => {})
    process.kill(launched.pid, 'SIGKILL')
    await expect.poll(() => events).toContain('leave')
    expect(await launched.exited).toBe('SIGKILL')
  })

  it('is not started where another program has its port', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void other.close())
    const { tools } = theatre()
    const place = { host: '127.0.0.1', port: portOf(other) }
    const launched = commandUnit(plan({ place, ready: { by: 'tcp' } }), tools).launch()
    await expect(launched.start({}, () => {})).rejects.toMatchObject({
      code: 'START_FAILED',
      message: `port ${place.port} on 127.0.0.1 is taken by another program; stop it`,
    })
    await launched.exited
  })

  it('ends without a word when its process does before it is ready, and when it is stopped meanwhile', async () => {
    const { tools } = theatre()
    const crashing = commandUnit(plan({ run: 'exit 3', ready: { by: 'log', text: 'never' } }), tools).launch()
    await expect(crashing.start({}, () => {})).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await crashing.exited).toBe('exit code 3')
    const waiting = commandUnit(plan({ ready: { by: 'exec', command: 'false' } }), tools).launch()
    const starting = expect(waiting.start({}, () => {})).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect.poll(() => waiting.pid).toBeGreaterThan(0)
    waiting.stop()
    await starting
    expect(await waiting.exited).toBe('SIGTERM')
    const unstarted = commandUnit(plan(), tools).launch()
    unstarted.stop()
    expect(await unstarted.exited).toBe('stopped')
  })

  it('is the same while others come and go, and is told of those there are when it starts', async () => {
    const { tools, said } = theatre()
    const told = (addresses: Readonly<Record<string, string>>) =>
      plan({
        run: 'echo "to $USER_URL"; echo listening; exec sleep 60',
        env: { PATH: process.env.PATH ?? '', ...addresses },
        addresses: Object.keys(addresses),
        ready: { by: 'log', text: 'listening' },
      })
    const later = told({ USER_URL: 'http://127.0.0.1:8001' })
    const unit = commandUnit(told({}), { ...tools, latest: () => later })
    expect(commandUnit(later, tools)).toMatchObject({
      definition: unit.definition,
      addresses: { USER_URL: 'http://127.0.0.1:8001' },
    })
    expect(commandUnit(plan({ env: { LEVEL: 'debug' } }), tools).definition).not.toBe(unit.definition)
    const launched = unit.launch()
    await launched.start({}, () => {})
    expect(said()).toContain('to http://127.0.0.1:8001\n')
    launched.kill()
    await launched.exited
  })

  it('is told what belongs to each process, and is ready by what it writes', async () => {
    const { tools, said } = theatre()
    const run = 'echo "$INSTANCE_ID $KEY $OTEL_RESOURCE_ATTRIBUTES"; echo listening; exec sleep 60'
    const env = { PATH: process.env.PATH ?? '', OTEL_RESOURCE_ATTRIBUTES: 'a=b' }
    const launched = commandUnit(plan({ run, env, ready: { by: 'log', text: 'listening' } }), tools).launch()
    const { instance } = await launched.start({}, () => {})
    expect(said()).toContain(`${instance} k service.instance.id=${instance},a=b\n`)
    launched.kill()
    expect(await launched.exited).toBe('SIGKILL')
  })

  it('is who it is, whatever its secrets are called', async () => {
    const { tools, said } = theatre()
    const run = 'echo "$INSTANCE_ID $SERVICE_NAME $KEY $MSVC_RUN"; exec sleep 60'
    const env = { PATH: process.env.PATH ?? '', SERVICE_NAME: 'shop' }
    const secrets = { INSTANCE_ID: 'x', SERVICE_NAME: 'x', KEY: 'k' }
    const told = { ...tools, variablesOf: async () => ({ ...secrets, MSVC_RUN: 'r' }) }
    const launched = commandUnit(plan({ run, env }), told).launch()
    const { instance } = await launched.start({}, () => {})
    await expect.poll(said).toBe(`${instance} shop k r\n`)
    launched.kill()
    await launched.exited
  })

  it.each([
    ['always', 'exit code 0', 'again'],
    ['always', 'exit code 1', 'again'],
    ['on-failure', 'exit code 0', 'finished'],
    ['on-failure', 'SIGKILL', 'again'],
    ['never', 'exit code 0', 'finished'],
    ['never', 'exit code 1', 'failed'],
  ] as const)('that restarts %s is, after %s, %s', (when, how, next) => {
    expect(commandUnit(plan({ restart: { when } }), theatre().tools).afterEnd(how)).toBe(next)
  })
})

describe('a build', () => {
  it('runs once for all who wait for it, and again when it failed', async () => {
    const { tools, said } = theatre()
    const never = new AbortController().signal
    const good = commandBuild(plan(), 'echo built', tools)
    await Promise.all([good.ensure(never), good.ensure(never)])
    await good.ensure(never)
    expect(said()).toBe('built\n')
    const bad = commandBuild(plan(), 'echo tried; exit 2', tools)
    await expect(bad.ensure(never)).rejects.toMatchObject({ message: 'its build ended with exit code 2' })
    await expect(bad.ensure(never)).rejects.toMatchObject({ code: 'START_FAILED' })
    expect(said()).toBe('built\ntried\ntried\n')
  })

  it('that fails anew leaves what was built before', async () => {
    const { tools } = theatre()
    const never = new AbortController().signal
    const folder = mkdtempSync(join(tmpdir(), 'msvc-build-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const build = commandBuild(plan({ dir: folder }), 'test ! -e broken', tools)
    await build.ensure(never)
    writeFileSync(join(folder, 'broken'), '')
    await expect(build.renew()).rejects.toMatchObject({ message: 'its build ended with exit code 1' })
    await build.ensure(never)
    rmSync(join(folder, 'broken'))
    await build.renew()
  })
})
