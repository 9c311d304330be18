import { readFile } from 'node:fs/promises'

/** Fields of /proc/<pid>/stat (proc_pid_stat(5)) from the third on; undefined for a process that has ended, and where there is no /proc. */
export async function statFields(pid: number): Promise<readonly string[] | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // the second field is the program's name in parentheses, which can hold anything
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
}
