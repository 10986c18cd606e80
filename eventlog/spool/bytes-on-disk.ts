/** An entry of the spool that is larger than half a page lies on pages of its own, as a file does. */
const PAGE_BYTES = 4096

export function bytesOnDisk (bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES
}
