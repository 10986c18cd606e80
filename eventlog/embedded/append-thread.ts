/**
 * The thread that appends. A write blocks it, from waiting for the write lock to the last sync, and the
 * thread that serves requests goes on meanwhile. Appends that queue up while one is written share the next
 * write.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { CLOSE } from './append-message.ts'
import { LogWriter } from './log-writer.ts'
import type { AppendRequest, AppendThreadData, ExpireRequest, ThreadRequest } from './append-message.ts'
import type { MessagePort } from 'node:worker_threads'

const port = parentPort as MessagePort
const writer = new LogWriter(workerData as AppendThreadData)
try {
  writer.recover()
} catch {
  // Whatever keeps it from recovering also fails the appends, which report it, and try again.
}

port.on('message', async (first: ThreadRequest) => {
  let closing = false
  const appends: AppendRequest[] = []
  const expires: ExpireRequest[] = []
  let message: ThreadRequest | undefined = first
  while (message !== undefined) {
    if (message === CLOSE) closing = true
    else if ('expireAtMs' in message) expires.push(message)
    else appends.push(message)
    message = receiveMessageOnPort(port)?.message as ThreadRequest | undefined
  }
  // First what makes room: the appends may need it.
  for (const { expireAtMs } of expires) expire(expireAtMs)
  if (appends.length > 0) port.postMessage(writer.append(appends))
  if (!closing) return
  await writer.close()
  port.close()
})

/** Appends come between two steps of it. */
function expire (nowMs: number): void {
  try {
    if (writer.expire(nowMs)) setImmediate(() => expire(nowMs))
  } catch {
    // Whatever keeps the log from deleting also fails the appends, which report it; the next round retries.
  }
}
