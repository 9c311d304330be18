import { describe, expect, it } from 'vitest'
import { datedChangelog, Refusal, versioned, withPackage } from './version-texts.ts'

describe('datedChangelog', () => {
  it('dates what was not released, and leaves an empty part before it', () => {
    const text = '# Changelog\n\n## Unreleased\n\n- New.\n\n## 0.1.0\n\nOld: "## Unreleased" was empty.\n'
    expect(datedChangelog(text, '0.2.0', '2026-11-28')).toBe(
      '# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-11-28)\n\n- New.\n\n## 0.1.0\n\nOld: "## Unreleased" was empty.\n',
    )
  })

  it('keeps what stands behind another heading of that name', () => {
    const text = '## Unreleased\n\n- New.\n\n## Unreleased\n\n- Old.\n'
    expect(datedChangelog(text, '1.0.0', '2026-11-28')).toContain('- Old.')
  })

  it.each(['# Changelog\n', '## Unreleased\n', '## Unreleased\n\n## 0.1.0\n\n- Old.\n'])(
    'refuses a changelog that says nothing new: %j',
    (text) => {
      expect(() => datedChangelog(text, '0.2.0', '2026-11-28')).toThrow(Refusal)
    },
  )
})

it('sets the version of a manifest, and of a lock file’s own package alone', () => {
  expect(versioned('{"name":"msvc","version":"0.1.0"}', '0.2.0')).toBe(
    '{\n  "name": "msvc",\n  "version": "0.2.0"\n}\n',
  )
  const lock = { version: '0.1.0', packages: { '': { version: '0.1.0' }, other: { version: '0.1.0' } } }
  expect(JSON.parse(versioned(JSON.stringify(lock), '0.2.0'))).toEqual({
    version: '0.2.0',
    packages: { '': { version: '0.2.0' }, other: { version: '0.1.0' } },
  })
})

it('names the package of the version', () => {
  expect(withPackage('npm install ./msvc-0.1.0.tgz # msvc 0.1.0', '0.2.0')).toBe(
    'npm install ./msvc-0.2.0.tgz # msvc 0.1.0',
  )
})
