import { appendFileSync, chmodSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadKeyRing } from './key-files.ts'
import { RevocationFiles } from './revocation-files.ts'

const HOUR_MS = 3_600_000
const at = (time: string) => Date.parse(`2026-03-01T${time}Z`)

let data: string
let folder: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'msvc-revoked-'))
  folder = join(data, 'keys')
})
afterEach(() => rmSync(data, { recursive: true }))

describe('RevocationFiles', () => {
  it('has nothing to tell of a folder that is not there, and makes none', async () => {
    const files = new RevocationFiles(folder)
    expect(await files.news()).toEqual([])
    await files.sweep(at('12:00'))
    expect(readdirSync(data)).toEqual([])
  })

  it('tells whoever opens it later all, and whoever has read what came since', async () => {
    const [one, other] = [new RevocationFiles(folder), new RevocationFiles(folder)]
    const [a, b, c] = [
      { id: 'a "b"\n', until: at('12:10') },
      { id: 'b', until: at('12:50') },
      { id: 'c', until: at('13:00') },
    ]
    await one.add([a, c])
    expect(await other.news()).toEqual([a, c])
    expect(await other.news()).toEqual([])
    await one.add([b])
    expect(await other.news()).toEqual([b])
    expect(await new RevocationFiles(folder).news()).toEqual([a, b, c])
  })

  it('leaves out what was not written to its end, and loses nothing behind it', async () => {
    const files = new RevocationFiles(folder)
    await files.add([{ id: 'a', until: at('12:10') }])
    const [name = ''] = readdirSync(folder)
    appendFileSync(join(folder, name), '["half",17')
    expect(await files.news()).toHaveLength(1)
    await files.add([{ id: 'b', until: at('12:20') }])
    appendFileSync(join(folder, name), '{"odd":1}\n')
    expect((await files.news()).map(({ id }) => id)).toEqual(['b'])
  })

  it('takes a file away once all that stands in it has ended', async () => {
    const files = new RevocationFiles(folder)
    await files.add([
      { id: 'a', until: at('12:10') },
      { id: 'b', until: at('14:10') },
    ])
    await files.sweep(at('13:30'))
    expect(readdirSync(folder)).toEqual(['revoked-2026-03-01T12.jsonl', 'revoked-2026-03-01T14.jsonl'])
    await files.sweep(at('14:00') + 1)
    expect(readdirSync(folder)).toEqual(['revoked-2026-03-01T14.jsonl'])
    await files.sweep(at('16:00') + HOUR_MS)
    expect(readdirSync(folder)).toEqual([])
  })

  it('is for its user alone, follows no link, and is no key', async () => {
    const files = new RevocationFiles(folder)
    await files.add([{ id: 'a', until: at('12:10') }])
    const path = join(folder, 'revoked-2026-03-01T12.jsonl')
    expect([statSync(folder).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600])
    expect((await loadKeyRing(folder)).verifying.size).toBe(1)
    chmodSync(path, 0o644)
    await expect(new RevocationFiles(folder).news()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    symlinkSync(path, join(folder, 'revoked-2026-03-01T13.jsonl'))
    await expect(files.add([{ id: 'b', until: at('13:10') }])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})
