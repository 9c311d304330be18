import { afterAll, beforeAll, describe } from 'vitest'
import { type PostgresServer, startPostgres, UNSYNCED } from '../../../../test/servers/postgres.ts'
import { isHere } from '../../../../test/servers/programs.ts'

/** Where a test's log server keeps what it takes. */
export interface TestPlace {
  /** The store's URL. */
  readonly url: string
  /** The store's name. */
  readonly name: string
}

/**
 * Describes tests once for each kind of store there is; those of servers that aren't installed are left out.
 * @param tests given what makes a place that no other test has
 */
export function onEachStore(tests: (newPlace: () => TestPlace) => void): void {
  describe('on SQLite', () => tests(() => ({ url: 'sqlite:', name: 'log-server' })))
  describe.skipIf(!isHere('postgres'))('on PostgreSQL', () => {
    const { newPlace } = ownPostgres()
    tests(newPlace)
  })
}

/** A PostgreSQL for the tests of the suite that calls it. */
export function ownPostgres(config = UNSYNCED): {
  readonly newPlace: () => TestPlace
  readonly server: () => PostgresServer
} {
  let server: PostgresServer | undefined
  let count = 0
  beforeAll(async () => {
    server = await startPostgres({ config })
  })
  afterAll(() => server?.[Symbol.asyncDispose]())
  function started(): PostgresServer {
    if (!server) throw new Error('the server of these tests has not started')
    return server
  }
  return { server: started, newPlace: () => ({ url: started().url, name: `log-server-${++count}` }) }
}
