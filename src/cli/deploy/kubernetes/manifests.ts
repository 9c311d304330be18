import { Document, isScalar, isSeq, Scalar, visit } from 'yaml'
import { isPlain } from '../yaml-text.ts'

/** An object of Kubernetes, as it stands in a manifest. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly [field: string]: unknown
}

/** Why something in a manifest is as it is: lines above the first place where a key stands, by the kind of the manifest and the key: `Deployment.preStop`. */
export type Remarks = Readonly<Record<string, string>>

/** Writes manifests as one file: a heading, and a document for each. */
export function manifestFile(heading: string, manifests: readonly Manifest[], remarks: Remarks = {}): string {
  const texts = manifests.map((manifest) => yamlOf(manifest, remarks))
  return `${commentOf(heading)}${texts.join('---\n')}`
}

/** A value as YAML a person would have written: short lists on one line, text in quotes only where it needs them. */
export function yamlOf(value: Pick<Manifest, 'kind'>, remarks: Remarks = {}): string {
  const document = new Document(value, { aliasDuplicateObjects: false })
  const left = new Map(Object.entries(remarks))
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value === 'string' && !scalar.value.includes('\n') && !isPlain(scalar.value))
        scalar.type = Scalar.QUOTE_SINGLE
    },
    Seq(_, list) {
      if (list.items.every(isScalar) && JSON.stringify(list.toJSON()).length <= LONG) list.flow = true
    },
    Pair(_, { key, value: held }) {
      if (!isScalar(key) || typeof key.value !== 'string') return
      const name = `${value.kind}.${key.value}`
      const remark = left.get(name)
      left.delete(name)
      if (remark !== undefined) key.commentBefore = remark.replaceAll(/^/gm, ' ')
      // an empty list or map means all or nothing, and is looked for on the key's own line
      if (isSeq(held) && held.items.length === 0) held.flow = true
    },
    Map(_, map) {
      const isPlain = map.items.every(
        ({ key, value: held }) => isScalar(held) && isScalar(key) && !(`${value.kind}.${key.value}` in remarks),
      )
      if (isPlain && isShort(map.toJSON())) map.flow = true
    },
  })
  if (document.contents && 'flow' in document.contents) document.contents.flow = false
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: true, singleQuote: true })
  // blanks within { }, and none within [ ]
  return text.replaceAll(/^(\s*(?:- )?[\w./-]+: )\[ (.+) \]$/gm, '$1[$2]')
}

/** Longest list that stands on one line, characters. */
const LONG = 120
/** Longest map that does; and the most fields of it. */
const SHORT = 60
const FEW = 3

function isShort(map: unknown): boolean {
  return Object.keys(map ?? {}).length <= FEW && JSON.stringify(map).length <= SHORT
}

function commentOf(text: string): string {
  return text
    .split('\n')
    .map((line) => `# ${line}`.trimEnd())
    .join('\n')
    .concat('\n')
}
