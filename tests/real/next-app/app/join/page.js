import Link from 'next/link'
import Counter from './counter'

export default function Join() {
  return (
    <main>
      <h1>wizard: join</h1>
      <Counter />
      <Link href="/join/step">next step</Link>
    </main>
  )
}
