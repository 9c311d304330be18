import type { Env } from 'hono'
import { createHeldWriter } from './cli/platform/held-writer.ts'
import { logOutput } from './cli/platform/log-output.ts'
import { systemClock } from './drivers/clock.ts'
import { DriverError } from './drivers/driver-error.ts'
import { AppError, messageOf } from './kit/errors.ts'
import type { AppEnv } from './kit/http/app-env.ts'
import { aborted } from './kit/pause.ts'
import { hideInText } from './kit/secrets/secret-text.ts'
import type { RunningService, ServiceDefinition, Variables } from './kit/service/definition.ts'
import { startService } from './kit/service/run-service.ts'
import type { LogSink } from './kit/telemetry/log.ts'
import { LAST_WORDS_MS, processSignals } from './process-signals.ts'
import { terminal } from './process-terminal.ts'

/** Where a service is when nothing says another registry: beside a platform that `msvc up` runs. */
const REGISTRY_URL = 'http://127.0.0.1:8500'

/**
 * What a service is started with by hand, such as in a test.
 * @example const running = await catalog.start({ variables: { REGISTRY_URL: 'http://127.0.0.1:8500' }, folder: temporary })
 */
export interface StartOptions {
  /** What `msvc up` would put into the environment. Default: nothing, so that it belongs to no platform. */
  readonly variables?: Variables
  /** What its data folder is looked for from. Default: the current one. */
  readonly folder?: string
  /** Where its log goes besides the log server. Default: nowhere. */
  readonly log?: LogSink
}

/**
 * A declared service.
 * @example
 * const catalog: Service = defineService({ name: 'catalog', start })
 * await catalog.run()
 */
export interface Service {
  readonly name: string
  /**
   * Runs it as this process's work: with its environment, its log on stderr, until SIGTERM or SIGINT comes; then what is under way is finished and all closed
   * in order. Resolves when that is done, and the process ends with 0; with 2 for a wrong environment, 1 for another failure, which stderr tells. Never rejects.
   * @example await defineService({ name: 'catalog', start }).run()
   */
  run(): Promise<void>
  /**
   * Starts it beside other work, such as a test, and reads nothing of the process. Resolves when it is ready; rejects with why it can't be.
   * @example
   * const running = await catalog.start({ variables: { DATA_DIR: folder } })
   * expect((await fetch(`${running.url}/products`)).status).toBe(200)
   * await running.stop()
   */
  start(options?: StartOptions): Promise<RunningService>
}

/**
 * Declares a service that is part of a platform: found by others, traced, measured, its log searchable, its errors problem documents, with `/health`,
 * `/livez`, `/readyz`, `/metrics` and `/openapi.json`. Declaring it does nothing; `run` does.
 * @example
 * import { defineService, route } from 'msvc'
 *
 * const catalog = defineService({
 *   name: 'catalog',
 *   start({ app, log }) {
 *     app.get('/products', route({ summary: 'List products', scope: 'public' }), (c) => c.json([{ id: 1, name: 'Laptop' }]))
 *     log.info('the shelves are full')
 *   },
 * })
 * await catalog.run()
 */
export function defineService<E extends Env = AppEnv>(definition: ServiceDefinition<E>): Service {
  return {
    name: definition.name,
    run: () => runProcess(definition),
    start: ({ variables = {}, folder = process.cwd(), log } = {}) =>
      startService(definition, { variables, folder, clock: systemClock, sinks: log ? [log] : [] }),
  }
}

async function runProcess<E extends Env>(definition: ServiceDefinition<E>): Promise<void> {
  const { env: environment, stderr } = process
  const variables = { ...environment, REGISTRY_URL: environment.REGISTRY_URL || REGISTRY_URL }
  const err = createHeldWriter((text) => void stderr.write(text))
  process.on('exit', err.flush)
  // what reads its output under a supervisor wants no text for people
  const format = stderr.isTTY ? 'text' : 'json'
  const sink = await logOutput({ io: { err: terminal(stderr, err.write) }, options: {} }, format)
  const { stopping } = processSignals()
  let code = 0
  try {
    const starting = startService(definition, { variables, folder: process.cwd(), clock: systemClock, sinks: [sink] })
    const running = await Promise.race([starting, aborted(stopping)])
    const fault = running && (await Promise.race([aborted(stopping), running.broken]))
    await running?.stop()
    if (fault) throw fault
  } catch (fault) {
    err.write(`${lastWords(definition.name, fault)}\n`)
    code = fault instanceof AppError && fault.code === 'CONFIG_INVALID' ? 2 : 1
  }
  err.flush()
  process.exitCode = code
  // what the service left open must not keep it
  setTimeout(() => process.exit(code), LAST_WORDS_MS).unref()
}

/** Why it can't go on: where nobody expected it, with its stack. */
function lastWords(name: string, fault: unknown): string {
  const isExpected = fault instanceof AppError || fault instanceof DriverError || !(fault instanceof Error)
  const text = isExpected ? messageOf(fault) : fault.stack
  return `error: ${name}: ${hideInText(text ?? '').replaceAll('\n', '\n  ')}`
}
