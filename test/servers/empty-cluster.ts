import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Before the tests: says to all their processes where the first PostgreSQL of the run leaves its data folder as `initdb` made it, for the others to begin
 * with a copy (postgres.ts). Afterwards takes it away. Projects of one run share it.
 */
export default async function emptyCluster(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.MSVC_TEST_CLUSTER !== undefined) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'msvc-cluster-'))
  process.env.MSVC_TEST_CLUSTER = folder
  return () => rm(folder, { recursive: true, force: true })
}
