import { setPriority } from 'node:os'
import { writeFileSync } from 'node:fs'

/**
 * Lets others go before a process that leads a session of its own; the nicer (0 to 19), the later. Where
 * Linux groups processes by session (sched(7), autogroups), the niceness of a process counts within its
 * session only: there that of the session is set too.
 */
export function setNiceness (pid: number, niceness: number): void {
  setPriority(pid, niceness)
  if (niceness === 0) return
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(niceness))
  } catch {
    // Another system, or a kernel without groups: there the niceness of the process is all that counts. Linux
    // takes only ten of these a second of whoever is not root: a restart that comes too soon does without.
  }
}
