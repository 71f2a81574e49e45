// Stands where Mastodon's streaming server stands: WebSocket and SSE under /api/v1/streaming.
// node server.js PORT
const http = require('http')
const { WebSocketServer } = require('ws')

const base = '/api/v1/streaming'

function events(request, response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  response.write(':)\n')
  let number = 0
  const ticking = setInterval(() => response.write(`event: update\ndata: ${number++}\n\n`), 100)
  request.on('close', () => clearInterval(ticking))
}

const server = http.createServer((request, response) => {
  const path = request.url.split('?')[0]
  if (path === `${base}/health`) {
    response.writeHead(200, { 'Content-Type': 'text/plain' })
    response.end('OK')
  } else if (path === `${base}/user` || path === `${base}/public`) {
    events(request, response)
  } else {
    response.writeHead(404, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify({ error: 'Not Found', service: 'streaming', url: request.url }))
  }
})

// As Mastodon does, the access token may come as the subprotocol; it is chosen unchanged.
const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } })
sockets.on('connection', (socket, request) => {
  socket.send(JSON.stringify({ service: 'streaming', url: request.url, host: request.headers.host,
    forwardedFor: request.headers['x-forwarded-for'] }))
  socket.on('message', (data, binary) => socket.send(data, { binary }))
})

server.keepAliveTimeout = 5000
server.listen(Number(process.argv[2]), '127.0.0.1')
