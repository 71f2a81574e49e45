import Link from 'next/link'
import Counter from './counter'
import Live from './live'

export default function Join() {
  return (
    <main>
      <h1>wizard: join</h1>
      <Counter />
      <Live />
      <Link href="/join/step">next step</Link>
    </main>
  )
}
