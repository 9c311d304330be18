import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A file as Kubernetes mounts it: a link into a folder that is itself a link, which is swapped for another whenever the content changes. */
export interface MountedFile {
  readonly path: string
  mount(content: string): void
}

/** Makes one. Nothing is there until it is mounted. @param folder where it is */
export function mountedFile(folder: string, name: string): MountedFile {
  const path = join(folder, name)
  let version = 0
  return {
    path,
    mount(content) {
      const kept = `..${++version}`
      mkdirSync(join(folder, kept))
      writeFileSync(join(folder, kept, name), content)
      symlinkSync(kept, join(folder, '..data_tmp'))
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
      if (version === 1) symlinkSync(join('..data', name), path)
    },
  }
}
