// The texts of the repository that say which version it is.

const UNRELEASED = '## Unreleased\n'

/** Why there is no release, for who asked. */
export class Refusal extends Error {}

/**
 * The changelog with its unreleased part dated, and an empty one before it. Throws a Refusal when there is nothing in it.
 * @param date such as 2026-11-28
 */
export function datedChangelog(text: string, version: string, date: string): string {
  const [before, after] = splitOnce(text, UNRELEASED)
  const part = after?.split('\n## ', 1)[0]?.trim()
  if (!part) throw new Refusal('CHANGELOG.md has nothing under "## Unreleased": say there what is new')
  return `${before}${UNRELEASED}\n## ${version} (${date})\n${after}`
}

function splitOnce(text: string, at: string): readonly [before: string, after: string | undefined] {
  const index = text.indexOf(at)
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + at.length)]
}

/** A JSON file's text with its version, and in a lock file its root package's, replaced. */
export function versioned(text: string, version: string): string {
  const json = JSON.parse(text)
  json.version = version
  if (json.packages?.['']) json.packages[''].version = version
  return `${JSON.stringify(json, undefined, 2)}\n`
}

/** A text that names the package, of the version. @example withPackage('./msvc-0.1.0.tgz', '0.2.0') // './msvc-0.2.0.tgz' */
export function withPackage(text: string, version: string): string {
  return text.replaceAll(/\bmsvc-\d+\.\d+\.\d+\.tgz\b/g, `msvc-${version}.tgz`)
}
