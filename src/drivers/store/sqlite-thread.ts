import { Worker } from 'node:worker_threads'
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely'
import { DriverError } from '../driver-error.ts'
import { phraseTest, wordsOf } from './full-text-words.ts'
import { BUSY_TIMEOUT_MS, type SqliteFile } from './sqlite-file.ts'
import { bindable } from './sqlite-statements.ts'

/** What the thread says of one query: its rows, or what went wrong in the words of node:sqlite. */
interface Answer {
  readonly id: number
  readonly rows?: readonly unknown[]
  readonly fault?: { readonly message: string; readonly code?: string; readonly errcode?: number }
}

interface Asked {
  resolve(rows: readonly unknown[]): void
  reject(fault: DriverError): void
}

/**
 * The connection behind `store.longReads`: it reads in a thread of its own, so that the event loop goes on meanwhile. Queries are answered
 * in the order they come. The thread is started by the first one.
 */
export class SqliteThread implements DatabaseConnection {
  readonly #file: SqliteFile
  readonly #store: string
  readonly #asked = new Map<number, Asked>()
  #worker: Worker | undefined
  #lastId = 0
  #closed = false

  /** @param store the store's name, for messages */
  constructor(file: SqliteFile, store: string) {
    this.#file = file
    this.#store = store
  }

  /** Runs a query; rejects with DriverError. */
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#closed) throw this.#fault('closed', 'it is closed')
    const { promise, resolve, reject } = Promise.withResolvers<readonly unknown[]>()
    const id = ++this.#lastId
    this.#asked.set(id, { resolve, reject })
    this.#worker ??= this.#start()
    this.#worker.postMessage({ id, sql: query.sql, parameters: bindable(query) })
    return { rows: (await promise) as R[] }
  }

  /** Gives all rows at once. */
  async *streamQuery<R>(query: CompiledQuery): AsyncGenerator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }

  /** Ends the thread after the query that it is at; that and those behind it are rejected with `closed`. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#worker?.terminate()
  }

  #start(): Worker {
    const worker = new Worker(`(${answerQueries})((${phraseTest})(${wordsOf}))`, {
      eval: true,
      name: `${this.#store} reader`,
      workerData: { path: this.#file.path, timeout: BUSY_TIMEOUT_MS },
    })
    worker.on('message', ({ id, rows, fault }: Answer) => {
      const asked = this.#asked.get(id)
      this.#asked.delete(id)
      if (rows) asked?.resolve(rows)
      else asked?.reject(this.#file.driverError(Object.assign(new Error(fault?.message), fault)))
    })
    worker.on('error', (cause) => this.#end(this.#fault('unavailable', 'its reading thread failed', cause)))
    worker.on('exit', () => this.#end(this.#fault('closed', 'it was closed before this was read')))
    worker.unref()
    return worker
  }

  /** The next query starts another thread. */
  #end(fault: DriverError): void {
    this.#worker = undefined
    for (const { reject } of this.#asked.values()) reject(fault)
    this.#asked.clear()
  }

  #fault(kind: 'closed' | 'unavailable', message: string, cause?: unknown): DriverError {
    return new DriverError(kind, `${this.#store} store: ${message}`, { cause })
  }
}

/**
 * What the thread does. It is given the source text of this function and of those for SQL, and nothing else, so that it starts the same from a source file and from within
 * the executable, which has no files: nothing that stands outside of them exists there.
 */
function answerQueries(hasPhrases: ReturnType<typeof phraseTest>): void {
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads')
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const database = new DatabaseSync(workerData.path, { readOnly: true, timeout: workerData.timeout })
  database.function('has_phrases', { deterministic: true }, (text, phrases) =>
    hasPhrases(String(text), String(phrases)),
  )
  const prepared = new Map<string, ReturnType<typeof database.prepare>>()
  parentPort?.on('message', ({ id, sql, parameters }) => {
    try {
      const statement = prepared.get(sql) ?? database.prepare(sql)
      if (prepared.size >= 100) prepared.clear()
      prepared.set(sql, statement)
      parentPort.postMessage({ id, rows: statement.all(...parameters) })
    } catch (error) {
      const { message, code, errcode } = error as Error & { code?: string; errcode?: number }
      parentPort.postMessage({ id, fault: { message, code, errcode } })
    }
  })
}
