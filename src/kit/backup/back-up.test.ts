import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../../drivers/clock.ts'
import { type FileLock, takeLock } from '../../drivers/file-lock.ts'
import { readArchive } from './archive.ts'
import { writeWhole } from './archive-file.ts'
import { backUp } from './back-up.ts'
import { type RestoreOptions, restore } from './restore.ts'

const common = { version: '1.2.3', clock, onProgress: () => {} }
const signal = new AbortController().signal

let root: string
let data: string
let file: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'msvc-back-up-'))
  data = join(root, 'data')
  file = join(root, 'archive.tar.gz')
  mkdirSync(join(data, 'keys'), { recursive: true, mode: 0o700 })
  writeFileSync(join(data, 'keys/signing.json'), '{"kty":"EC"}', { mode: 0o600 })
  writeFileSync(join(data, 'run.json'), '{}')
  writeFileSync(join(data, 'known-instances.json'), '{}')
  writeFileSync(join(data, 'registry.db.damaged-20260101T000000Z'), 'old')
  for (const name of ['order-service', 'user-service']) {
    const database = openDatabase(join(data, `${name}.db`))
    database.exec(
      "create table rows(id integer primary key autoincrement, text); insert into rows(text) values ('one')",
    )
    database.close()
  }
})
afterEach(() => rmSync(root, { recursive: true }))

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path)
  database.exec('pragma journal_mode = wal')
  return database
}

function rowsOf(folder: string, name = 'order-service'): unknown[] {
  const database = openDatabase(join(folder, `${name}.db`))
  const rows = database.prepare('select text from rows order by id').all()
  database.close()
  return rows.map(({ text }) => text)
}

const take = (options: Partial<Parameters<typeof backUp>[0]> = {}, force = false) =>
  backUp({
    ...common,
    data,
    work: root,
    signal,
    send: (chunks, work) => writeWhole(file, chunks, { work, force }),
    ...options,
  })
const put = (options: Partial<RestoreOptions> = {}) =>
  restore({ ...common, file, data: join(root, 'new'), signal, ...options })

describe('a backup', () => {
  it('has databases and keys, and nothing that tells of what ran', async () => {
    const writer = openDatabase(join(data, 'order-service.db'))
    writer.exec("insert into rows(text) values ('two')")
    const manifest = await take()
    writer.exec("insert into rows(text) values ('three')")
    writer.close()
    expect(manifest.files.map(({ path, integrity }) => [path, integrity])).toEqual([
      ['order-service.db', 'ok'],
      ['user-service.db', 'ok'],
      ['keys/signing.json', undefined],
    ])
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(await readArchive(file, { version: '1.2.3', signal })).toEqual(manifest)
    expect((await put()).manifest).toEqual(manifest)
    expect(rowsOf(join(root, 'new'))).toEqual(['one', 'two'])
    expect(readFileSync(join(root, 'new/keys/signing.json'), 'utf8')).toBe('{"kty":"EC"}')
    expect(readdirSync(join(root, 'new')).sort()).toEqual(['keys', 'order-service.db', 'user-service.db'])
    const mode = (path: string) => statSync(join(root, 'new', path)).mode & 0o777
    expect(['', 'keys', 'keys/signing.json', 'user-service.db'].map(mode)).toEqual([0o700, 0o700, 0o600, 0o600])
  })

  it('remembers that databases have moved away, so that no platform begins on what is left of them', async () => {
    const moved = JSON.stringify({ store: { state: 'left', server: 'postgres://db/shop', at: '2026-01-01T00:00:00Z' } })
    writeFileSync(join(data, 'migration.json'), moved, { mode: 0o600 })
    writeFileSync(join(data, 'cutover-1f.json'), '{"outcome":"stayed","id":"1f"}', { mode: 0o600 })
    await take()
    const put = join(root, 'put')
    await restore({ ...common, file, data: put, signal })
    expect(readFileSync(join(put, 'migration.json'), 'utf8')).toBe(moved)
    expect(existsSync(join(put, 'cutover-1f.json'))).toBe(true)
  })

  it('never replaces a file unless it is told to', async () => {
    writeFileSync(file, 'mine')
    await expect(take()).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(readFileSync(file, 'utf8')).toBe('mine')
    await take({}, true)
    await readArchive(file, { version: '1.2.3', signal })
  })

  it('leaves nothing behind when it is stopped, whenever that is, or finds no room', async () => {
    const before = readdirSync(root)
    for (const word of ['copying', 'checking', 'packing']) {
      const stop = new AbortController()
      const onProgress = (what: string) => what.startsWith(word) && stop.abort(new Error('stopped'))
      await expect(take({ signal: stop.signal, onProgress })).rejects.toThrow('stopped')
      expect(readdirSync(root)).toEqual(before)
    }
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
    const send = async () => Promise.reject(full)
    await expect(take({ send })).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(readdirSync(root)).toEqual(before)
  })

  it('refuses what is damaged, keys that others can read, and a folder with nothing in it', async () => {
    chmodSync(join(data, 'keys/signing.json'), 0o644)
    await expect(take()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    chmodSync(join(data, 'keys/signing.json'), 0o600)
    writeFileSync(join(data, 'user-service.db'), 'no database, but long enough to look like one'.repeat(20))
    await expect(take()).rejects.toMatchObject({ kind: 'damaged' })
    await expect(take({ data: join(root, 'none') })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(existsSync(file)).toBe(false)
  })

  it('follows no links', async () => {
    symlinkSync('/etc/passwd', join(data, 'keys/link'))
    symlinkSync(join(data, 'user-service.db'), join(data, 'link.db'))
    expect((await take()).files).toHaveLength(3)
  })
})

describe('a restored folder', () => {
  beforeEach(async () => {
    await take()
  })

  it('gives out no id that may have been given out since, unless it is told to', async () => {
    const later = { ...clock, now: () => clock.now() + 60_000 }
    const { skippedIds } = await put({ clock: later })
    expect(skippedIds).toBeGreaterThanOrEqual(61_000)
    const database = openDatabase(join(root, 'new/order-service.db'))
    expect(database.prepare('insert into rows default values returning id').get()?.id).toBe(2 + skippedIds)
    database.close()
    expect(await put({ keepIds: true, data: join(root, 'same') })).toMatchObject({ skippedIds: 0 })
    const same = openDatabase(join(root, 'same/order-service.db'))
    expect(same.prepare('insert into rows default values returning id').get()?.id).toBe(2)
    same.close()
  })

  it('takes the place of another only when it is told to, and that one is kept', async () => {
    const writer = openDatabase(join(data, 'order-service.db'))
    writer.exec("insert into rows(text) values ('later')")
    writer.close()
    await expect(put({ data })).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(rowsOf(data)).toEqual(['one', 'later'])
    const { aside = '' } = await put({ data, force: true })
    expect(rowsOf(data)).toEqual(['one'])
    expect(rowsOf(aside)).toEqual(['one', 'later'])
    expect(readFileSync(join(aside, 'run.json'), 'utf8')).toBe('{}')
    expect(readdirSync(aside).filter((name) => name.endsWith('.lock'))).toEqual([])
    expect(readdirSync(root).sort()).toEqual(['archive.tar.gz', 'data', aside.slice(root.length + 1)].sort())
  })

  it('takes the place of an empty one, and of one that a link leads to', async () => {
    mkdirSync(join(root, 'new'))
    expect(await put()).not.toHaveProperty('aside')
    expect(rowsOf(join(root, 'new'))).toEqual(['one'])
    mkdirSync(join(root, 'disk'))
    symlinkSync(join(root, 'disk'), join(root, 'link'))
    await put({ data: join(root, 'link') })
    expect(rowsOf(join(root, 'disk'))).toEqual(['one'])
  })

  it('is refused while anything runs there', async () => {
    for (const name of ['run.lock', 'order-service.lock', 'run-user-8001.lock']) {
      const lock = takeLock(join(data, name))
      await expect(put({ data, force: true })).rejects.toMatchObject({
        code: 'CONFLICT',
        message: expect.stringContaining('runs'),
      })
      lock?.release()
    }
    const held: FileLock[] = []
    const onProgress = () => {
      const lock = takeLock(join(data, 'run.lock'))
      if (lock) held.push(lock)
    }
    await expect(put({ data, force: true, onProgress })).rejects.toThrow('runs')
    for (const lock of held) lock.release()
    expect(rowsOf(data)).toEqual(['one'])
    expect(readdirSync(root).sort()).toEqual(['archive.tar.gz', 'data'])
  })

  it('is not touched by an archive that is not whole, and nothing is left of it', async () => {
    const whole = readFileSync(file)
    const middle = Math.floor(whole.length / 2)
    const plain = gunzipSync(whole)
    const changed = Buffer.from(plain)
    const at = changed.indexOf('SQLite format 3')
    changed.writeUInt8(1, at + 2_000)
    const renamed = Buffer.from(plain)
    renamed.write('../../evil.db', renamed.lastIndexOf('keys/signing.json'))
    const broken = {
      cut: whole.subarray(0, whole.length - 20),
      flipped: Buffer.concat([whole.subarray(0, middle), Buffer.from([0, 1, 2]), whole.subarray(middle + 3)]),
      text: Buffer.from('no archive'),
      empty: Buffer.alloc(0),
      changed: gzipSync(changed),
      renamed: gzipSync(renamed),
      longer: gzipSync(Buffer.concat([plain, Buffer.from('more')])),
      bomb: gzipSync(Buffer.alloc(50_000_000)),
    }
    for (const [name, bytes] of Object.entries(broken)) {
      writeFileSync(file, bytes)
      await expect(readArchive(file, { version: '1.2.3', signal }), name).rejects.toMatchObject({
        code: 'INVALID_BODY',
      })
      await expect(put({ data, force: true }), name).rejects.toMatchObject({ code: 'INVALID_BODY' })
    }
    expect(rowsOf(data)).toEqual(['one'])
    expect(readdirSync(root).sort()).toEqual(['archive.tar.gz', 'data'])
  })

  it('is refused at once from a pipe that nobody writes to, and from a folder', async () => {
    const pipe = join(root, 'pipe')
    execFileSync('mkfifo', [pipe])
    for (const path of [pipe, root, '/dev/null']) {
      const refused = { code: 'INVALID_BODY', message: `${path} can't be restored: it is no regular file` }
      await expect(readArchive(path, { version: '1.2.3', signal })).rejects.toMatchObject(refused)
      await expect(put({ file: path })).rejects.toMatchObject(refused)
    }
    rmSync(pipe)
  })

  it('is refused of a newer version, of one that says it is huge, and of none', async () => {
    await expect(put({ version: '1.2.2' })).rejects.toThrow('msvc 1.2.3 made it')
    const plain = gunzipSync(readFileSync(file))
    const text = plain.toString('latin1', 512, 512 + plain.subarray(512).indexOf('\n}\n') + 3)
    const { bytes } = JSON.parse(text).files[0]
    const huge = text.replace(`"bytes": ${bytes}`, `"bytes": ${'9'.repeat(15)}`)
    // as long as it was, so that its header holds
    plain.write(JSON.stringify(JSON.parse(huge)).padEnd(text.length), 512, 'latin1')
    writeFileSync(file, gzipSync(plain))
    await expect(put()).rejects.toMatchObject({ code: 'DISK_FULL' })
    await expect(put({ file: join(root, 'none') })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(readdirSync(root).sort()).toEqual(['archive.tar.gz', 'data'])
  })
})
