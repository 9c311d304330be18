import { expect, it } from 'vitest'
import { readManifest } from './manifest.ts'

const sha256 = 'a'.repeat(64)
const manifest = (changes: object = {}) => ({
  format: 1,
  msvc: '1.2.3',
  created_at: '2026-11-27T08:00:00.000Z',
  held_ms: 1,
  files: [{ path: 'bus.db', bytes: 1, sha256 }],
  ...changes,
})
const read = (changes: object = {}) => readManifest(JSON.stringify(manifest(changes)), '1.2.3')

it('reads its own, and one of an older version', () => {
  expect(read()).toMatchObject({ files: [{ path: 'bus.db' }] })
  for (const msvc of ['1.2.3', '1.2.2', '0.9.9', '1.2.3-beta']) expect(read({ msvc })).toMatchObject({ msvc })
})

it('refuses one of a newer version', () => {
  for (const msvc of ['1.2.4', '1.3.0', '2.0.0', '1.10.0']) expect(() => read({ msvc })).toThrow(`msvc ${msvc} made it`)
  expect(() => read({ format: 2, files: 'in another way' })).toThrow('made it')
})

it('takes no name that leads out of the folder, and none but databases and keys', () => {
  const good = ['order-service.db', 'a.b.db', 'keys/signing.json', 'keys/config-values.key']
  for (const path of good) expect(read({ files: [{ path, bytes: 0, sha256 }] }).files).toHaveLength(1)
  const bad = [
    '../bus.db',
    '/etc/a.db',
    'a/b.db',
    'keys/../bus.db',
    'keys/a/b',
    '.db',
    'keys/.a',
    'run.json',
    'a.db\0',
    '..db',
    'C:a.db',
    'keys\\a',
  ]
  for (const path of bad) expect(() => read({ files: [{ path, bytes: 0, sha256 }] }), path).toThrow('files.0.path')
})

it('refuses what is none', () => {
  for (const text of ['', '{}', '[]', 'null', '{"format":1}'])
    expect(() => readManifest(text, '1.2.3')).toThrow('no backup')
  for (const changes of [{ files: [] }, { created_at: 'yesterday' }, { held_ms: -1 }])
    expect(() => read(changes)).toThrow()
  const [file] = manifest().files
  expect(() => read({ files: [file, file] })).toThrow('twice')
  expect(() => read({ files: [{ ...file, bytes: -1 }] })).toThrow('files.0.bytes')
  expect(() => read({ files: [{ ...file, bytes: 2 ** 60 }] })).toThrow('files.0.bytes')
})
