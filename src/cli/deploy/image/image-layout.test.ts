import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { blobPath, imageDocuments } from './image-layout.ts'

const layer = (digit: string) => ({
  digest: `sha256:${digit.repeat(64)}`,
  diffId: `sha256:${digit.repeat(63)}f`,
  bytes: 10,
  what: 'something',
})
const documents = (tag: string) =>
  new Map(
    imageDocuments({
      ...{ tag, version: '1.2.3', architecture: 'amd64', created: new Date(0), ports: [8000] },
      layers: [layer('1'), layer('2')],
    }).map(({ path, text }) => [path, text]),
  )
const read = (all: ReadonlyMap<string, string>, path: string) => JSON.parse(all.get(path) ?? 'null')

it('has every document under its digest, and each says where the next one is', () => {
  const all = documents('msvc:1.2.3')
  for (const [path, text] of all)
    if (path.startsWith('blobs/'))
      expect(path).toBe(blobPath(`sha256:${createHash('sha256').update(text).digest('hex')}`))
  const [described] = read(all, 'index.json').manifests
  const manifest = read(all, blobPath(described.digest))
  expect(described.size).toBe(all.get(blobPath(described.digest))?.length)
  expect(manifest.layers.map(({ digest }: { digest: string }) => digest)).toEqual([
    layer('1').digest,
    layer('2').digest,
  ])
  const config = read(all, blobPath(manifest.config.digest))
  expect(config.rootfs.diff_ids).toEqual([layer('1').diffId, layer('2').diffId])
  const [saved] = read(all, 'manifest.json')
  expect(saved).toEqual({
    Config: blobPath(manifest.config.digest),
    RepoTags: ['msvc:1.2.3'],
    Layers: manifest.layers.map(({ digest }: { digest: string }) => blobPath(digest)),
  })
})

it.each([
  ['msvc:1.2.3', 'docker.io/library/msvc:1.2.3'],
  ['shop/msvc:1', 'docker.io/shop/msvc:1'],
  ['registry.example/msvc:1', 'registry.example/msvc:1'],
  ['localhost/msvc:1', 'localhost/msvc:1'],
  ['localhost:5000/msvc:1', 'localhost:5000/msvc:1'],
])('names %s as containerd does', (tag, name) => {
  const [described] = read(documents(tag), 'index.json').manifests
  expect(described.annotations['io.containerd.image.name']).toBe(name)
  expect(described.annotations['org.opencontainers.image.ref.name']).toBe(tag.split(':').at(-1))
})
