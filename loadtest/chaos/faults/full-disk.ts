/** A file system without one free page. */
import { targetOf } from './fault.ts'
import type { Inject } from './fault.ts'

export const fillDisk: Inject = async ({ disks }, fault) => {
  await targetOf(disks, fault).fill(AbortSignal.timeout(fault.ms))
  return `ENOSPC for ${fault.ms} ms`
}
