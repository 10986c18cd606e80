/* global window, document, history, localStorage, crypto, location */
// Reports page loads and single-page navigations of the site that includes it:
//   <script src="https://host/user-tracker.js" data-api-key="…" data-endpoint="https://host/visits"></script>
// data-endpoint may be the origin alone, or left out: /visits there, or beside the script. It may never throw
// into the page; a visit that cannot be delivered is tried again for a minute or two, and then dropped.
// Lines of comment are not served. Written for every browser that has fetch: nothing newer than ES2017.
(() => {
  const KEY = 'millrace-visitor'
  const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
  const TEXT_LENGTH_MAX = 1024
  // Visits that wait for another try, and tries of one visit: 2, 4, 8, 16 and 32 seconds apart, or more.
  const WAITING_MAX = 20
  const TRIES_MAX = 6

  const quietly = (work) => {
    try { return work() } catch (error) { /* The page must not notice. */ }
  }

  const randomByte = () => crypto.getRandomValues(new Uint8Array(1))[0]
  const randomDigit = () => ((quietly(randomByte) || Math.random() * 256) & 15).toString(16)
  // crypto.randomUUID is missing on pages without TLS.
  const uuid = () => quietly(() => crypto.randomUUID()) ||
    'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replace(/x/g, randomDigit)

  // Where storage is blocked the visitor is a new one with each page load.
  const stored = quietly(() => localStorage.getItem(KEY))
  const identifier = UUID.test(stored) ? stored : uuid()
  if (identifier !== stored) quietly(() => localStorage.setItem(KEY, identifier))

  let waiting = 0

  // The same idempotency key in each try: an answer that was lost does not count a visit twice.
  const send = (target, visit, id, tries) => {
    const failed = () => quietly(() => {
      if (tries >= TRIES_MAX || waiting >= WAITING_MAX) return
      setTimeout(() => {
        waiting--
        send(target, visit, id, tries + 1)
      }, 1000 * 2 ** tries * (1 + Math.random()))
      waiting++
    })
    quietly(() => window.fetch(target.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': target.apiKey, 'idempotency-key': id },
      body: JSON.stringify(visit),
      credentials: 'omit',
      // The request outlives the page that is being left.
      keepalive: true
    }).then(({ status }) => { if (status === 429 || status >= 500) failed() }, failed))
  }

  quietly(() => {
    const { src, dataset } = document.currentScript
    const url = new URL(dataset.endpoint || '/', src)
    if (url.pathname === '/') url.pathname = '/visits'
    const target = { apiKey: dataset.apiKey, endpoint: url.href }
    const mark = '__millrace ' + target.endpoint
    if (!target.apiKey || window[mark]) return
    window[mark] = true

    let last
    // A fragment is a place on a page, unless it is a route: #/… or #!…
    const visit = () => quietly(() => {
      const [page, fragment = ''] = location.href.split(/#(.*)/)
      const pageUrl = (page + (/^[/!]/.test(fragment) ? '#' + fragment : '')).slice(0, TEXT_LENGTH_MAX)
      if (pageUrl === last) return
      last = pageUrl
      send(target, { identifier, pageUrl, visitedAt: new Date().toISOString() }, uuid(), 1)
    })

    for (const name of ['pushState', 'replaceState']) {
      const original = history[name]
      history[name] = function () {
        const result = original.apply(this, arguments)
        visit()
        return result
      }
    }
    window.addEventListener('popstate', visit)
    window.addEventListener('hashchange', visit)
    // Back to a page that the browser kept whole: nothing is loaded, and yet it is visited.
    window.addEventListener('pageshow', ({ persisted }) => {
      if (!persisted) return
      last = undefined
      visit()
    })
    // A page that is loaded ahead is visited when it is shown.
    if (document.prerendering) document.addEventListener('prerenderingchange', visit, { once: true })
    else visit()
  })
})()
