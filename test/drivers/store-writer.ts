/**
 * A program for store.test.ts to kill: opens the store in the folder given and adds pairs of accounts without end, 16 at
 * a time; every seventh throws half way. Says on stdout, a JSON line each, what was acknowledged or refused, and after
 * a refusal how many rows it can read.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '../../src/drivers/driver-error.ts'
import { sqlite } from '../../src/drivers/store/sqlite.ts'
import { emails, insert, type SuiteTables, suiteMigrations } from './store-suite.ts'

/** A line the program says. */
export type Said =
  | { readonly at: 'acknowledged'; readonly pair: number }
  | { readonly at: 'refused'; readonly pair: number; readonly kind: string; readonly rows: number }

function say(said: Said): void {
  process.stdout.write(`${JSON.stringify(said)}\n`)
}

const [folder = '', first = '0'] = process.argv.slice(2)
const store = await sqlite.open<SuiteTables>({ url: 'sqlite:', name: 'crash', folder, migrations: suiteMigrations })
let next = Number(first)

async function writeWithoutEnd(): Promise<never> {
  for (;;) {
    const pair = next
    next += 1
    const work = store.transaction(async (trx) => {
      await insert(trx, `${pair}-a@example.com`)
      if (pair % 7 === 0) throw new Error('planned')
      await insert(trx, `${pair}-b@example.com`)
    })
    try {
      await work
      say({ at: 'acknowledged', pair })
    } catch (error) {
      if (!(error instanceof DriverError)) continue
      say({ at: 'refused', pair, kind: error.kind, rows: (await emails(store)).length })
      await sleep(10)
    }
  }
}

await Promise.all(Array.from({ length: 16 }, writeWithoutEnd))
