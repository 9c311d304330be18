import { execFile, execFileSync } from 'node:child_process'
import { access, chown, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { ask } from './dialogue.ts'
import { find } from './programs.ts'
import { freePort, type ServerProcess, startServer } from './server.ts'

const run = promisify(execFile)

/** The superuser's password: connections over TCP have to say it. */
const PASSWORD = 'msvc-test'
/** "Is SSL on?" in PostgreSQL's protocol: any server answers it with one letter, before it knows who asks. */
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47)

/** A PostgreSQL of a test's own. */
export interface PostgresServer extends ServerProcess {
  readonly port: number
  /** Of its superuser, for the database `postgres`, password included. */
  readonly url: string
  /** Its data folder. */
  readonly folder: string
}

/** For tests in which nothing but processes ends: what these have written is there all the same, and nobody waits for the disk. */
export const UNSYNCED = 'fsync = off'

/** How it is run. */
export interface PostgresSettings {
  /** Lines of its postgresql.conf. Default: none, so every commit waits for the disk. */
  readonly config?: string
  /** Where its data lies. Default: a temporary folder. */
  readonly under?: string
}

/** Starts a PostgreSQL on a free port, in a temporary folder. `await using` stops it and removes the folder. */
export async function startPostgres({ config = '', under = tmpdir() }: PostgresSettings = {}): Promise<PostgresServer> {
  const path = find('postgres')
  if (path === undefined) throw new Error('PostgreSQL is not installed')
  const folder = await mkdtemp(join(under, 'msvc-postgres-'))
  const user = runAs()
  if (user) await chown(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  await makeCluster(folder, data)
  const port = await freePort()
  const place = ['-D', data, '-k', folder, '-h', '127.0.0.1', '-p', String(port)]
  await writeFile(join(data, 'msvc.conf'), config)
  await writeFile(join(data, 'postgresql.auto.conf'), "include 'msvc.conf'\n")
  const server = await startServer({
    path,
    args: place,
    ...user,
    tooEarly: /still in use|address already in use|lock file "postmaster.pid" already exists/i,
    stopSignal: 'SIGINT', // ends its clients' connections instead of waiting for them
    async isReady() {
      await ask(port, SSL_REQUEST)
      await run(find('postgres', 'pg_isready') ?? 'pg_isready', ['-h', '127.0.0.1', '-p', String(port)])
    },
  })
  return {
    ...server,
    port,
    folder: data,
    url: `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`,
    async [Symbol.asyncDispose]() {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Makes a data folder in a temporary one: a copy of the run's first (empty-cluster.ts), as `initdb` takes ten times as long. */
async function makeCluster(folder: string, data: string): Promise<unknown> {
  const shared = process.env.MSVC_TEST_CLUSTER
  if (shared === undefined) return initCluster(folder, data)
  const first = join(shared, 'data')
  const isThere = await access(first).then(
    () => true,
    () => false,
  )
  if (isThere) return copy(first, data)
  await initCluster(folder, data)
  const own = join(shared, `of-${basename(folder)}`)
  await copy(data, own)
  // of several that are the first, one stays
  await rename(own, first).catch(() => rm(own, { recursive: true }))
}

/** Copies a folder with its owners. */
const copy = (from: string, to: string) => run('cp', ['-Rp', from, to])

async function initCluster(folder: string, data: string): Promise<void> {
  const initdb = find('postgres', 'initdb')
  if (initdb === undefined) throw new Error('PostgreSQL has no initdb beside it')
  const secret = join(folder, 'password')
  await writeFile(secret, PASSWORD)
  const login = ['-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', secret]
  await run(initdb, ['-D', data, ...login, '-E', 'UTF8', '--no-sync'], { ...runAs(), cwd: folder })
}

/** PostgreSQL refuses to run as root: then as the user that its package made. */
function runAs(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (what: string) => Number(execFileSync('id', [what, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
