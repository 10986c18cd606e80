/** Segments on disk: whatever a crash leaves behind, what comes back is a prefix of what was appended. */
import { mkdtemp, rm } from 'node:fs/promises'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { batchBytes, encodeBatch } from '../../eventlog/embedded/record-batch.ts'
import { frameHeader } from '../../eventlog/embedded/segment-frame.ts'
import { SegmentFile, segmentPath } from '../../eventlog/embedded/segment-file.ts'
import { SegmentTail } from '../../eventlog/embedded/segment-tail.ts'
import { record } from './conformance-harness.ts'

const SEGMENT = 7
const EXTENT_BYTES = 4096

let directory: string

beforeEach(async () => { directory = await mkdtemp(join(tmpdir(), 'millrace-segment-')) })

afterEach(async () => { await rm(directory, { recursive: true }) })

function path (): string {
  return segmentPath(directory, 0, SEGMENT)
}

interface Written {
  parts: Uint8Array[]
  bytes: number
  checksum: number
}

/** A frame of one record in partition 0 and one in partition 1. */
function frame (base: number, text: string, previousChecksum: number): Written {
  const records = [record('k', text)]
  const one = batchBytes(records)
  const body = Buffer.alloc(2 * one)
  encodeBatch(records, body, encodeBatch(records, body, 0))
  const batches = [0, 1].map((partition) => ({ partition, records: 1, bytes: one, base }))
  const { header, checksum } = frameHeader(batches, body, previousChecksum)
  return { parts: [header, body], bytes: header.length + body.length, checksum }
}

function write (frames: readonly Written[], at = 0): void {
  const file = SegmentFile.openToWrite(path(), EXTENT_BYTES)
  file.write(frames.flatMap(({ parts }) => parts), at)
  file.close()
}

/** What the next writer finds. */
function recover (): { at: number, ends: readonly number[] } {
  const file = SegmentFile.openToRead(path()) as SegmentFile
  const tail = new SegmentTail(SEGMENT, [0, 0])
  tail.followAll(file)
  file.close()
  return { at: tail.at, ends: tail.ends }
}

function three (): [Written, Written, Written] {
  const first = frame(0, 'first', SEGMENT)
  const second = frame(1, 'second', first.checksum)
  return [first, second, frame(2, 'third', second.checksum)]
}

test('all frames are found that were written whole', () => {
  const frames = three()
  write(frames)
  expect(recover()).toEqual({ at: frames.reduce((sum, { bytes }) => sum + bytes, 0), ends: [3, 3] })
})

test.each<[string, (file: Buffer, at: number) => Buffer]>([
  ['cut off', (file, at) => file.subarray(0, at)],
  ['zeros', (file, at) => Buffer.concat([file.subarray(0, at), Buffer.alloc(file.length - at)])],
  ['another byte', (file, at) => {
    const damaged = Buffer.from(file)
    damaged[at] = (damaged[at] as number) ^ 0xff
    return damaged
  }]
])('a last frame with %s from any of its bytes on is none, and those before it are whole', (_name, damage) => {
  const frames = three()
  write(frames)
  const start = frames[0].bytes + frames[1].bytes
  const pristine = readFileSync(path()).subarray(0, start + frames[2].bytes + 64)
  const lastByte = pristine.subarray(0, start + frames[2].bytes).findLastIndex((byte) => byte !== 0)
  for (let at = start; at <= lastByte; at++) {
    writeFileSync(path(), damage(pristine, at))
    expect([at, recover()]).toEqual([at, { at: start, ends: [2, 2] }])
  }
})

test('what is left of a write that was given up, behind a later one, does not come back', () => {
  const first = frame(0, 'first', SEGMENT)
  const givenUp = frame(1, 'given up', first.checksum)
  const leftOver = frame(2, 'left over', givenUp.checksum)
  write([first, givenUp, leftOver])
  const later = frame(1, 'later on', first.checksum)
  expect(later.bytes).toBe(givenUp.bytes)
  write([later], first.bytes)
  expect(recover()).toEqual({ at: first.bytes + later.bytes, ends: [2, 2] })
})

test('frames of another segment are none', () => {
  write([frame(0, 'of another', SEGMENT + 1)])
  expect(recover()).toEqual({ at: 0, ends: [0, 0] })
})

test('two writers that know of different lengths of the file do not overwrite each other', () => {
  const [first, second] = three()
  const one = SegmentFile.openToWrite(path(), EXTENT_BYTES)
  const other = SegmentFile.openToWrite(path(), EXTENT_BYTES)
  one.write(first.parts, 0)
  other.write(second.parts, first.bytes)
  one.close()
  other.close()
  expect(recover()).toEqual({ at: first.bytes + second.bytes, ends: [2, 2] })
})

test('a file whose name cannot be made durable is closed again', () => {
  const open = () => readdirSync('/proc/self/fd').length
  const before = open()
  const refuse = (): void => { throw Object.assign(new Error('input/output error'), { code: 'EIO' }) }
  for (let attempt = 0; attempt < 5; attempt++) {
    expect(() => SegmentFile.openToWrite(path(), EXTENT_BYTES, refuse)).toThrow('input/output error')
  }
  expect(open()).toBe(before)
  SegmentFile.openToWrite(path(), EXTENT_BYTES).close()
})
