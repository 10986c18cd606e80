/**
 * The thread that appends. A transaction blocks it, from waiting for the write lock to the last sync, and the
 * thread that serves requests goes on meanwhile. lmdb-js' own asynchronous transactions come back to that
 * thread in their middle, to run their callback, and so wait for its event loop with the lock held.
 *
 * Appends that queue up while one transaction is synced share the next. Offsets are given out inside the
 * transaction, so any number of processes may append.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { CLOSE, monotonicMs } from './append-message.ts'
import { batchKey, endOffset, putEndOffset, putStoredBytes, storedBytes } from './record-keys.ts'
import { openDurable } from './environment.ts'
import type { AppendAnswer, AppendRequest, AppendThreadData } from './append-message.ts'
import type { MessagePort } from 'node:worker_threads'

const port = parentPort as MessagePort
const { database: options, bytesMax } = workerData as AppendThreadData
const database = openDurable<Buffer, Buffer>(options)

port.on('message', async (first: AppendRequest | typeof CLOSE) => {
  let closing = false
  const requests: AppendRequest[] = []
  let message: AppendRequest | typeof CLOSE | undefined = first
  while (message !== undefined) {
    if (message === CLOSE) closing = true
    else requests.push(message)
    message = receiveMessageOnPort(port)?.message as AppendRequest | typeof CLOSE | undefined
  }
  if (requests.length > 0) port.postMessage(appendTogether(requests))
  if (!closing) return
  await database.close()
  port.close()
})

function appendTogether (requests: readonly AppendRequest[]): AppendAnswer[] {
  try {
    return database.transactionSync(() => requests.map(append))
  } catch (fault) {
    return requests.map(({ id }) => ({ id, refusal: 'fault', fault }))
  }
}

/** Refuses before it writes anything: what throws here takes the whole transaction back. */
function append ({ id, deadlineMs, topicId, batches, buffer }: AppendRequest): AppendAnswer {
  if (monotonicMs() > deadlineMs) return { id, refusal: 'late' }
  const total = storedBytes(database) + buffer.length
  if (total > bytesMax) return { id, refusal: 'full' }
  putStoredBytes(database, total)
  const bases = batches.map(({ partition, records, start, end }) => {
    const base = endOffset(database, topicId, partition)
    database.putSync(batchKey(topicId, partition, base), Buffer.from(buffer.buffer, start, end - start))
    putEndOffset(database, topicId, partition, base + records)
    return base
  })
  return { id, bases }
}
