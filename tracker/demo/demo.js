/* global document, history, localStorage, location, window */
// The site's own script: products of the shop without page loads, and a live view of what was counted.

const INTERVAL_MS = 2000
const HOUR_MS = 3_600_000
const PAGES_SHOWN_MAX = 12

const { apiKey } = document.currentScript.dataset
const visitsUrl = new URL('../visits', document.currentScript.src)

const PRODUCTS = {
  rye: 'Rye flour: dark, strong, and at its best after a night in a sourdough.',
  spelt: 'Spelt flour: mild and nutty; takes less water than you think.',
  oats: 'Rolled oats: for porridge, and for the top of every loaf.'
}

function showProduct () {
  const place = document.getElementById('product')
  if (place === null) return
  const text = PRODUCTS[new URLSearchParams(location.search).get('product')]
  place.hidden = text === undefined
  place.textContent = text ?? ''
}

function openProduct (event) {
  const link = event.target.closest('a[data-product]')
  if (link === null) return
  event.preventDefault()
  history.pushState(null, '', link.href)
  showProduct()
}

async function readCounts () {
  const query = { aggregation: 'minute', dateFrom: new Date(Date.now() - HOUR_MS).toISOString() }
  const answer = await fetch(`${visitsUrl}?${new URLSearchParams(query)}`, { headers: { 'x-api-key': apiKey } })
  if (answer.status === 401) {
    throw new Error('This system asks for API keys: the key of this demo works only while it runs open.')
  }
  if (!answer.ok) throw new Error(`GET /visits answered ${answer.status}; trying again.`)
  return (await answer.json()).data
}

/** Elements are made of text nodes: an address that was reported may hold anything. */
function element (name, className, ...children) {
  const made = document.createElement(name)
  made.className = className
  made.append(...children)
  return made
}

function countsTable (data) {
  const pages = Object.entries(data).map(([pageUrl, counts]) => {
    const visits = counts.reduce((sum, count) => sum + count.visit_count, 0)
    return { pageUrl, visits, last: counts.at(-1).timeframe }
  }).sort((a, b) => b.visits - a.visits).slice(0, PAGES_SHOWN_MAX)
  const most = pages[0]?.visits ?? 1
  const head = ['Page', '', 'Visits', 'Last'].map((text, i) => element('th', i > 1 ? 'number' : '', text))
  const rows = pages.map(({ pageUrl, visits, last }) => {
    const bar = element('span', 'bar')
    bar.style.width = `${100 * visits / most}%`
    return element('tr', '',
      element('td', '', pageUrl.replace(location.origin, '')),
      element('td', 'share', bar),
      element('td', 'number', String(visits)),
      element('td', 'number', new Date(last).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })))
  })
  return element('table', '', element('thead', '', element('tr', '', ...head)), element('tbody', '', ...rows))
}

async function refresh () {
  const place = document.getElementById('counts')
  const title = element('h2', '', 'Visits of the last hour')
  try {
    const data = await readCounts()
    const note = 'From GET /visits?aggregation=minute, asked every two seconds.'
    place.replaceChildren(title, element('p', 'note', note), countsTable(data))
  } catch (error) {
    place.replaceChildren(title, element('p', 'note', error.message))
  }
}

async function keepRefreshing () {
  if (!document.hidden) await refresh()
  setTimeout(keepRefreshing, INTERVAL_MS)
}

function showVisitor () {
  const place = document.getElementById('visitor')
  try {
    if (place !== null) place.textContent = localStorage.getItem('millrace-visitor') ?? place.textContent
  } catch {
    place.textContent = 'a new visitor with each page: this browser keeps nothing'
  }
}

document.addEventListener('click', openProduct)
window.addEventListener('popstate', showProduct)
window.addEventListener('load', showVisitor)
for (const place of document.querySelectorAll('[data-origin]')) place.textContent = location.origin
showProduct()
keepRefreshing()
