import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { ignoredIn } from '../../kit/supervisor/command/file-watch.ts'

/** What to do so that git takes no keys and databases in; undefined where it takes none. @param data the data folder, from `folder` or absolute */
export function dataInGit(folder: string, data: string): string | undefined {
  const way = relative(folder, resolve(folder, data))
  if (way === '' || way.startsWith('..') || !isInRepository(folder)) return undefined
  if (ignoredIn(folder)(join(way, 'keys'))) return undefined
  return `git would take in the keys and databases of ${way}: echo '${way}/' >> .gitignore`
}

function isInRepository(folder: string): boolean {
  const above = dirname(folder)
  return existsSync(join(folder, '.git')) || (above !== folder && isInRepository(above))
}
