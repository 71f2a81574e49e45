'use client'

import { useState } from 'react'

// Talks to the streaming service of the same host: says hello and shows what comes.
export default function Live() {
  const [lines, setLines] = useState([])
  function connect() {
    const socket = new WebSocket(`wss://${location.host}/api/v1/streaming?stream=public`)
    socket.onopen = () => socket.send('hello from the page')
    socket.onmessage = (event) => setLines((before) => [...before, event.data])
    socket.onclose = (event) => setLines((before) => [...before, `closed ${event.code}`])
    window.leave = () => socket.close(1000)
  }
  return (
    <section>
      <button id="connect" onClick={connect}>go live</button>
      <button id="leave" onClick={() => window.leave()}>leave</button>
      <ol id="lines">{lines.map((line, number) => <li key={number}>{line}</li>)}</ol>
    </section>
  )
}
