import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pino } from 'pino'
import { Supervisor } from '../../cli/supervisor.ts'
import type { ChildSpec } from '../../cli/supervisor.ts'

const SUPERVISOR = fileURLToPath(new URL('../support/supervisor-process.ts', import.meta.url))
const MODULE = fileURLToPath(new URL('../support/child-role.ts', import.meta.url))

let directory: string
let file: string
let supervisor: Supervisor

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'supervisor-'))
  file = join(directory, 'lives')
})
afterEach(async () => {
  await (supervisor as Supervisor | undefined)?.stop()
  rmSync(directory, { recursive: true })
})

function supervise (stages: string[][], shutdownMsMax = 60_000): Supervisor {
  const child = (behaviour: string): ChildSpec => ({
    name: behaviour,
    args: [MODULE, behaviour, file],
    env: process.env,
    endsByItself: behaviour === 'work',
    niceness: 0
  })
  supervisor = new Supervisor({
    stages: stages.map((stage) => stage.map(child)), log: pino({ level: 'silent' }), shutdownMsMax
  })
  return supervisor
}

/** What the children noted: behaviour and process id of each life and end, in order. */
function lives (): Array<{ what: string, pid: number }> {
  return readFileSync(file, 'utf8').trim().split('\n').map((line) => {
    const [what, pid] = line.split(' ') as [string, string]
    return { what, pid: Number(pid) }
  })
}

function isAlive (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('starts stages in order and stops the children in reverse order', async () => {
  await supervise([['first'], ['work'], ['second']]).start()
  await supervisor.stop()
  expect(lives().map(({ what }) => what)).toEqual(['first', 'work', 'second', 'end', 'end'])
  const [first, , second, endOfSecond, endOfFirst] = lives()
  expect([endOfSecond?.pid, endOfFirst?.pid]).toEqual([second?.pid, first?.pid])
})

test('restarts a child that was killed, again and again', async () => {
  await supervise([['role']]).start()
  for (const life of [1, 2]) {
    process.kill(lives()[life - 1]?.pid ?? NaN, 'SIGKILL')
    await expect.poll(lives).toHaveLength(life + 1)
  }
  expect(new Set(lives().map(({ pid }) => pid)).size).toBe(3)
})

test('gives up at once on a child whose settings are wrong', async () => {
  await expect(supervise([['refuse']]).start()).rejects.toMatchObject({ code: 'child_start' })
  expect(lives()).toHaveLength(1)
})

test('gives up on a child that never starts, after some tries', async () => {
  await expect(supervise([['fail']]).start()).rejects.toMatchObject({ code: 'child_start' })
  expect(lives()).toHaveLength(5)
})

test('is stopped while a child starts that is stuck: kills it, and starts nothing more', async () => {
  const started = supervise([['stuck'], ['second']], 200).start()
  const failed = expect(started).rejects.toMatchObject({ code: 'child_start' })
  await expect.poll(() => existsSync(file)).toBe(true)
  const [life] = lives()
  await supervisor.stop()
  await failed
  expect(lives()).toHaveLength(1)
  expect(isAlive(life?.pid ?? NaN)).toBe(false)
})

test('however the supervisor ends, a child that hangs does not outlive it', async () => {
  const supervisorProcess = spawn(process.execPath, [SUPERVISOR, MODULE, 'hang', file], { stdio: 'ignore' })
  const [code] = await once(supervisorProcess, 'exit')
  const [life] = lives()
  expect(code).toBe(3)
  try {
    await expect.poll(() => isAlive(life?.pid ?? NaN)).toBe(false)
  } finally {
    if (isAlive(life?.pid ?? NaN)) process.kill(life?.pid ?? NaN, 'SIGKILL')
  }
})

test('kills a child that does not end in time', async () => {
  await supervise([['deaf']], 200).start()
  const [life] = lives()
  await supervisor.stop()
  expect(isAlive(life?.pid ?? NaN)).toBe(false)
})
