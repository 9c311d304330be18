// What anybody's web page can try on the servers that its reader's browser reaches. Every way resolves with what the page learnt, if anything.

const PATIENCE_MS = 10_000
/** Targets that are tried at the same time. */
const AT_ONCE = 6

/** Resolves with what `start` learns, or with nothing after a while. */
function attempt(start) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, PATIENCE_MS)
    start((learnt) => {
      clearTimeout(timer)
      resolve(learnt)
    })
  })
}

/** An element that loads something lets nobody read it. */
function element(name, attributes) {
  return attempt((learn) => {
    const made = Object.assign(document.createElement(name), attributes)
    made.onload = made.onerror = () => {
      made.remove()
      learn()
    }
    document.body.append(made)
  })
}

/** A frame or window only says that it is there; what can be read of it counts. Undefined: it is still on its way. */
function look(view) {
  try {
    return view.location.href === 'about:blank' ? undefined : { read: view.document.documentElement.textContent }
  } catch {
    return {}
  }
}

function framed(begin) {
  return attempt((learn) => {
    const frame = Object.assign(document.createElement('iframe'), { name: `frame-${Math.random()}` })
    frame.onload = () => {
      const seen = look(frame.contentWindow)
      if (!seen) return
      frame.remove()
      learn(seen.read)
    }
    document.body.append(frame)
    begin(frame)
  })
}

/** In one window for all: each one opened costs chromium more than all that is tried in it. */
let windows = Promise.resolve()
function opened(url) {
  const found = windows.then(() =>
    attempt((learn) => {
      const view = window.open('about:blank', 'the-window')
      let isGone = false
      const timer = setInterval(() => {
        const seen = look(view)
        if (!isGone) {
          isGone = !seen
          if (isGone) window.open(url, 'the-window')
        } else if (seen) {
          clearInterval(timer)
          learn(seen.read)
        }
      }, 5)
      setTimeout(clearInterval, PATIENCE_MS, timer)
    }),
  )
  windows = found
  return found
}

function fetched(url, init) {
  return attempt(async (learn) => {
    try {
      const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) })
      learn(answer.type === 'opaque' ? undefined : `${answer.status} ${await answer.text()}`)
    } catch {
      learn()
    }
  })
}

/** Streams and sockets: news is that it opened. */
function listening(source) {
  return attempt((learn) => {
    const end = (learnt) => {
      source.close()
      learn(learnt)
    }
    source.onopen = () => end('opened')
    source.onmessage = ({ data }) => end(data)
    source.onerror = () => end()
  })
}

/** A form sends JSON as plain text, `name=value`, when both are cut right. */
function submitted(url, body) {
  return framed((frame) => {
    const form = document.createElement('form')
    Object.assign(form, { method: 'POST', action: url, enctype: 'text/plain', target: frame.name })
    const cut = body.lastIndexOf('"}')
    form.append(Object.assign(document.createElement('input'), { name: body.slice(0, cut), value: body.slice(cut) }))
    document.body.append(form)
    form.submit()
    form.remove()
  })
}

/** What a page's own script asks for. */
const ASKING = {
  'fetch cors': (url) => fetched(url, {}),
  'fetch no-cors': (url) => fetched(url, { mode: 'no-cors' }),
  'fetch HEAD no-cors': (url) => fetched(url, { mode: 'no-cors', method: 'HEAD' }),
}

/** What else asks in its name. On each address that is not visited one of them in turn: what it is for is all that a request says of it. */
const LOADING = {
  'fetch cors with credentials': (url) => fetched(url, { credentials: 'include' }),
  img: (url) => element('img', { src: url }),
  script: (url) => element('script', { src: url }),
  stylesheet: (url) => element('link', { rel: 'stylesheet', href: url }),
  prefetch: (url) => element('link', { rel: 'prefetch', href: url }),
  EventSource: (url) => listening(new EventSource(url)),
}

/** Each of these costs chromium much, or is made to wait longer each time: on some addresses only. */
const VISITING = {
  iframe: (url) => framed((frame) => Object.assign(frame, { src: url })),
  window: opened,
  WebSocket: (url) => listening(new WebSocket(url.replace('http:', 'ws:'))),
}

const POSTING = {
  'fetch no-cors': (url, { body }) => fetched(url, { method: 'POST', mode: 'no-cors', body }),
  'fetch as text': (url, { body }) => fetched(url, { method: 'POST', body }),
  sendBeacon: async (url, { body }) => void navigator.sendBeacon(url, body),
  form: (url, { body }) => submitted(url, body),
}

const WRITING = {
  'fetch as JSON': (url, { method, body }) =>
    fetched(url, { method, body, headers: { 'content-type': 'application/json' } }),
}

function waysOf({ method, visited }, turn) {
  if (method === 'GET' && visited) return { ...ASKING, ...LOADING, ...VISITING }
  const loading = Object.entries(LOADING)
  if (method === 'GET') return { ...ASKING, ...Object.fromEntries([loading[turn % loading.length]]) }
  return { ...WRITING, ...(method === 'POST' && POSTING) }
}

/** Tries every way on every target, a few targets at a time. Gives what was learnt, by way and URL. */
async function tryAll(targets) {
  const learnt = []
  const left = targets.entries()
  const tryNext = async () => {
    for (const [turn, target] of left) {
      for (const [way, go] of Object.entries(waysOf(target, turn))) {
        const separator = target.url.includes('?') ? '&' : '?'
        const found = await go(`${target.url}${separator}way=${encodeURIComponent(way)}`, target)
        if (found !== undefined) learnt.push(`${way} ${target.method} ${target.url}: ${found}`)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, tryNext))
  return learnt
}
window.tryAll = tryAll
