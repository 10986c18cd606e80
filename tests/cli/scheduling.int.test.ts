import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { expect, test } from 'vitest'
import { setNiceness } from '../../cli/scheduling.ts'

test('a process that is made nicer goes behind those of other sessions too', () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' })
  try {
    const pid = child.pid as number
    setNiceness(pid, 5)
    expect(getPriority(pid)).toBe(5)
    const group = `/proc/${pid}/autogroup`
    if (existsSync(group)) expect(readFileSync(group, 'utf8')).toMatch(/ nice 5$/m)
  } finally {
    child.kill('SIGKILL')
  }
})
