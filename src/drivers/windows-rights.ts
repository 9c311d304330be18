import { execFileSync } from 'node:child_process'

/** How the programs are run that Windows has for rights; a parameter for tests. */
export type RunTool = (program: string, args: readonly string[]) => string

const runTool: RunTool = (program, args) =>
  execFileSync(program, [...args], { encoding: 'utf8', windowsHide: true, stdio: ['ignore', 'pipe', 'pipe'] })

/** The system itself, which every service runs as (https://learn.microsoft.com/windows-server/identity/ad-ds/manage/understand-security-identifiers). */
const SYSTEM = 'S-1-5-18'
/** Who is everybody, in SDDL's words and by number: Everyone, anonymous ones, whoever has logged in, all users, guests. */
const WIDE = new Set(['WD', 'AN', 'AU', 'BU', 'BG', 'S-1-1-0', 'S-1-5-7', 'S-1-5-11', 'S-1-5-32-545', 'S-1-5-32-546'])

/**
 * Leaves a folder on Windows to this user and the system alone, with all that will be in it: modes mean nothing there. Throws what running `whoami` and `icacls`
 * throws.
 */
export function closeWindowsFolder(path: string, run: RunTool = runTool): void {
  const sid = /S-1-[\d-]+/.exec(run('whoami', ['/user', '/fo', 'csv', '/nh']))?.[0]
  if (sid === undefined) throw new Error('whoami does not name this user')
  const grants = [sid, SYSTEM].flatMap((each) => ['/grant:r', `*${each}:(OI)(CI)F`])
  run('icacls', [path, '/inheritance:r', ...grants])
}

/** The command by which a person leaves a folder on Windows to himself alone. */
export function closingCommand(path: string): string {
  return `icacls "${path}" /inheritance:r /grant:r "%USERNAME%:(OI)(CI)F"`
}

/** Whether others than its user and the administrators can get at a file or folder on Windows. Throws what running PowerShell throws. */
export function isOpenOnWindows(path: string, run: RunTool = runTool): boolean {
  // the path comes by an argument, not as a part of the command
  const command = '(Get-Acl -LiteralPath $args[0]).Sddl'
  return isWide(run('powershell', ['-NoProfile', '-NonInteractive', '-Command', `& {${command}} '${quoted(path)}'`]))
}

const quoted = (path: string) => path.replaceAll("'", "''")

/**
 * Whether a security descriptor lets everybody in, whatever he may do then: no list at all does, and so does an entry that allows something to all users.
 * @param sddl as Windows writes it (https://learn.microsoft.com/windows/win32/secauthz/ace-strings)
 */
export function isWide(sddl: string): boolean {
  const [, list] = /D:([^(]*(?:\([^)]*\))*)/.exec(sddl) ?? []
  if (list === undefined || list.startsWith('NO_ACCESS_CONTROL')) return true
  return [...list.matchAll(/\(([^)]*)\)/g)].some(([, entry = '']) => {
    const [type = '', , , , , trustee = ''] = entry.split(';')
    // what denies lets nobody in, and what is conditional (XA) may
    return /^(?:A|OA|XA)$/.test(type) && WIDE.has(trustee)
  })
}
