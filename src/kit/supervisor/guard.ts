import { type ChildProcess, spawn } from 'node:child_process'

/** A shell is on every system that can stop a process, and takes 1 MB. */
const SHELL = '/bin/sh'
/** Beyond what a process takes to stop by itself (main.ts), and within the second that it may outlive its supervisor, seconds. */
const GRACE_S = 0.5
/**
 * Each line holds the processes that run now, a group of them as a negative number. The end of the input is the end of the supervisor, however it came: groups
 * are somebody's commands, which don't see it and are asked to stop; then all are killed, and on Linux what has left its group but carries the mark ($1).
 */
const SCRIPT = `
trap '' INT TERM HUP
while read -r line; do pids=$line; done
[ -n "$pids" ] || exit 0
for pid in $pids; do case $pid in -*) kill -s TERM -- $pid;; esac; done
sleep ${GRACE_S}
kill -s KILL -- $pids
[ -n "$1" ] || exit 0
for file in $(grep -lszF -- "$1" /proc/[0-9]*/environ); do
  file=\${file#/proc/}
  kill -s KILL -- "\${file%/environ}"
done
`

/**
 * The same for Windows, where what a process has started directly ends with it (Node puts it into a job), and what that has started doesn't: each is ended with its
 * tree. PowerShell is on every Windows.
 */
const WINDOWS_SCRIPT = `
$pids = ''
while ($null -ne ($line = [Console]::In.ReadLine())) { $pids = $line }
foreach ($id in $pids.Split(' ')) { if ($id) { & taskkill.exe /PID $id.TrimStart('-') /T /F 2>&1 | Out-Null } }
`

/** What is started as a guard. */
export function guardCommand(
  mark: string,
  platform: NodeJS.Platform = process.platform,
): readonly [string, ...string[]] {
  return platform === 'win32'
    ? ['powershell.exe', '-NoProfile', '-NonInteractive', '-Command', WINDOWS_SCRIPT]
    : [SHELL, '-c', SCRIPT, 'msvc-guard', mark]
}

/** Ends processes that outlive this one: one that hangs, such as a stopped one, doesn't see that its supervisor is gone. */
export interface Guard {
  /** From now on this process ends with this one; by a negative number a whole process group. */
  watch(pid: number): void
  /** It has ended. */
  release(pid: number): void
}

/**
 * Makes a guard: a process beside this one for as long as there is something to watch. Where there is no shell it does nothing, and what hangs
 * when this process is killed stays.
 * @param mark a variable as the environment of the groups' processes has it (`NAME=value`), which nobody else's has. Default: what leaves its group gets away
 */
export function createGuard(mark = ''): Guard {
  const pids = new Set<number>()
  let shell: ChildProcess | undefined

  function open(): ChildProcess {
    const [program, ...args] = guardCommand(mark)
    const opened = spawn(program, args, {
      stdio: ['pipe', 'ignore', 'ignore'],
      windowsHide: true,
      // where Windows has its programs, its environment alone says
      ...(process.platform !== 'win32' && { env: { PATH: '/usr/bin:/bin' } }),
      // a session of its own, which Ctrl-C doesn't reach
      detached: true,
    })
    const closed = () => {
      if (shell === opened) shell = undefined
    }
    opened.once('error', closed).once('exit', closed)
    opened.stdin?.on('error', closed)
    opened.unref()
    return opened
  }

  function tell() {
    shell ??= open()
    shell.stdin?.write(`${[...pids].join(' ')}\n`)
    if (pids.size > 0) return
    shell.stdin?.end()
    shell = undefined
  }

  return {
    watch(pid) {
      pids.add(pid)
      tell()
    },
    release(pid) {
      if (pids.delete(pid)) tell()
    },
  }
}
