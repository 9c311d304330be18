/**
 * Whether a version is newer than another, by its three numbers and then as a release after its pre-releases (https://semver.org §11). Pre-releases of the same
 * numbers count as equal.
 * @example isNewer('0.2.0', '0.2.0-dev') // true
 */
export function isNewer(version: string, than: string): boolean {
  const others = numbersOf(than)
  for (const [index, number] of numbersOf(version).entries()) {
    const other = others[index] ?? 0
    if (number !== other) return number > other
  }
  return !version.includes('-') && than.includes('-')
}

const numbersOf = (text: string): readonly number[] => text.split(/[-+]/, 1).join().split('.', 3).map(Number)
