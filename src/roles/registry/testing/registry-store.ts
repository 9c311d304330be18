import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from '../../../drivers/store/contract.ts'
import { openStore } from '../../../drivers/store/open.ts'
import { type RegistryTables, registryMigrations } from '../instance-rows.ts'

/** What a test runs until its end. */
export const closing: (() => unknown)[] = []

/** Ends all that a test ran, the last first. */
export async function closeAll(): Promise<void> {
  for (let close = closing.pop(); close; close = closing.pop()) await close()
}

/** A folder that goes with its test. */
export async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'registry-'))
  closing.push(() => rm(folder, { recursive: true }))
  return folder
}

/** A registry's database. @param folder default: one of its own */
export async function openRegistryStore(folder?: string): Promise<Store<RegistryTables>> {
  return openStore<RegistryTables>({
    url: 'sqlite:',
    name: 'registry',
    folder: folder ?? (await newFolder()),
    migrations: registryMigrations,
  })
}
