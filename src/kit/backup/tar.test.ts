import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readTar, writeTar } from './tar.ts'

const SECONDS = 1_700_000_000

async function* of(...chunks: Uint8Array[]) {
  for (const chunk of chunks) yield chunk
}

function file(name: string, content: Uint8Array | string) {
  const bytes = Buffer.from(content)
  return { name, bytes: bytes.length, read: () => of(bytes) }
}

async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts)
}

async function entriesOf(...chunks: Uint8Array[]): Promise<[string, string][]> {
  const found: [string, string][] = []
  for await (const { name, content } of readTar(of(...chunks))) found.push([name, (await joined(content())).toString()])
  return found
}

function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
}

describe('an archive', () => {
  it('gives back what was put into it, whatever pieces it comes in', async () => {
    const contents = fc.array(fc.uint8Array({ maxLength: 2_000 }), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(contents, fc.integer({ min: 1, max: 3_000 }), async (files, size) => {
        const archive = await joined(
          writeTar(
            files.map((content, at) => file(`file-${at}`, content)),
            SECONDS,
          ),
        )
        const found: [string, string][] = []
        for await (const { name, bytes, content } of readTar(of(...cut(archive, size)))) {
          const whole = await joined(content())
          expect(whole.length).toBe(bytes)
          found.push([name, whole.toString('hex')])
        }
        expect(found).toEqual(files.map((content, at) => [`file-${at}`, Buffer.from(content).toString('hex')]))
      }),
      { numRuns: 50 },
    )
  })

  it('skips what nobody asked for of an entry', async () => {
    const archive = await joined(writeTar([file('a', 'x'.repeat(5_000)), file('b', 'y')], SECONDS))
    const names: string[] = []
    for await (const { name } of readTar(of(archive))) names.push(name)
    expect(names).toEqual(['a', 'b'])
  })

  it('is one that tar reads, and reads one that tar wrote', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'msvc-tar-'))
    try {
      writeFileSync(
        join(folder, 'a.tar'),
        await joined(writeTar([file('keys/one', 'secret'), file('b.db', '')], SECONDS)),
      )
      execFileSync('tar', ['xf', 'a.tar'], { cwd: folder })
      expect(readFileSync(join(folder, 'keys/one'), 'utf8')).toBe('secret')
      expect(statSync(join(folder, 'keys/one'))).toMatchObject({ mtimeMs: SECONDS * 1_000 })
      expect(statSync(join(folder, 'keys/one')).mode & 0o777).toBe(0o600)
      execFileSync('tar', ['cf', 'b.tar', 'b.db', 'keys/one'], { cwd: folder })
      expect(await entriesOf(readFileSync(join(folder, 'b.tar')))).toEqual([
        ['b.db', ''],
        ['keys/one', 'secret'],
      ])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('says sizes that octal digits cannot', async () => {
    const huge = { name: 'huge', bytes: 2 ** 40, read: () => of() }
    const { value: header = Buffer.alloc(0) } = await writeTar([huge], SECONDS).next()
    const { value: entry } = await readTar(of(header)).next()
    expect(entry).toMatchObject({ name: 'huge', bytes: 2 ** 40 })
  })

  it('refuses anything but plain files', async () => {
    const [header = Buffer.alloc(0)] = await Array.fromAsync(writeTar([file('a', '')], SECONDS))
    for (const type of ['1', '2', '3', '5', '6', 'x', 'g', 'L', 'S']) {
      const other = Buffer.from(header)
      other.write(type, 156)
      const sum = other.reduce((all, byte, at) => all + (at >= 148 && at < 156 ? 32 : byte), 0)
      other.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
      await expect(entriesOf(other)).rejects.toThrow('no plain file')
    }
  })

  it('refuses one that is damaged, ends too early or goes on', async () => {
    const archive = await joined(writeTar([file('a', 'x'.repeat(600))], SECONDS))
    for (const bytes of [0, 100, 512, 800, archive.length - 1_024 - 1]) {
      await expect(entriesOf(archive.subarray(0, bytes))).rejects.toMatchObject({ code: 'INVALID_BODY' })
    }
    const changed = Buffer.from(archive)
    changed.write('b', 0)
    await expect(entriesOf(changed)).rejects.toThrow('damaged')
    await expect(entriesOf(archive, Buffer.from('more'))).rejects.toThrow('behind its end')
    await expect(entriesOf(archive, Buffer.alloc(20_000))).rejects.toThrow('behind its end')
    expect(await entriesOf(archive, Buffer.alloc(8_192))).toHaveLength(1)
  })

  it('refuses to be written of a file that was changed meanwhile, or of a name that is none', async () => {
    const short = { name: 'a', bytes: 5, read: () => of(Buffer.from('abc')) }
    await expect(joined(writeTar([short], SECONDS))).rejects.toThrow('changed')
    await expect(joined(writeTar([file('a b', '')], SECONDS))).rejects.toThrow('name')
  })
})
