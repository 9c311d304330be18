import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { EARLIEST } from '../../build/archives.ts'
import { makeArtefacts, type Order } from '../../build/artefacts.ts'
import { nativeName, targetOf } from '../../build/targets.ts'
import { VERSION } from '../../src/cli/session/version.ts'

const root = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'msvc-artefacts-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const target = targetOf(nativeName(process))
const archive = `msvc-${VERSION}-${target.name}.tar.gz`
const TIMEOUT_MS = 600_000

/** Makes what is handed out for this system; gives the folder. */
async function make(name: string, more: Partial<Order> = {}): Promise<string> {
  const [work, dist] = [join(folder, `${name}-work`), join(folder, name)]
  for (const each of [work, dist]) mkdirSync(each)
  await makeArtefacts({ root, work, dist, version: VERSION, targets: [target], time: EARLIEST, say: () => {}, ...more })
  return dist
}

it('makes an archive with the program in it, sums of all, and the same bytes again by its profile', {
  timeout: TIMEOUT_MS,
}, async () => {
  const first = await make('first')
  expect(readdirSync(first).toSorted()).toEqual(
    [
      'SHA256SUMS',
      target.name,
      `msvc-${VERSION}.cdx.json`,
      archive,
      archive.replace('.tar', '.profile.tar'),
    ].toSorted(),
  )
  execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: first })
  expect(readFileSync(join(first, 'SHA256SUMS'), 'utf8').trim().split('\n')).toHaveLength(3)
  expect(statSync(join(first, archive)).size).toBeLessThan(60_000_000)
  execFileSync('tar', ['-xzf', archive, '-C', folder], { cwd: first })
  const unpacked = join(folder, `msvc-${VERSION}-${target.name}`)
  expect(readdirSync(unpacked).toSorted()).toEqual(['LICENSE', 'THIRD-PARTY-NOTICES.txt', 'manifest.json', 'msvc'])
  expect(execFileSync(join(unpacked, 'msvc'), ['--version'], { encoding: 'utf8' }).trim()).toBe(VERSION)
  expect(JSON.parse(readFileSync(join(unpacked, 'manifest.json'), 'utf8'))).toMatchObject({
    version: VERSION,
    target: target.name,
    compiled: true,
  })
  const again = await make('again', { profiles: first })
  expect(readFileSync(join(again, 'SHA256SUMS'), 'utf8')).toBe(readFileSync(join(first, 'SHA256SUMS'), 'utf8'))
  expect(readFileSync(join(again, archive)).equals(readFileSync(join(first, archive)))).toBe(true)

  const grown = make('grown', { profiles: first, mostBytes: 1_000_000 })
  await expect(grown).rejects.toMatchObject({
    code: 'UNPROCESSABLE',
    message: expect.stringContaining('more than 1 MB'),
  })
  expect(readdirSync(join(folder, 'grown'))).toEqual([])
})
