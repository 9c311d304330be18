import { execFile } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const SOURCE =
  'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n'

/**
 * Unpacks programs of Debian's trixie, which older releases lack or have too old; nothing is installed.
 * @param folder an empty one of the test's own, which gets them and apt's lists
 * @param packages what they are in, such as `kubectl`
 * @returns the folder of their files: `usr/bin/kubectl` in it
 */
export async function unpackFromTrixie(folder: string, packages: readonly string[]): Promise<string> {
  const at = (name: string) => join(folder, name)
  const [lists, cache, debs, root] = [at('lists'), at('cache'), at('debs'), at('root')]
  for (const path of [join(lists, 'partial'), join(cache, 'archives/partial'), debs, root])
    await mkdir(path, { recursive: true })
  const source = join(folder, 'trixie.list')
  await writeFile(source, SOURCE)
  const options = Object.entries({
    'Dir::Etc::SourceList': source,
    'Dir::Etc::SourceParts': '-',
    'Dir::State::Lists': lists,
    'Dir::Cache': cache,
    // what this system has installed doesn't matter
    'Dir::State::status': '/dev/null',
    // apt's own user may not write to the folder of a test
    'APT::Sandbox::User': 'root',
  }).map(([name, value]) => `-o${name}=${value}`)
  await run('apt-get', [...options, 'update'])
  await run('apt-get', [...options, 'download', ...packages], { cwd: debs })
  for (const deb of await readdir(debs)) await run('dpkg-deb', ['--extract', join(debs, deb), root])
  return root
}
