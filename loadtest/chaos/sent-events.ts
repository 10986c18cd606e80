/** What clients know about the events of one stream: which were sent, and which of them acknowledged. */
export class SentEvents {
  readonly sent = new Set<number>()
  readonly acknowledged = new Set<number>()
  #next = 0

  /** Numbers that nobody has had yet. */
  take (count: number): number[] {
    return Array.from({ length: count }, () => this.#next++)
  }
}
